//! Which addresses are connected to, however they are written and whichever name led to them.

use std::collections::HashMap;

use wharf_stores::Stores;

use super::support::*;
use crate::bindings::http::HttpError;
use crate::{AuditEvent, ServicesConfig};

#[tokio::test]
async fn every_way_to_write_a_metadata_or_private_address_is_denied() {
    let mut run = open().await;
    let why = denied(&mut run, "http://169.254.169.254/latest").await;
    assert!(
        why.contains("GET http://169.254.169.254/latest is not allowed: 169.254.169.254 is a cloud metadata address"),
        "{why}"
    );
    assert!(why.contains("networks = [\"169.254.169.254/32\"]"), "{why}");
    for url in [
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://169.254.169.254./",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://[fe80::1]/",
        "http://①⑥⑨.254.169.254/",
    ] {
        denied(&mut run, url).await;
    }
}

fn names(list: &[(&'static str, &[&str])]) -> Names {
    Names(
        list.iter()
            .map(|(name, addresses)| {
                (
                    *name,
                    addresses.iter().map(|a| a.parse().unwrap()).collect(),
                )
            })
            .collect::<HashMap<_, _>>(),
    )
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_it_resolves_to() {
    let server = Server::start(|_| vec![reply("", b"ok")]).await;
    let port = server.address.port();
    let names = names(&[
        ("meta.test", &["169.254.169.254"]),
        ("rebind.test", &["10.0.0.1", "127.0.0.1", "192.168.0.1"]),
        ("empty.test", &[]),
    ]);
    let config = ServicesConfig::default();
    let rights = rights(&open_grant(""));
    let mut run = bind_with(&rights, &Stores::none(), names, &config, None).await;

    let why = denied(&mut run, "http://meta.test/latest").await;
    assert!(
        why.contains("meta.test resolves to 169.254.169.254, which is a cloud metadata address"),
        "{why}"
    );
    let audit = run.events.audit.lock().unwrap().clone();
    assert!(
        matches!(audit.last(), Some(AuditEvent::RequestDenied { .. })),
        "{audit:?}"
    );

    // Only the address that is allowed is connected to; the server is on no other.
    let response = send(&mut run, get(format!("http://rebind.test:{port}/"))).await;
    assert_eq!(text(&response.unwrap()), "ok");
    assert!(server.requests()[0].contains(&format!("host: rebind.test:{port}\r\n")));

    for url in ["http://empty.test/", "http://unknown.test/"] {
        let error = send(&mut run, get(url)).await.unwrap_err();
        assert!(
            matches!(&error, HttpError::Unreachable(why) if why.contains(".test")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_networks_of_one_grant_do_not_serve_the_destinations_of_another() {
    let server = Server::echo().await;
    let port = server.address.port();
    let policy = format!(
        "[[grant]]\nplugins=['http']\nhttp=[{{origin='http://inside.test:{port}'}}]\nnetworks=['127.0.0.0/8']\n\
         [[grant]]\nplugins=['http']\nhttp=[{{origin='http://*:{port}'}}]"
    );
    let names = names(&[
        ("inside.test", &["127.0.0.1"]),
        ("evil.test", &["127.0.0.1"]),
    ]);
    let config = ServicesConfig::default();
    let mut run = bind_with(&rights(&policy), &Stores::none(), names, &config, None).await;
    send(&mut run, get(format!("http://inside.test:{port}/")))
        .await
        .unwrap();
    let why = denied(&mut run, &format!("http://evil.test:{port}/")).await;
    assert!(why.contains("a loopback address"), "{why}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_refused_address_is_allowed_by_its_line_in_the_grant_that_the_refusal_points_to() {
    let server = Server::echo().await;
    let port = server.address.port();
    for host in ["inside.test", "127.0.0.1"] {
        let origin = format!("http://{host}:{port}");
        let policy = |line: &str| {
            format!(
                "[[grant]]\nplugins=['http']\nnetworks=['127.0.0.1/32']\n\
                 [[grant]]\nplugins=['http']\nhttp=[{{origin='{origin}'}}]\n{line}"
            )
        };
        let bind = async |line: &str| {
            let names = names(&[("inside.test", &["127.0.0.1"])]);
            let rights = rights(&policy(line));
            bind_with(
                &rights,
                &Stores::none(),
                names,
                &ServicesConfig::default(),
                None,
            )
            .await
        };
        let why = denied(&mut bind("").await, &origin).await;
        let line = "networks = [\"127.0.0.1/32\"]";
        let place =
            format!("[[grant]] for this plugin that has http = [{{ origin = \"{origin}\" }}]");
        assert!(why.contains(&place) && why.contains(line), "{why}");
        send(&mut bind(line).await, get(origin)).await.unwrap();
    }
}
