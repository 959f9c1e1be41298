//! A file with one bundle, or several one after the other: whoever asks for one signer gets the word
//! of that signer's bundle, and what others signed beside it changes nothing.

use super::bundle::{Bundle, Said};
use super::verify::{Evidence, Expected, VerifiedArtifact, verify_artifact, verify_bundle};
use super::{Artifact, Rejection, TrustRoot};
use crate::bundle_file::{MAX_BUNDLES, documents};

/// Verifies that one of the bundles in a file vouches for an artifact. Every one of them must be a
/// bundle; of those by others no more is asked.
///
/// # Errors
/// As [`verify_artifact`], of the first bundle that says it is by whom was asked for; or none does.
pub fn verify_file(
    artifact: &Artifact<'_>,
    file: &[u8],
    expected: Expected<'_>,
    root: &TrustRoot,
    evidence: Evidence,
) -> Result<VerifiedArtifact, Rejection> {
    let mut bundles = Vec::new();
    for document in documents(file) {
        // The reader of one bundle says best what is wrong with one.
        let Ok(document) = document else {
            return verify_artifact(artifact, file, expected, root, evidence);
        };
        if bundles.len() == MAX_BUNDLES {
            return Err(Rejection::Malformed(format!(
                "there are more than {MAX_BUNDLES} bundles"
            )));
        }
        bundles.push(Bundle::parse(document.get().as_bytes())?);
    }
    match &bundles[..] {
        [] => return verify_artifact(artifact, file, expected, root, evidence),
        [one] => return verify_bundle(artifact, one, expected, root, evidence),
        _ => {}
    }
    let mut first = None;
    for bundle in bundles.iter().filter(|bundle| may_be(bundle, expected)) {
        match verify_bundle(artifact, bundle, expected, root, evidence) {
            Ok(verified) => return Ok(verified),
            Err(why) => first = first.or(Some(why)),
        }
    }
    Err(first.unwrap_or_else(|| {
        let count = bundles.len();
        Rejection::WrongSigner(format!(
            "none of the {count} bundles is by the one who was asked for"
        ))
    }))
}

/// Whether a bundle says that it is by that signer, or does not say by whom it is.
fn may_be(bundle: &Bundle, expected: Expected<'_>) -> bool {
    match (bundle.said(), expected) {
        (Said::Key(named), Expected::Key(key)) => {
            named.is_none_or(|named| named == key.fingerprint())
        }
        (Said::Identity(named), Expected::Identity(identity)) => {
            named.is_none_or(|named| named == *identity)
        }
        _ => false,
    }
}
