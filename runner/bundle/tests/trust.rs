//! The trust policy: who passes, who does not, and in which order it is said.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{TRUST_ALL, component, key, plugin, stranger, trust};
use proptest::prelude::*;
use wharf_bundle::{
    BundleError, KeyError, Refusal, SigningKey, TrustError, TrustPolicy, Verified, digest, sign,
};
use wharf_policy::Policy;

fn verify(policy: &str, bytes: &[u8], key: &SigningKey) -> Result<Verified, Refusal> {
    trust(policy).verify(bytes.into(), Some(&sign(bytes, key).unwrap()))
}

#[test]
fn a_plugin_signed_by_a_trusted_key_is_verified_and_is_the_same_buffer() {
    let bytes: Arc<[u8]> = plugin("acme/http", "1.2.3").into();
    let signature = sign(&bytes, key()).unwrap();
    let policy = "[[trust]]\nplugins = ['acme/*']\nkeys = ['theirs.pub', 'ours.pub']\n\
                  [[trust]]\nplugins = ['acme/http']\nkeys = ['ours-too.pub', 'ours.pub']";
    let verified = trust(policy)
        .verify(Arc::clone(&bytes), Some(&signature))
        .unwrap();
    assert!(Arc::ptr_eq(verified.bytes(), &bytes));
    assert_eq!(verified.digest(), digest(&bytes));
    assert_eq!(verified.manifest().name.as_str(), "acme/http");
    let paths: Vec<_> = verified.signers().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(paths, ["ours.pub", "ours-too.pub"]);
    let who = wharf_bundle::sigstore::Signer::Key(key().public().fingerprint());
    assert_eq!(verified.signers()[0].who, who);
}

#[test]
fn without_a_signature_nothing_passes() {
    let bytes: Arc<[u8]> = plugin("p", "1.0.0").into();
    let refusal = trust(TRUST_ALL)
        .verify(Arc::clone(&bytes), None)
        .unwrap_err();
    assert_eq!(refusal, Refusal::Unsigned);
    let refusal = trust(TRUST_ALL).verify(bytes, Some(b"")).unwrap_err();
    assert!(matches!(refusal, Refusal::MalformedSignature(_)));
}

#[test]
fn bytes_that_were_changed_are_told_as_changed_also_where_the_signature_was_changed_with_them() {
    let bytes = plugin("p", "1.0.0");
    let signature = sign(&bytes, key()).unwrap();
    let changed = plugin("p", "1.0.1");
    let verify = |signature: &[u8]| {
        let verified = trust(TRUST_ALL).verify(changed.clone().into(), Some(signature));
        verified.unwrap_err()
    };
    let refusal = verify(&signature);
    assert!(matches!(refusal, Refusal::Tampered { .. }), "{refusal}");

    let mut claimed: serde_json::Value = serde_json::from_slice(&signature).unwrap();
    claimed["messageSignature"]["messageDigest"]["digest"] =
        STANDARD.encode(digest(&changed).as_bytes()).into();
    let key = "ours.pub".to_owned();
    assert_eq!(
        verify(claimed.to_string().as_bytes()),
        Refusal::Altered { key }
    );
}

#[test]
fn an_empty_policy_trusts_nobody() {
    let bytes = plugin("p", "1.0.0");
    assert_eq!(verify("", &bytes, key()).unwrap_err(), Refusal::NoTrust);
    let refusal = TrustPolicy::default()
        .verify(bytes.clone().into(), Some(&sign(&bytes, key()).unwrap()))
        .unwrap_err();
    assert_eq!(refusal, Refusal::NoTrust);
}

#[test]
fn a_stranger_is_refused() {
    let bytes = plugin("p", "1.0.0");
    let refusal = verify(TRUST_ALL, &bytes, stranger()).unwrap_err();
    assert!(
        matches!(refusal, Refusal::UnknownSigner { .. }),
        "{refusal}"
    );
}

#[test]
fn a_key_is_trusted_only_for_the_names_of_its_rules() {
    let policy = "[[trust]]\nplugins = ['acme/*']\nkeys = ['ours.pub']\n\
                  [[trust]]\nplugins = ['other/*']\nkeys = ['theirs.pub']";
    verify(policy, &plugin("acme/a", "1.0.0"), key()).unwrap();
    verify(policy, &plugin("other/a", "1.0.0"), stranger()).unwrap();
    for (name, key) in [("other/a", key()), ("acme/a", stranger()), ("acme", key())] {
        let refusal = verify(policy, &plugin(name, "1.0.0"), key).unwrap_err();
        assert!(
            matches!(refusal, Refusal::NotTrustedForName { .. }),
            "{name}: {refusal}"
        );
        assert!(refusal.to_string().contains(name), "{refusal}");
    }
}

