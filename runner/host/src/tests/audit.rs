//! What the auditor is told, and what does not happen when it cannot be told.

use std::sync::atomic::Ordering;

use wasmtime::component::Resource;
use wharf_policy::{Operation, Rung};

use wharf_stores::Stores;

use super::support::{
    Bound, Names, Server, TOKEN, bind_with, bound_to, get, open_grant, reply, rights, secret_grant,
};
use crate::bindings::{http, http_credentials, reveal, secrets};
use crate::{AuditEvent, SecretUse, ServicesConfig};

const ALL_RUNGS: &str = "'inject', 'attach', 'operate', 'reveal'";

/// Bound to a secret on every rung, with no room left in the audit record.
async fn without_room(origin: &str) -> Bound {
    let policy = secret_grant(origin, "'bearer'", "inject").replace("'inject'", ALL_RUNGS);
    let run = bound_to(&policy).await;
    run.events.full.store(true, Ordering::SeqCst);
    run
}

fn told(run: &Bound) -> Vec<AuditEvent> {
    run.events.audit.lock().unwrap().clone()
}

#[tokio::test]
async fn nothing_leaves_and_no_secret_is_used_while_the_audit_cannot_be_written() {
    let server = Server::echo().await;
    let mut run = without_room(&server.url("")).await;
    let state = &mut run.state;
    let sent = http::Host::send(state, get(server.url("/v1/x"))).await;
    assert!(
        matches!(sent.unwrap(), Err(http::HttpError::Denied(why)) if why.contains("audit record")),
    );
    let opened = secrets::HostSecret::open(state, "api".into()).unwrap();
    assert!(matches!(opened, Err(secrets::SecretError::Unavailable)));
    let opened = http_credentials::HostCredential::open(state, "api".into()).unwrap();
    assert!(matches!(
        opened,
        Err(http_credentials::CredentialError::Unavailable)
    ));
    let shown = reveal::Host::reveal(state, "api".into()).await.unwrap();
    assert!(matches!(shown, Err(reveal::RevealError::Unavailable)));
    assert!(server.requests().is_empty(), "nothing was sent");

    run.events.full.store(false, Ordering::SeqCst);
    let sent = http::Host::send(&mut run.state, get(server.url("/v1/x"))).await;
    assert_eq!(sent.unwrap().unwrap().status, 200);
}

#[tokio::test]
async fn a_secret_that_is_not_granted_is_refused_without_a_word_and_audited_with_the_line() {
    let mut run = bound_to(&open_grant("")).await;
    for rung in [Rung::Operate, Rung::Reveal] {
        let denied = match rung {
            Rung::Reveal => reveal::Host::reveal(&mut run.state, "api".into())
                .await
                .unwrap()
                .is_err(),
            _ => secrets::HostSecret::open(&mut run.state, "api".into())
                .unwrap()
                .is_err(),
        };
        assert!(denied);
        let last = told(&run).pop();
        let Some(AuditEvent::SecretRefused { secret, why, .. }) = last else {
            panic!("not audited: {last:?}")
        };
        assert_eq!(secret, "api");
        let line = format!("secrets = [{{ name = \"api\", rungs = [\"{rung}\"] }}]");
        assert!(why.contains(&line), "{why}");
        assert!(run.events.messages().last().unwrap().contains(&line));
    }
}

