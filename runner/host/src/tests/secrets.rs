//! Resolving, operating, attaching, revealing.

use std::sync::atomic::Ordering;

use super::support::*;
use crate::bindings::{http, http_credentials, reveal, secrets};
use crate::{AuditEvent, SecretError, resolve};
use wharf_policy::Rung;
use wharf_stores::Presence;

fn granted(from: &str, rungs: &str) -> String {
    format!(
        "[[secret]]\nname='api'\nfrom='{from}'\nto=[{{origin='http://h'}}]\noperations=['hmac']\n{}",
        open_grant(&format!("secrets=[{{name='api',rungs=[{rungs}]}}]"))
    )
}

async fn refused(policy: &str, values: &[(&'static str, &'static str)]) -> SecretError {
    match resolve(&rights(policy), &stores(values)).await {
        Err(error) => error,
        Ok(_) => panic!("it was taken"),
    }
}

#[tokio::test]
async fn a_missing_secret_that_is_injected_stops_the_run_and_is_named() {
    for (from, rungs) in [
        ("mem:gone", "'inject'"),
        ("mem:down", "'inject'"),
        ("nostore:x", "'inject'"),
        ("mem:gone", "'inject','operate'"),
        ("mem:down", "'attach','inject'"),
    ] {
        let error = refused(&granted(from, rungs), &[]).await;
        let text = error.to_string();
        assert!(text.contains("secret-unavailable"), "{text}");
        assert!(text.contains("`api`"), "{text}");
        assert!(text.contains(from.split(':').next().unwrap()), "{text}");
    }
}

#[tokio::test]
async fn a_secret_that_is_too_short_to_be_found_is_refused_without_showing_it() {
    let error = refused(&granted("mem:token", "'inject'"), &[("token", "q7x!z")]).await;
    assert!(matches!(error, SecretError::TooShort { .. }));
    assert!(!format!("{error} {error:?}").contains("q7x"));
}

#[tokio::test]
async fn a_secret_that_no_run_could_use_is_not_told_as_present() {
    let policy = wharf_policy::Policy::from_toml(&granted("mem:token", "'inject'")).unwrap();
    let test = async |value| {
        let answer = crate::test(&policy.secrets[0], &stores(&[("token", value)])).await;
        answer.map_err(|error| error.to_string())
    };
    assert_eq!(test("long-enough").await, Ok(Presence::Present));
    assert!(test("short").await.unwrap_err().contains("shorter than 6"));
    assert!(test("long\nenough").await.unwrap_err().contains("line end"));
    let gone = crate::test(&policy.secrets[0], &stores(&[])).await;
    assert_eq!(gone.unwrap(), Presence::Absent);
}

#[tokio::test]
async fn a_secret_with_a_line_end_cannot_be_a_header() {
    let error = refused(
        &granted("mem:token", "'inject'"),
        &[("token", "abc\r\nx-evil: 1")],
    )
    .await;
    assert!(matches!(error, SecretError::NotAHeader { .. }));
    assert!(!format!("{error} {error:?}").contains("evil"));
}

#[tokio::test]
async fn missing_secrets_of_other_rungs_are_told_to_the_plugin() {
    for (from, found) in [("mem:gone", true), ("mem:down", false)] {
        let mut run = bound(
            &rights(&granted(from, "'operate','reveal','attach'")),
            &stores(&[]),
        )
        .await;
        let secret = secrets::HostSecret::open(&mut run.state, "api".into()).unwrap();
        let shown = reveal::Host::reveal(&mut run.state, "api".into())
            .await
            .unwrap();
        let credential =
            http_credentials::HostCredential::open(&mut run.state, "api".into()).unwrap();
        if found {
            assert!(matches!(secret, Err(secrets::SecretError::NotFound)));
            assert!(matches!(shown, Err(reveal::RevealError::NotFound)));
            assert!(matches!(
                credential,
                Err(http_credentials::CredentialError::NotFound)
            ));
        } else {
            assert!(matches!(secret, Err(secrets::SecretError::Unavailable)));
            assert!(matches!(shown, Err(reveal::RevealError::Unavailable)));
            assert!(matches!(
                credential,
                Err(http_credentials::CredentialError::Unavailable)
            ));
        }
    }
}