#[test]
fn a_version_below_the_minimum_of_any_rule_for_the_name_is_too_old() {
    let policy = format!(
        "{TRUST_ALL}\n[[trust]]\nplugins = ['p']\nkeys = ['theirs.pub']\nminimum-version = '1.1.0'"
    );
    for old in ["1.0.9", "1.1.0-rc.1", "1.0.9+build.9"] {
        let refusal = verify(&policy, &plugin("p", old), key()).unwrap_err();
        assert!(matches!(refusal, Refusal::TooOld { .. }), "{refusal}");
        assert!(refusal.to_string().contains("1.1.0"), "{refusal}");
    }
    for new in ["1.1.0", "1.1.0+build.1", "2.0.0"] {
        verify(&policy, &plugin("p", new), key()).unwrap();
    }
    verify(&policy, &plugin("q", "0.1.0"), key()).unwrap();
}

#[test]
fn a_denied_digest_is_refused_whatever_its_name_and_signer() {
    let bytes = plugin("p", "1.0.0");
    let policy = format!(
        "{TRUST_ALL}\n[[trust]]\nplugins = ['unrelated']\nkeys = ['theirs.pub']\ndenied-digests = ['{}']",
        digest(&bytes)
    );
    assert_eq!(
        verify(&policy, &bytes, key()).unwrap_err(),
        Refusal::DeniedDigest(digest(&bytes))
    );
    verify(&policy, &plugin("p", "1.0.1"), key()).unwrap();
}

#[test]
fn what_is_signed_but_is_no_plugin_is_refused() {
    for (bytes, why) in [
        (component(&[], &[common::ACTIONS]), BundleError::NoManifest),
        (
            wasm_encoder::Module::new().finish(),
            BundleError::CoreModule,
        ),
        (b"a letter".to_vec(), BundleError::NotWasm),
    ] {
        assert_eq!(
            verify(TRUST_ALL, &bytes, key()).unwrap_err(),
            Refusal::BadManifest(why)
        );
    }
}

#[test]
fn the_manifest_of_what_nobody_signed_is_not_read() {
    // Not WebAssembly at all: had it been looked at, that would be the complaint.
    let refusal = verify(TRUST_ALL, b"a letter", stranger()).unwrap_err();
    assert!(
        matches!(refusal, Refusal::UnknownSigner { .. }),
        "{refusal}"
    );
}

#[test]
fn the_signature_of_another_version_does_not_fit() {
    let old = plugin("p", "1.0.0");
    let new = plugin("p", "1.0.1");
    let refusal = trust(TRUST_ALL)
        .verify(new.into(), Some(&sign(&old, key()).unwrap()))
        .unwrap_err();
    assert!(matches!(refusal, Refusal::Tampered { .. }), "{refusal}");
}

#[test]
fn a_policy_with_a_key_that_cannot_be_read_is_not_usable() {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::from_toml("[[trust]]\nplugins = ['p']\nkeys = ['keys/a.pub']").unwrap();
    let missing = TrustPolicy::load(&policy, folder.path()).unwrap_err();
    assert!(missing.to_string().contains("keys/a.pub"), "{missing}");

    std::fs::create_dir(folder.path().join("keys")).unwrap();
    let path = folder.path().join("keys/a.pub");
    std::fs::write(&path, "not a key").unwrap();
    let bad = TrustPolicy::load(&policy, folder.path()).unwrap_err();
    assert!(
        matches!(
            bad,
            TrustError::Key {
                why: KeyError::NotAPublicKey(_),
                ..
            }
        ),
        "{bad}"
    );

    std::fs::write(&path, key().public().to_pem()).unwrap();
    let bytes = plugin("p", "1.0.0");
    TrustPolicy::load(&policy, folder.path())
        .unwrap()
        .verify(bytes.clone().into(), Some(&sign(&bytes, key()).unwrap()))
        .unwrap();
}

#[test]
fn a_rule_without_signers_or_plugins_is_an_error() {
    for (text, error) in [
        (
            "[[trust]]\nplugins = ['p']\nkeys = []",
            TrustError::NoSigners("p".to_owned()),
        ),
        (
            "[[trust]]\nplugins = []\nkeys = ['a.pub']",
            TrustError::NoPlugins,
        ),
    ] {
        let policy = Policy::from_toml(text).unwrap();
        assert_eq!(TrustPolicy::load(&policy, "".as_ref()).unwrap_err(), error);
    }
}

#[test]
fn every_changed_byte_and_every_truncation_of_a_signed_plugin_is_refused() {
    let bytes = plugin("p", "1.0.0");
    let signature = sign(&bytes, key()).unwrap();
    let trust = trust(TRUST_ALL);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x01;
        let refusal = trust.verify(changed.into(), Some(&signature)).unwrap_err();
        assert!(matches!(refusal, Refusal::Tampered { .. }), "{refusal}");
        let cut = trust.verify(bytes[..at].into(), Some(&signature));
        assert!(cut.is_err(), "cut at {at}");
    }
}

proptest! {
    #[test]
    fn no_change_of_the_component_passes(
        at in any::<prop::sample::Index>(),
        insert in any::<bool>(),
        byte in any::<u8>(),
    ) {
        let bytes = plugin("p", "1.0.0");
        let signature = sign(&bytes, key()).unwrap();
        let mut changed = bytes.clone();
        let at = at.index(bytes.len());
        if insert { changed.insert(at, byte) } else { changed[at] = byte }
        prop_assume!(changed != bytes);
        prop_assert!(trust(TRUST_ALL).verify(changed.into(), Some(&signature)).is_err());
    }
}
