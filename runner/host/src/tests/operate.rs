//! *Operate*: signatures and tokens that other implementations accept, and what is denied.

use std::io::Write as _;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::support::*;
use crate::State;
use crate::bindings::secrets::{
    DigestAlgorithm, HostSecret, JwtAlgorithm as J, JwtRequest, SecretError,
    SignatureAlgorithm as S,
};

const ED25519: &str = include_str!("keys/ed25519.pem");
const P256: &str = include_str!("keys/p256.pem");
const P256_EXPLAINED: &str = concat!("Bag Attributes\n", include_str!("keys/p256.pem"));
const P256_SEC1: &str = include_str!("keys/p256-sec1.pem");
const P256_ENCRYPTED: &str = include_str!("keys/encrypted.pem");
const P384: &str = include_str!("keys/p384.pem");
const RSA: &str = include_str!("keys/rsa.pem");
const RSA_PKCS1: &str = include_str!("keys/rsa-pkcs1.pem");
const RSA_1024: &str = include_str!("keys/rsa-1024.pem");
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBhTCCASugAwIBAgIQIRi6zePL6mKjOipn+dNuaTAKBggqhkjOPQQDAjASMRAw\n-----END CERTIFICATE-----\n";
const LEGACY: &str = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIBhTCC\n-----END RSA PRIVATE KEY-----\n";
const SHARED: &str = "a shared key of more than sixty-four bytes, as HS512 wants it to be.";

const MESSAGE: &[u8] = b"what the plugin wants signed";

/// A state with one key, and these lines in its binding.
async fn with_key(key: &'static str, lines: &str) -> Bound {
    let policy = format!(
        "[[secret]]\nname = 'key'\nfrom = 'mem:key'\n{lines}\n{}",
        open_grant("secrets = [{ name = 'key', rungs = ['operate'] }]")
    );
    bound(&rights(&policy), &stores(&[("key", key)])).await
}

fn sign(state: &mut State, algorithm: S) -> Result<Vec<u8>, SecretError> {
    let key = state.open("key".into()).unwrap().unwrap();
    HostSecret::sign(state, key, algorithm, MESSAGE.to_vec()).unwrap()
}

fn claims(claims: Value) -> JwtRequest {
    JwtRequest {
        claims: claims.to_string(),
        algorithm: None,
        key_id: None,
        lifetime: None,
    }
}

fn jwt(state: &mut State, request: JwtRequest) -> Result<String, SecretError> {
    let key = state.open("key".into()).unwrap().unwrap();
    HostSecret::jwt(state, key, request).unwrap()
}

fn folder() -> String {
    format!("{}/src/tests/keys", env!("CARGO_MANIFEST_DIR"))
}

/// Runs OpenSSL on two files, and gives what it printed if it is content.
fn openssl(args: &[&str], files: [(&str, &[u8]); 2]) -> Option<Vec<u8>> {
    let mut command = Command::new("openssl");
    command.args(args);
    let kept = files.map(|(option, content)| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        if !option.is_empty() {
            command.arg(option);
        }
        command.arg(file.path());
        file
    });
    let output = command
        .output()
        .expect("this test needs the command `openssl`");
    drop(kept);
    output.status.success().then_some(output.stdout)
}

/// Whether OpenSSL takes a signature of a message.
fn openssl_verifies(key: &str, options: &[&str], message: &[u8], signature: &[u8]) -> bool {
    let key = format!("{}/{key}.pub", folder());
    let mut args = vec!["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", &key];
    args.extend(options);
    openssl(&args, [("-sigfile", signature), ("-in", message)]).is_some()
}

/// The options of OpenSSL for RSA with PSS padding.
fn pss(digest: &str) -> Vec<&str> {
    let padding = "rsa_padding_mode:pss";
    let salt = "rsa_pss_saltlen:digest";
    vec!["-digest", digest, "-pkeyopt", padding, "-pkeyopt", salt]
}

/// An ECDSA signature of JOSE as OpenSSL wants it: two numbers in ASN.1 DER.
fn as_der(fixed: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let mut number = bytes[zeros..].to_vec();
        if number.first().is_none_or(|first| *first > 0x7f) {
            number.insert(0, 0);
        }
        [&[2, u8::try_from(number.len()).unwrap()], number.as_slice()].concat()
    };
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let both = [number(r), number(s)].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()], both.as_slice()].concat()
}

