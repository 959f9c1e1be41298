//! Several attestations in one file: what a new one is added to, and what it takes the place of.
//!
//! Decides about texts alone. Nothing here verifies an attestation, and nothing writes a file.

use crate::attestation_file::{Attestation, Subject};
use crate::bundle_file::documents;
use crate::signature_set::same_signer;
use crate::{AttestationFile, Refusal, digest};

/// The file of attestations with one more, of the file with that content. It takes the place of an
/// older one of the same type by the signer of the same name; and of all, if none is about that file,
/// as after a new build.
///
/// # Errors
/// What is there is not a file of attestations, or together they are too many or too large.
pub fn add_attestation(existing: &[u8], new: &[u8], of: &[u8]) -> Result<Vec<u8>, Refusal> {
    let added = AttestationFile::parse(new)?;
    let there = AttestationFile::parse(existing)?;
    let subject = Subject::new(of, digest(of));
    let about = |attestation: &Attestation| attestation.about(&subject).is_some();
    let replaced = |old: &Attestation| {
        about(old)
            && added.attestations().iter().any(|new| {
                new.statement.predicate_type() == old.statement.predicate_type()
                    && same_signer(&new.bundle.said(), &old.bundle.said())
            })
    };
    let mut lines = Vec::new();
    if there.attestations().iter().any(about) {
        for (document, attestation) in documents(existing).zip(there.attestations()) {
            let document =
                document.map_err(|error| Refusal::MalformedAttestations(error.to_string()))?;
            if !replaced(attestation) {
                lines.extend_from_slice(document.get().as_bytes());
                lines.push(b'\n');
            }
        }
    }
    lines.extend_from_slice(new);
    lines.push(b'\n');
    AttestationFile::parse(&lines)?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SigningKey, attest};

    fn attested(of: &[u8], kind: &str, by: &SigningKey) -> Vec<u8> {
        let kind = format!("https://acme.test/{kind}");
        attest(digest(of), &kind, &serde_json::Value::Null, by).unwrap()
    }

    fn types(file: &[u8]) -> Vec<String> {
        let file = AttestationFile::parse(file).unwrap();
        let types = file.predicate_types();
        types
            .map(|kind| kind.rsplit('/').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn an_attestation_is_added_beside_others_and_in_the_place_of_an_own_one_of_its_type() {
        let (ours, theirs) = (
            SigningKey::generate().unwrap(),
            SigningKey::generate().unwrap(),
        );
        let add = |file: &[u8], new: &[u8]| add_attestation(file, new, b"content").unwrap();
        let file = attested(b"content", "build", &theirs);
        let file = add(&file, &attested(b"content", "build", &ours));
        let file = add(&file, &attested(b"content", "review", &ours));
        assert_eq!(types(&file), ["build", "build", "review"]);
        let again = attested(b"content", "build", &ours);
        let file = add(&file, &again);
        assert_eq!(types(&file), ["build", "review", "build"]);
        assert!(file.ends_with(&[&again[..], b"\n"].concat()));
    }

    #[test]
    fn attestations_of_an_older_build_go_and_what_is_none_is_kept() {
        let key = SigningKey::generate().unwrap();
        let new = attested(b"new", "build", &key);
        let file = add_attestation(&attested(b"old", "review", &key), &new, b"new");
        assert_eq!(types(&file.unwrap()), ["build"]);
        for damaged in [&b"notes"[..], b"", &new[..new.len() - 1]] {
            assert!(add_attestation(damaged, &new, b"new").is_err());
        }
    }
}
