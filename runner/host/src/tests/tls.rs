//! TLS to servers that the runner trusts, and to those that it does not.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use wharf_stores::Stores;

use super::support::*;
use crate::bindings::http::{Host, HttpError, Response};
use crate::{Services, ServicesConfig, ServicesError};

/// A certificate for `secure.test`, and the authority that it is from.
struct Made {
    folder: tempfile::TempDir,
    server: rcgen::Certificate,
    key: KeyPair,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let own = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["secure.test".to_owned()]).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let server = server.signed_by(&key, &issuer).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
    std::fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
    Made {
        folder,
        server,
        key,
    }
});

fn file(name: &str) -> PathBuf {
    MADE.folder.path().join(name)
}

/// Takes connections as `secure.test`, and speaks one of these protocols.
pub(super) fn acceptor(protocols: &[&str]) -> TlsAcceptor {
    let chain = vec![MADE.server.der().clone()];
    let key = PrivatePkcs8KeyDer::from(MADE.key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let bytes = |protocol: &&str| protocol.as_bytes().to_vec();
    config.alpn_protocols = protocols.iter().map(bytes).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A server for one connection after another; answers `safe` to the first request of each.
async fn secure_server() -> SocketAddr {
    let acceptor = acceptor(&[]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust us leaves here.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(&reply("", b"safe")).await;
                let _ = stream.flush().await;
            }
        }
    });
    address
}

async fn send(name: &'static str, config: &ServicesConfig) -> Result<Response, HttpError> {
    let port = secure_server().await.port();
    let names = Names([(name, vec!["127.0.0.1".parse().unwrap()])].into());
    let rights = rights(&open_grant(""));
    let mut run = bind_with(&rights, &Stores::none(), names, config, None).await;
    let request = get(format!("https://{name}:{port}/?q=hidden"));
    Host::send(&mut run.state, request).await.unwrap()
}

pub(super) fn trusting() -> ServicesConfig {
    ServicesConfig {
        extra_ca: Some(file("ca.pem")),
    }
}

#[tokio::test]
async fn a_server_of_a_trusted_authority_is_reached() {
    let response = send("secure.test", &trusting()).await.unwrap();
    assert_eq!(response.body, b"safe");
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused_and_the_message_says_why() {
    let error = send("secure.test", &ServicesConfig::default())
        .await
        .unwrap_err();
    let HttpError::Protocol(why) = error else {
        panic!("{error:?}")
    };
    assert!(
        why.contains("TLS with https://secure.test") && why.contains("trusts"),
        "{why}"
    );
    assert!(!why.contains("hidden"), "{why}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let error = send("other.test", &trusting()).await.unwrap_err();
    assert!(
        matches!(&error, HttpError::Protocol(why) if why.contains("TLS")),
        "{error:?}"
    );
}

#[test]
fn a_file_without_certificates_is_refused_when_the_services_are_set_up() {
    for name in ["missing.pem", "server.key"] {
        let config = ServicesConfig {
            extra_ca: Some(file(name)),
        };
        let error = Services::new(&config).err().unwrap();
        assert!(matches!(&error, ServicesError::ExtraCa { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
