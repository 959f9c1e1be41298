//! Whatever is offered as an in-toto statement, in an envelope of a bundle that is well formed
//! otherwise: it never panics, and never verifies under a key that signed nothing.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use wharf_bundle::SigningKey;
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, TrustRoot, VerifyingKey, verify_artifact,
};

static NOBODY: LazyLock<VerifyingKey> =
    LazyLock::new(|| VerifyingKey::from(SigningKey::generate().expect("a key").public()));
static ROOT: LazyLock<TrustRoot> = LazyLock::new(|| TrustRoot::public_good().expect("a root"));

fuzz_target!(|payload: &[u8]| {
    let bundle = format!(
        r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{{"publicKey":{{}}}},"dsseEnvelope":{{"payload":"{}","payloadType":"application/vnd.in-toto+json","signatures":[{{"sig":"AAAA"}}]}}}}"#,
        STANDARD.encode(payload)
    );
    let artifact = Artifact::from_bytes(b"file");
    let expected = Expected::Key(&NOBODY);
    let answer = verify_artifact(&artifact, bundle.as_bytes(), expected, &ROOT, Evidence::KeyAlone);
    assert!(answer.is_err());
});
