//! Several signatures in one file: what may be added to it, and what may take its place.
//!
//! Decides about texts alone. Nothing here verifies a signature, and nothing writes a file.

use wharf_policy::Digest;

use crate::SignatureFile;
use crate::bundle_file::documents;
use crate::sigstore::Said;

/// Why a signature cannot be added to a signature file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// What is there is not a file of signatures.
    #[error(
        "what is there is not a file of signatures that a plugin may have: {0}; move it away, or put yours in its place with --replace"
    )]
    Unreadable(String),
    /// What is there is about another file, or the file was changed since.
    #[error(
        "the signatures that are there are for {signed}, and the file is {actual} now: get the file that was signed, or put yours in their place with --replace"
    )]
    OtherFile {
        /// What they are about.
        signed: Digest,
        /// What was signed now.
        actual: Digest,
    },
    /// Together they are not a signature file: too many, or too large.
    #[error("the signature cannot be added: {0}")]
    TooMuch(String),
}

/// Why a signature file is kept rather than replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Kept {
    /// It has the signatures of others of the same file.
    #[error("it holds {0} signatures of this very file, not all of them by the same signer")]
    OfOthers(usize),
    /// It is something else.
    #[error("it is not a file of signatures that a plugin may have: {0}")]
    SomethingElse(String),
}

/// The signature file with one more signature, which takes the place of an older one by the signer
/// of the same name.
///
/// # Errors
/// They are about different files, or what is there is not a signature file.
pub fn add_signature(existing: &[u8], new: &[u8]) -> Result<Vec<u8>, AddError> {
    let added = read_new(new).map_err(AddError::TooMuch)?;
    let there =
        SignatureFile::parse(existing).map_err(|error| AddError::Unreadable(error.to_string()))?;
    if there.signed() != added.signed() {
        return Err(AddError::OtherFile {
            signed: there.signed(),
            actual: added.signed(),
        });
    }
    let mut lines = Vec::new();
    for (document, signature) in documents(existing).zip(there.signatures()) {
        let document = document.map_err(|error| AddError::Unreadable(error.to_string()))?;
        if !same_signer(&signature.said(), &said(&added)) {
            lines.extend_from_slice(document.get().as_bytes());
            lines.push(b'\n');
        }
    }
    lines.extend_from_slice(new);
    lines.push(b'\n');
    SignatureFile::parse(&lines).map_err(|error| AddError::TooMuch(error.to_string()))?;
    Ok(lines)
}

/// Whether a new signature may take the place of what is there without anybody losing something:
/// what is there is about other bytes, as after a new build, or by the same signer.
///
/// # Errors
/// It is to be kept, and why.
pub fn may_replace(existing: &[u8], new: &[u8]) -> Result<(), Kept> {
    let new = read_new(new).map_err(Kept::SomethingElse)?;
    let there =
        SignatureFile::parse(existing).map_err(|error| Kept::SomethingElse(error.to_string()))?;
    let by_same = || {
        let said = said(&new);
        there
            .signatures()
            .iter()
            .all(|old| same_signer(&old.said(), &said))
    };
    if there.signed() != new.signed() || by_same() {
        Ok(())
    } else {
        Err(Kept::OfOthers(there.signatures().len()))
    }
}

fn read_new(new: &[u8]) -> Result<SignatureFile, String> {
    SignatureFile::parse(new).map_err(|error| error.to_string())
}

fn said(file: &SignatureFile) -> Said {
    file.signatures()
        .first()
        .map_or(Said::Key(None), |bundle| bundle.said())
}

/// Whether both name the same signer. One that names nobody is nobody's.
pub(crate) fn same_signer(one: &Said, other: &Said) -> bool {
    match (one, other) {
        (Said::Key(None), _) | (Said::Identity(None), _) => false,
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SigningKey, sign};

    fn key() -> SigningKey {
        SigningKey::generate().unwrap()
    }

    fn signatures(file: &[u8]) -> usize {
        SignatureFile::parse(file).unwrap().signatures().len()
    }

    #[test]
    fn a_signature_is_added_beside_those_of_others_and_in_the_place_of_an_own_one() {
        let (ours, theirs) = (key(), key());
        let first = sign(b"content", &theirs).unwrap();
        let both = add_signature(&first, &sign(b"content", &ours).unwrap()).unwrap();
        assert_eq!(signatures(&both), 2);
        let again = sign(b"content", &theirs).unwrap();
        let renewed = add_signature(&both, &again).unwrap();
        assert_eq!(signatures(&renewed), 2);
        assert!(renewed.ends_with(&[&again[..], b"\n"].concat()));
    }

    #[test]
    fn a_signature_is_not_added_to_those_of_another_file_nor_to_anything_else() {
        let new = sign(b"content", &key()).unwrap();
        let other = sign(b"other", &key()).unwrap();
        assert!(matches!(
            add_signature(&other, &new),
            Err(AddError::OtherFile { .. })
        ));
        for damaged in [&b""[..], b"{}", &other[..other.len() - 1]] {
            assert!(matches!(
                add_signature(damaged, &new),
                Err(AddError::Unreadable(_))
            ));
        }
    }

    #[test]
    fn more_signatures_than_a_policy_reads_are_not_put_into_one_file() {
        let mut file = sign(b"content", &key()).unwrap();
        for _ in 1..16 {
            file = add_signature(&file, &sign(b"content", &key()).unwrap()).unwrap();
        }
        let one_more = sign(b"content", &key()).unwrap();
        assert!(matches!(
            add_signature(&file, &one_more),
            Err(AddError::TooMuch(_))
        ));
    }

    #[test]
    fn only_an_own_signature_or_one_of_other_bytes_is_replaced_without_a_word() {
        let (ours, theirs) = (key(), key());
        let new = sign(b"content", &ours).unwrap();
        assert_eq!(may_replace(&sign(b"content", &ours).unwrap(), &new), Ok(()));
        assert_eq!(may_replace(&sign(b"older", &theirs).unwrap(), &new), Ok(()));
        let of_theirs = sign(b"content", &theirs).unwrap();
        assert_eq!(may_replace(&of_theirs, &new), Err(Kept::OfOthers(1)));
        let both = add_signature(&of_theirs, &new).unwrap();
        assert_eq!(may_replace(&both, &new), Err(Kept::OfOthers(2)));
        assert!(matches!(
            may_replace(b"notes", &new),
            Err(Kept::SomethingElse(_))
        ));
    }

    #[test]
    fn a_signature_that_names_no_signer_is_never_taken_for_an_own_one() {
        let new = String::from_utf8(sign(b"content", &key()).unwrap()).unwrap();
        let hint = new.split("\"hint\":\"").nth(1).unwrap();
        let hint = hint.split('"').next().unwrap();
        let nameless = new.replace(hint, "");
        assert_eq!(
            may_replace(nameless.as_bytes(), nameless.as_bytes()),
            Err(Kept::OfOthers(1))
        );
    }
}
