//! Whatever is offered as a signature or an attestation: it never panics, is never both, and never
//! verifies under a key that signed nothing or for somebody whom no certificate names.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Identity, TrustRoot, VerifyingKey, verify_artifact,
};
use wharf_bundle::{AttestationFile, PublicKey, SignatureFile, SigningKey, verify_with_key};

static NOBODY: LazyLock<PublicKey> =
    LazyLock::new(|| SigningKey::generate().expect("a key").public().clone());
static ROOT: LazyLock<TrustRoot> = LazyLock::new(|| TrustRoot::public_good().expect("a root"));

fuzz_target!(|bytes: &[u8]| {
    let (signatures, attestations) = (SignatureFile::parse(bytes), AttestationFile::parse(bytes));
    assert!(signatures.is_err() || attestations.is_err());
    if let Ok(attestations) = attestations {
        let _ = attestations.check_about(b"file");
    }
    assert!(verify_with_key(b"file", bytes, std::slice::from_ref(&NOBODY)).is_err());
    let artifact = Artifact::from_bytes(b"file");
    let key = VerifyingKey::from(&*NOBODY);
    let nobody = Identity {
        issuer: "https://issuer.test".to_owned(),
        subject: "nobody".to_owned(),
    };
    for expected in [Expected::Key(&key), Expected::Identity(&nobody)] {
        for evidence in [Evidence::KeyAlone, Evidence::Timestamp] {
            assert!(verify_artifact(&artifact, bytes, expected, &ROOT, evidence).is_err());
        }
    }
});
