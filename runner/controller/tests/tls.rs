//! TLS, with a certificate that the test makes.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use reqwest::Certificate;
use support::config;
use wharf_controller::{Config, Controller, Tls};

/// Writes a certificate for 127.0.0.1 and its key.
fn files(folder: &Path) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

#[tokio::test]
async fn with_a_certificate_it_serves_over_tls_and_only_over_tls() {
    let data = tempfile::tempdir().unwrap();
    let made = tempfile::tempdir().unwrap();
    let (cert, key) = files(made.path());
    let trusted = Certificate::from_pem(&std::fs::read(&cert).unwrap()).unwrap();
    let running = Controller::start(Config {
        tls: Tls::Files { cert, key },
        ..config(data.path())
    })
    .await
    .unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([trusted])
        .build()
        .unwrap();
    let address = running.addr();
    let health = client
        .get(format!("https://{address}/healthz"))
        .send()
        .await;
    assert_eq!(health.unwrap().status(), 200);
    assert!(
        client
            .get(format!("http://{address}/healthz"))
            .send()
            .await
            .is_err()
    );
    running.shutdown().await;
}

#[tokio::test]
async fn files_that_are_no_certificate_are_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let made = tempfile::tempdir().unwrap();
    let (cert, key) = files(made.path());
    let error = Controller::start(Config {
        tls: Tls::Files {
            cert: key.clone(),
            key: cert,
        },
        ..config(data.path())
    })
    .await
    .unwrap_err();
    assert!(error.to_string().contains("key.pem"), "{error}");
}