#[tokio::test]
async fn openssl_accepts_what_the_host_signs_with_every_algorithm() {
    let cases: [(&str, &'static str, S, Vec<&str>); 13] = [
        ("ed25519", ED25519, S::Ed25519, vec![]),
        ("p256", P256, S::EcdsaP256Sha256, vec!["-digest", "sha256"]),
        (
            "p256",
            P256_SEC1,
            S::EcdsaP256Sha256,
            vec!["-digest", "sha256"],
        ),
        ("p384", P384, S::EcdsaP384Sha384, vec!["-digest", "sha384"]),
        (
            "p256",
            P256_EXPLAINED,
            S::EcdsaP256Sha256,
            vec!["-digest", "sha256"],
        ),
        ("rsa", RSA, S::RsaPkcs1Sha256, vec!["-digest", "sha256"]),
        ("rsa", RSA, S::RsaPkcs1Sha384, vec!["-digest", "sha384"]),
        ("rsa", RSA, S::RsaPkcs1Sha512, vec!["-digest", "sha512"]),
        (
            "rsa",
            RSA_PKCS1,
            S::RsaPkcs1Sha256,
            vec!["-digest", "sha256"],
        ),
        ("rsa", RSA, S::RsaPssSha256, pss("sha256")),
        ("rsa", RSA, S::RsaPssSha384, pss("sha384")),
        ("rsa", RSA, S::RsaPssSha512, pss("sha512")),
        ("rsa", RSA_PKCS1, S::RsaPssSha256, pss("sha256")),
    ];
    for (public, key, algorithm, options) in cases {
        let mut run = with_key(key, "operations = ['sign']").await;
        let mut signature = sign(&mut run.state, algorithm).unwrap();
        assert!(
            openssl_verifies(public, &options, MESSAGE, &signature),
            "{algorithm:?}"
        );
        signature[10] ^= 1;
        assert!(
            !openssl_verifies(public, &options, MESSAGE, &signature),
            "{algorithm:?}"
        );
    }
}

#[tokio::test]
async fn a_key_in_der_is_read_as_well() {
    let policy = rights(&format!(
        "[[secret]]\nname = 'key'\nfrom = 'file:key.der'\noperations = ['sign']\n{}",
        open_grant("secrets = [{ name = 'key', rungs = ['operate'] }]")
    ));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.der");
    std::fs::write(&path, include_bytes!("keys/p256.der")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let stores = wharf_stores::Stores::none().with(
        "file",
        std::sync::Arc::new(wharf_stores::FileStore::below(folder.path())),
    );
    let mut run = bound(&policy, &stores).await;
    let signature = sign(&mut run.state, S::EcdsaP256Sha256).unwrap();
    assert!(openssl_verifies(
        "p256",
        &["-digest", "sha256"],
        MESSAGE,
        &signature
    ));
}

#[tokio::test]
async fn a_key_of_another_kind_is_refused_without_showing_it() {
    for (key, algorithm, says) in [
        (P256, S::EcdsaP384Sha384, "an ECDSA P-384"),
        (P384, S::EcdsaP256Sha256Fixed, "an ECDSA P-256"),
        (ED25519, S::RsaPssSha256, "an RSA"),
        (RSA, S::Ed25519, "an Ed25519"),
        (RSA_1024, S::RsaPkcs1Sha256, "2048"),
        (P256_ENCRYPTED, S::EcdsaP256Sha256, "passphrase"),
        (LEGACY, S::RsaPkcs1Sha256, "passphrase"),
        (SHARED, S::EcdsaP256Sha256, "an ECDSA P-256"),
    ] {
        let mut run = with_key(key, "operations = ['sign']").await;
        let error = sign(&mut run.state, algorithm).unwrap_err();
        let SecretError::Invalid(why) = error else {
            panic!("{error:?}")
        };
        assert!(why.contains(says), "{why}");
        let line = key.lines().nth(1).unwrap_or(key);
        assert!(!why.contains(line), "{why}");
    }
}

/// The parts of a token: header, claims, what is signed, and the signature.
fn parts(token: &str) -> (Value, Value, String, Vec<u8>) {
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let json = |part| serde_json::from_slice(&decoded(part)).unwrap();
    (
        json(header),
        json(claims),
        message.to_owned(),
        decoded(signature),
    )
}

#[tokio::test]
async fn openssl_accepts_tokens_of_every_algorithm() {
    type Case = (
        &'static str,
        &'static str,
        Option<J>,
        &'static str,
        Vec<&'static str>,
    );
    let cases: [Case; 12] = [
        ("rsa", RSA, None, "RS256", vec!["-digest", "sha256"]),
        (
            "rsa",
            RSA,
            Some(J::Rs384),
            "RS384",
            vec!["-digest", "sha384"],
        ),
        (
            "rsa",
            RSA,
            Some(J::Rs512),
            "RS512",
            vec!["-digest", "sha512"],
        ),
        ("rsa", RSA, Some(J::Ps256), "PS256", pss("sha256")),
        ("rsa", RSA, Some(J::Ps384), "PS384", pss("sha384")),
        ("rsa", RSA_PKCS1, Some(J::Ps512), "PS512", pss("sha512")),
        ("p256", P256, None, "ES256", vec!["-digest", "sha256"]),
        (
            "p256",
            P256_SEC1,
            Some(J::Es256),
            "ES256",
            vec!["-digest", "sha256"],
        ),
        ("p384", P384, None, "ES384", vec!["-digest", "sha384"]),
        (
            "p384",
            P384,
            Some(J::Es384),
            "ES384",
            vec!["-digest", "sha384"],
        ),
        ("ed25519", ED25519, None, "EdDSA", vec![]),
        ("ed25519", ED25519, Some(J::Eddsa), "EdDSA", vec![]),
    ];
    for (public, key, algorithm, name, options) in cases {
        let mut run = with_key(key, "operations = ['jwt']").await;
        let request = JwtRequest {
            algorithm,
            key_id: Some("k1".to_owned()),
            lifetime: Some(60),
            ..claims(json!({ "iss": "me", "n": 1 }))
        };
        let token = jwt(&mut run.state, request).unwrap();
        let (header, claims, message, mut signature) = parts(&token);
        assert_eq!(header, json!({ "alg": name, "typ": "JWT", "kid": "k1" }));
        assert_eq!((&claims["iss"], &claims["n"]), (&json!("me"), &json!(1)));
        let times = ["iat", "exp"].map(|name| claims[name].as_u64().unwrap());
        assert_eq!(times[1] - times[0], 60);
        if name.starts_with("ES") {
            signature = as_der(&signature);
        }
        assert!(
            openssl_verifies(public, &options, message.as_bytes(), &signature),
            "{name}"
        );
        assert!(
            !openssl_verifies(public, &options, b"other", &signature),
            "{name}"
        );
    }
}

#[tokio::test]
async fn openssl_computes_the_same_for_tokens_of_a_shared_key() {
    for (algorithm, digest, name) in [
        (None, "-sha256", "HS256"),
        (Some(J::Hs384), "-sha384", "HS384"),
        (Some(J::Hs512), "-sha512", "HS512"),
    ] {
        let mut run = with_key(SHARED, "operations = ['jwt']").await;
        let request = JwtRequest {
            algorithm,
            ..claims(json!({ "sub": "s" }))
        };
        let (header, _, message, signature) = parts(&jwt(&mut run.state, request).unwrap());
        assert_eq!(header["alg"], name);
        let key = format!("key:{SHARED}");
        let args = ["dgst", digest, "-mac", "HMAC", "-macopt", &key, "-binary"];
        let mac = openssl(&args, [("", message.as_bytes()), ("", b"")]);
        // It prints one code for each file; the second is empty.
        assert_eq!(mac.unwrap()[..signature.len()], signature, "{name}");
    }
}

#[tokio::test]
async fn what_the_operator_fixed_about_tokens_stands() {
    let lines = "operations = ['jwt']\njwt = { algorithm = 'ES256', kid = '7', iss = 'app', aud = 'api', lifetime = '1m' }";
    let mut run = with_key(P256, lines).await;
    let token = jwt(&mut run.state, claims(json!({ "sub": "s" }))).unwrap();
    let (header, made, ..) = parts(&token);
    assert_eq!(header, json!({ "alg": "ES256", "typ": "JWT", "kid": "7" }));
    assert_eq!(made["iss"], "app");
    assert_eq!(made["aud"], "api");
    assert_eq!(made["sub"], "s");

    for (request, denied) in [
        (claims(json!({ "iss": "other" })), true),
        (claims(json!({ "aud": ["api", "more"] })), true),
        (
            JwtRequest {
                key_id: Some("8".into()),
                ..claims(json!({}))
            },
            true,
        ),
        (
            JwtRequest {
                algorithm: Some(J::Hs256),
                ..claims(json!({}))
            },
            true,
        ),
        (claims(json!({ "exp": 4_000_000_000_u64 })), false),
        (claims(json!({ "iat": 0 })), false),
        (
            JwtRequest {
                lifetime: Some(61),
                ..claims(json!({}))
            },
            true,
        ),
        (claims(json!({ "ISS": "other" })), false),
        (
            JwtRequest {
                lifetime: Some(0),
                ..claims(json!({}))
            },
            false,
        ),
        (
            JwtRequest {
                claims: "[]".into(),
                ..claims(json!({}))
            },
            false,
        ),
        (
            JwtRequest {
                claims: "{\"a\":1}{\"iss\":\"x\"}".into(),
                ..claims(json!({}))
            },
            false,
        ),
    ] {
        let error = jwt(&mut run.state, request.clone()).unwrap_err();
        match error {
            SecretError::Denied => assert!(denied, "{request:?}"),
            SecretError::Invalid(_) => assert!(!denied, "{request:?}"),
            other => panic!("{other:?}"),
        }
    }
    for said in ["`iss`", "`lifetime = \"61s\"`"] {
        assert!(run.events.messages().iter().any(|m| m.contains(said)));
    }
}

#[tokio::test]
async fn a_claim_that_is_there_twice_does_not_slip_past_what_is_fixed() {
    let lines = "operations = ['jwt']\njwt = { iss = 'app' }";
    let mut run = with_key(P256, lines).await;
    let twice = JwtRequest {
        claims: r#"{"iss":"admin","iss":"app"}"#.into(),
        ..claims(json!({}))
    };
    let token = jwt(&mut run.state, twice).unwrap();
    assert_eq!(parts(&token).1["iss"], "app");
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap());
    assert!(
        !String::from_utf8(payload.unwrap())
            .unwrap()
            .contains("admin")
    );
}

#[tokio::test]
async fn a_key_that_could_be_found_by_trying_makes_no_mac_and_the_plugin_is_told_what_to_do() {
    for (key, long_enough) in [("fifteen bytes !", false), ("sixteen bytes in", true)] {
        let mut run = with_key(key, "operations = ['hmac']").await;
        let handle = run.state.open("key".into()).unwrap().unwrap();
        let mac = HostSecret::hmac(&mut run.state, handle, DigestAlgorithm::Sha256, vec![7]);
        let mac = mac.unwrap();
        let Err(error) = mac else {
            assert!(long_enough);
            continue;
        };
        let SecretError::Invalid(why) = error else {
            panic!("{error:?}")
        };
        assert!(!long_enough && why.contains("at least 16 bytes"), "{why}");
        assert!(
            why.contains("store a longer one") && !why.contains("fifteen"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn keys_are_not_used_for_tokens_that_they_are_too_weak_for() {
    for (key, algorithm) in [
        ("only sixteen byt", None),
        (
            "forty-seven bytes are too few for HS384, really",
            Some(J::Hs384),
        ),
        (P256, Some(J::Hs256)),
        // Those of which no kind of key is made here sign no tokens, and least of all as a text.
        (P256_ENCRYPTED, None),
        (RSA_1024, None),
        (P256_EXPLAINED, Some(J::Hs256)),
        (CERTIFICATE, None),
        (CERTIFICATE, Some(J::Hs512)),
    ] {
        let mut run = with_key(key, "operations = ['jwt']").await;
        let request = JwtRequest {
            algorithm,
            ..claims(json!({}))
        };
        let error = jwt(&mut run.state, request).unwrap_err();
        assert!(matches!(error, SecretError::Invalid(_)), "{error:?}");
    }
}

#[tokio::test]
async fn an_operation_that_is_not_listed_is_denied_and_the_log_says_what_would_allow_it() {
    let mut run = with_key(P256, "operations = ['hmac']").await;
    let state = &mut run.state;
    assert!(matches!(
        sign(state, S::EcdsaP256Sha256),
        Err(SecretError::Denied)
    ));
    assert!(matches!(
        jwt(state, claims(json!({}))),
        Err(SecretError::Denied)
    ));
    let key = state.open("key".into()).unwrap().unwrap();
    let mac = HostSecret::hmac(state, key, DigestAlgorithm::Sha256, b"m".to_vec()).unwrap();
    assert!(mac.is_ok());
    let said = run.events.messages();
    assert!(
        said[0].contains("operations = [\"hmac\", \"sign\"]"),
        "{said:?}"
    );
    assert!(
        said[1].contains("operations = [\"hmac\", \"jwt\"]"),
        "{said:?}"
    );

    let mut run = with_key(P256, "").await;
    let key = run.state.open("key".into()).unwrap().unwrap();
    let mac = HostSecret::hmac(&mut run.state, key, DigestAlgorithm::Sha256, b"m".to_vec());
    assert!(matches!(mac.unwrap(), Err(SecretError::Denied)));
}

#[tokio::test]
async fn a_handle_is_dead_when_the_run_is_over() {
    let mut run = with_key(P256, "operations = ['hmac', 'sign', 'jwt']").await;
    let state = &mut run.state;
    let handles: Vec<_> = (0..3)
        .map(|_| state.open("key".into()).unwrap().unwrap())
        .collect();
    state.take();
    let [one, two, three] = handles.try_into().unwrap();
    let mac = HostSecret::hmac(state, one, DigestAlgorithm::Sha256, b"m".to_vec()).unwrap();
    assert!(matches!(mac, Err(SecretError::Denied)));
    let signature = HostSecret::sign(state, two, S::EcdsaP256Sha256, b"m".to_vec()).unwrap();
    assert!(matches!(signature, Err(SecretError::Denied)));
    let token = HostSecret::jwt(state, three, claims(json!({}))).unwrap();
    assert!(matches!(token, Err(SecretError::Denied)));
    assert!(matches!(
        state.open("key".into()).unwrap(),
        Err(SecretError::Denied)
    ));
}
