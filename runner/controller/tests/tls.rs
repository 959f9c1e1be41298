//! TLS, with a certificate of the tests.

mod support;

use std::path::Path;

use reqwest::Certificate;
use support::config;
use wharf_controller::{Config, Controller, Tls};

fn files() -> (std::path::PathBuf, std::path::PathBuf) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    (folder.join("cert.pem"), folder.join("key.pem"))
}

#[tokio::test]
async fn with_a_certificate_it_serves_over_tls_and_only_over_tls() {
    let data = tempfile::tempdir().unwrap();
    let (cert, key) = files();
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
    let (cert, key) = files();
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