#[tokio::test]
async fn each_rung_is_granted_by_itself() {
    let mut run = bound_to(&granted("mem:token", "'inject'")).await;
    assert!(matches!(
        secrets::HostSecret::open(&mut run.state, "api".into()).unwrap(),
        Err(secrets::SecretError::Denied)
    ));
    assert!(matches!(
        reveal::Host::reveal(&mut run.state, "api".into())
            .await
            .unwrap(),
        Err(reveal::RevealError::Denied)
    ));
    assert!(matches!(
        http_credentials::HostCredential::open(&mut run.state, "api".into()).unwrap(),
        Err(http_credentials::CredentialError::Denied)
    ));
    assert!(matches!(
        reveal::Host::reveal(&mut run.state, "no-such".into())
            .await
            .unwrap(),
        Err(reveal::RevealError::Denied)
    ));
}

#[tokio::test]
async fn the_host_computes_hmac_with_every_digest() {
    // RFC 4231, test case 2, whose key `Jefe` is too short for us; test case 3 has 20 × 0xaa,
    // which no text store holds. So: computed with OpenSSL for the key `Jefe-and-much-more`.
    let mut run = bound(
        &rights(&granted("mem:token", "'operate'")),
        &stores(&[("token", "Jefe-and-much-more")]),
    )
    .await;
    let message = b"what do ya want for nothing?";
    for (algorithm, expected) in [
        (secrets::DigestAlgorithm::Sha256, HMAC_256),
        (secrets::DigestAlgorithm::Sha384, HMAC_384),
        (secrets::DigestAlgorithm::Sha512, HMAC_512),
    ] {
        let handle = secrets::HostSecret::open(&mut run.state, "api".into())
            .unwrap()
            .unwrap();
        let mac = secrets::HostSecret::hmac(&mut run.state, handle, algorithm, message.to_vec());
        assert_eq!(hex::encode(mac.unwrap().unwrap()), expected);
    }
    let audit = run.events.audit.lock().unwrap().clone();
    let secret: wharf_policy::SecretName = "api".parse().unwrap();
    let opened = AuditEvent::SecretOpened {
        secret: secret.clone(),
        rung: Rung::Operate,
    };
    let computed = AuditEvent::SecretOperated {
        secret,
        rung: Rung::Operate,
        operation: wharf_policy::Operation::Hmac,
    };
    // It is opened once, and told each time that something is computed.
    assert_eq!(
        audit,
        [opened, computed.clone(), computed.clone(), computed]
    );
}

const HMAC_256: &str = "e7e7b51938c4ec2ab2266061521926f2f202e16df182e306eab929228f057f9d";
const HMAC_384: &str = "50d9543e9ba40ff4fc3a2224776f15ffda646c2655a9910ccdc25d85f08ed14b60bf46fada7e9557f68c56668aa3a9ed";
const HMAC_512: &str = "60270a5b663c6eb4a6c1e2fef7157a301fb77ba58306946f4b48e3f6253874de7a0e430743ccdff4b2cfdb5331272069bf5585069da2abad5916b36664aaf6f2";

#[tokio::test]
async fn a_revealed_secret_is_audited_each_time() {
    let mut run = bound_to(&granted("mem:token", "'reveal'")).await;
    for _ in 0..2 {
        let shown = reveal::Host::reveal(&mut run.state, "api".into())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(shown, TOKEN.as_bytes());
    }
    assert_eq!(run.events.audit.lock().unwrap().len(), 2);
    assert_eq!(run.events.synced.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_attached_credential_goes_only_where_its_binding_says() {
    let server = Server::echo().await;
    let origin = server.url("");
    let mut run = bound_to(&secret_grant(
        &origin,
        "{ header = { name = 'x-key', prefix = 'v=' } }",
        "attach",
    ))
    .await;
    let state = &mut run.state;
    let open = |state: &mut crate::State| {
        http_credentials::HostCredential::open(state, "api".into())
            .unwrap()
            .unwrap()
    };
    let credential = open(state);
    let response = http_credentials::Host::send(state, get(server.url("/v1/x")), credential)
        .await
        .unwrap()
        .unwrap();
    assert!(server.requests()[0].contains(&format!("x-key: v={TOKEN}\r\n")));
    assert!(!String::from_utf8_lossy(&response.body).contains(TOKEN));

    let credential = open(state);
    let denied = http_credentials::Host::send(state, get(server.url("/other")), credential)
        .await
        .unwrap()
        .unwrap_err();
    let http::HttpError::Denied(why) = denied else {
        panic!("{denied:?}")
    };
    let line = format!(
        "in the [[secret]] block of `api` to = [{{ origin = \"{origin}\", path = \"/other\", methods = [\"GET\"] }}] beside those that it has"
    );
    assert!(why.contains(&line), "{why}");
    assert_eq!(server.requests().len(), 1);

    http::Host::send(state, get(server.url("/v1/x")))
        .await
        .unwrap()
        .unwrap();
    assert!(!server.requests()[1].contains("x-key"));
}