#[tokio::test]
async fn a_secret_that_is_bound_and_not_granted_is_refused_as_one_that_does_not_exist() {
    // `api` is bound, and granted to nobody; of `none` nobody has heard.
    let bound = "[[secret]]\nname = 'api'\nfrom = 'mem:token'\n";
    let mut run = bound_to(&format!("{bound}{}", open_grant(""))).await;
    let mut said = Vec::new();
    for name in ["api", "none"] {
        let state = &mut run.state;
        let opened = secrets::HostSecret::open(state, name.into()).unwrap();
        let attached = http_credentials::HostCredential::open(state, name.into()).unwrap();
        let shown = reveal::Host::reveal(state, name.into()).await.unwrap();
        said.push(format!("{opened:?} {attached:?} {shown:?}"));
        let told = told(&run).split_off(told(&run).len() - 3);
        let refused = |event: &AuditEvent| matches!(event, AuditEvent::SecretRefused { secret, .. } if secret == name);
        assert!(told.iter().all(refused), "{told:?}");
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(said[0].matches("Err(").count(), 3, "{}", said[0]);
}

#[tokio::test]
async fn what_a_plugin_makes_up_reaches_the_audit_scrubbed_and_short() {
    let policy = secret_grant("http://127.0.0.1", "'bearer'", "operate");
    let mut run = bound_to(&policy).await;
    let made_up = format!("{TOKEN}{}", "x".repeat(10_000));
    let _ = secrets::HostSecret::open(&mut run.state, made_up).unwrap();
    let _ = http::Host::send(
        &mut run.state,
        get(format!("https://u:{TOKEN}@h.test/?{TOKEN}")),
    )
    .await;
    let all = run.events.everything();
    assert!(!all.contains(TOKEN), "{all}");
    let told = told(&run);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(matches!(&told[0], AuditEvent::SecretRefused { secret, .. } if secret.len() <= 128));
}

#[tokio::test]
async fn a_flood_of_refusals_is_told_up_to_a_number_and_then_counted() {
    let mut run = bound_to(&open_grant("")).await;
    for number in 0..1_000 {
        let name = format!("guess-{number}");
        let _ = secrets::HostSecret::open(&mut run.state, name).unwrap();
    }
    assert_eq!(told(&run).len(), 256);
    run.state.take();
    assert_eq!(
        told(&run).last(),
        Some(&AuditEvent::RefusalsUntold { count: 744 })
    );
}

#[tokio::test]
async fn a_flood_of_operations_is_told_up_to_a_number_and_then_counted() {
    let grants = secret_grant("http://127.0.0.1", "'bearer'", "operate");
    let mut run = bound_to(&grants).await;
    for _ in 0..1_000 {
        assert!(hmac(&mut run).is_ok());
    }
    run.state.take();
    let told = told(&run);
    let one_by_one = told.iter().filter(|event| {
        matches!(
            event,
            AuditEvent::SecretOperated {
                operation: Operation::Hmac,
                ..
            }
        )
    });
    assert_eq!(one_by_one.count(), 256);
    let untold = |count| AuditEvent::OperationsUntold {
        secret: "api".parse().unwrap(),
        rung: Rung::Operate,
        operation: Operation::Hmac,
        count,
    };
    let numbers = told.len() - 2..;
    assert_eq!(told[numbers], [untold(256), untold(488)]);
}

#[tokio::test]
async fn operations_that_are_only_counted_are_never_more_than_those_that_were_written_down() {
    let grants = secret_grant("http://127.0.0.1", "'bearer'", "operate");
    let mut run = bound_to(&grants).await;
    for _ in 0..256 {
        assert!(hmac(&mut run).is_ok());
    }
    run.events.full.store(true, Ordering::SeqCst);
    let done = (0..1_000).take_while(|_| hmac(&mut run).is_ok()).count();
    assert_eq!(done, 256);
    run.events.full.store(false, Ordering::SeqCst);
    assert!(hmac(&mut run).is_ok());
    let last = told(&run).pop();
    assert!(
        matches!(last, Some(AuditEvent::OperationsUntold { count: 256, .. })),
        "{last:?}"
    );
}

#[tokio::test]
async fn nothing_is_computed_that_cannot_be_audited() {
    let grants = secret_grant("http://127.0.0.1", "'bearer'", "operate");
    let mut run = bound_to(&grants).await;
    assert!(hmac(&mut run).is_ok());
    run.events.full.store(true, Ordering::SeqCst);
    assert!(matches!(
        hmac(&mut run),
        Err(secrets::SecretError::Unavailable)
    ));
}

/// Opens the secret and computes with it.
fn hmac(run: &mut Bound) -> Result<Vec<u8>, secrets::SecretError> {
    let handle = secrets::HostSecret::open(&mut run.state, "api".into()).unwrap()?;
    let borrowed = Resource::new_borrow(handle.rep());
    let algorithm = secrets::DigestAlgorithm::Sha256;
    let mac = secrets::HostSecret::hmac(&mut run.state, borrowed, algorithm, b"m".to_vec());
    secrets::HostSecret::drop(&mut run.state, handle).unwrap();
    mac.unwrap()
}

#[tokio::test]
async fn a_request_says_which_secret_goes_with_it_on_which_rung_and_what_special_address_it_reached()
 {
    let server = Server::echo().await;
    let policy = secret_grant(&server.url(""), "'bearer'", "inject");
    let mut run = bound_to(&policy).await;
    for _ in 0..2 {
        let sent = http::Host::send(&mut run.state, get(server.url("/v1/x?q=1"))).await;
        assert_eq!(sent.unwrap().unwrap().status, 200);
    }
    let request = AuditEvent::Request {
        method: "GET".to_owned(),
        destination: server.url("/v1/x"),
        credentials: vec![SecretUse {
            secret: "api".parse().unwrap(),
            rung: Rung::Inject,
        }],
    };
    let reached = AuditEvent::SpecialAddress {
        origin: server.url(""),
        address: server.address.ip(),
    };
    assert_eq!(told(&run), [request.clone(), reached, request]);
}

#[tokio::test]
async fn a_special_address_is_told_though_nothing_comes_back_from_it() {
    let server = Server::start(|_| vec![]).await;
    for origin in [
        server.url(""),
        server.url("").replace("127.0.0.1", "mute.test"),
    ] {
        let mute = Names([("mute.test", vec![server.address.ip()])].into());
        let (rights, config) = (rights(&open_grant("")), ServicesConfig::default());
        let mut run = bind_with(&rights, &Stores::none(), mute, &config, None).await;
        let mut asked = get(origin.clone() + "/");
        asked.timeout = Some(1000);
        let sent = http::Host::send(&mut run.state, asked).await.unwrap();
        assert!(sent.is_err());
        let address = server.address.ip();
        let reached = AuditEvent::SpecialAddress { origin, address };
        assert_eq!(told(&run).last(), Some(&reached));
    }
}

#[tokio::test]
async fn a_special_address_is_told_though_the_guest_does_not_wait_for_an_answer() {
    let server = Server::start(|_| vec![]).await;
    let mut run = bound_to(&open_grant("")).await;
    let asked = {
        let sent = http::Host::send(&mut run.state, get(server.url("/")));
        let arrived = async {
            while server.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = sent => None,
            () = arrived => Some(()),
        }
    };
    assert!(asked.is_some(), "it was answered");
    let (origin, address) = (server.url(""), server.address.ip());
    let reached = AuditEvent::SpecialAddress { origin, address };
    assert_eq!(told(&run).last(), Some(&reached));
}

/// Why the last thing that was told was refused.
fn refused(run: &Bound) -> String {
    match told(run).pop() {
        Some(AuditEvent::RequestDenied { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whatever_the_host_refuses_of_a_request_is_audited_with_its_reason() {
    let server = Server::start(|request| {
        let headers = if request.starts_with("GET /v1/zip") {
            "content-encoding: gzip\r\n"
        } else {
            ""
        };
        vec![reply(headers, &[b'x'; 5000])]
    })
    .await;
    let limited = |lines: &str| format!("{}\nlimits = {{ {lines} }}", open_grant(""));
    for (limits, key) in [
        ("requests = 0", "requests"),
        ("connections = 0", "connections"),
        ("request-bytes = '1B'", "request-bytes"),
        ("response-bytes = '2KiB'", "response-bytes"),
        ("response = '2KiB'", "response"),
    ] {
        let mut run = bound_to(&limited(limits)).await;
        let sent = http::Host::send(&mut run.state, get(server.url("/"))).await;
        assert!(sent.unwrap().is_err(), "{limits}");
        let line = format!("limits = {{ {key} = ");
        let why = refused(&run);
        assert!(why.contains(&line), "{limits}: {why}");
        assert_eq!(
            told(&run)
                .iter()
                .filter(|event| matches!(event, AuditEvent::RequestDenied { .. }))
                .count(),
            1
        );
    }

    // An answer that cannot be searched, headers that no server takes, and what is no request.
    let policy = secret_grant(&server.url(""), "'bearer'", "inject");
    let mut run = bound_to(&policy).await;
    let sent = http::Host::send(&mut run.state, get(server.url("/v1/zip"))).await;
    assert!(sent.unwrap().is_err());
    assert!(refused(&run).contains("compressed"), "{}", refused(&run));
    let mut long = get(server.url("/v1/x"));
    long.headers = vec![("x".to_owned(), vec![b'x'; 70_000])];
    let sent = http::Host::send(&mut run.state, long).await;
    assert!(sent.unwrap().is_err());
    assert!(refused(&run).contains("longer than"), "{}", refused(&run));
    for character in ["\u{1}", "\u{80}", "\u{800}"] {
        let name = format!("x{}", character.repeat(100_000));
        let told = format!("a name of {} bytes", name.len());
        let mut odd = get(server.url("/v1/x"));
        odd.headers = vec![(name, Vec::new())];
        let sent = http::Host::send(&mut run.state, odd).await;
        assert!(sent.unwrap().is_err());
        assert!(refused(&run).contains(&told), "{}", refused(&run));
    }
    for url in ["nowhere", "ftp://a.test/"] {
        let sent = http::Host::send(&mut run.state, get(url)).await;
        assert!(sent.unwrap().is_err());
        assert!(refused(&run).contains("http"), "{}", refused(&run));
    }
}

#[tokio::test]
async fn a_run_that_reveals_without_end_is_refused_and_that_is_told() {
    let policy = secret_grant("http://127.0.0.1", "'bearer'", "reveal");
    let mut run = bound_to(&policy).await;
    let mut shown = 0;
    while let Ok(value) = reveal::Host::reveal(&mut run.state, "api".into())
        .await
        .unwrap()
    {
        assert_eq!(value, TOKEN.as_bytes());
        shown += 1;
    }
    assert_eq!(shown, 1_000);
    let last = told(&run).pop();
    assert!(
        matches!(&last, Some(AuditEvent::SecretRefused { rung: Rung::Reveal, why, .. }) if why.contains("1000 reveals")),
        "{last:?}"
    );
    assert!(
        run.events
            .messages()
            .last()
            .unwrap()
            .contains("1000 reveals")
    );
}
