use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::StoreError;
use crate::http::{client, send};

/// What every server here says, and nobody may repeat.
const WORD: &str = "hunter2hunter2";
const LONG: Duration = Duration::from_secs(60);

/// An authority of a test, in a file as a table names it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server with a certificate for this name, which speaks HTTP/2.
    fn acceptor(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> TlsAcceptor {
        let mut params = CertificateParams::new([name.to_owned(), format!("{WORD}.test")]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
                .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Takes one connection, and does this with it.
async fn serve<F: Future<Output = ()> + Send>(
    with: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        with(connection).await;
    });
    address
}

/// The same over TLS, as far as the client goes along.
async fn serve_tls<F: Future<Output = ()> + Send>(
    acceptor: TlsAcceptor,
    with: impl FnOnce(TlsStream<TcpStream>) -> F + Send + 'static,
) -> SocketAddr {
    serve(async move |connection| {
        if let Ok(connection) = acceptor.accept(connection).await {
            with(connection).await;
        }
    })
    .await
}

/// What is told of asking there in vain.
async fn told(url: String, ca: Option<PathBuf>, timeout: Duration) -> String {
    let url = url.parse().unwrap();
    let client = client(&url, ca.as_deref(), timeout).unwrap();
    let error = send(client.get(url), "the store").await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(..)), "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains(WORD), "{text}");
    error.to_string()
}

#[tokio::test]
async fn what_a_server_says_at_the_end_of_a_connection_is_not_repeated() {
    let authority = Authority::new("one");
    let acceptor = authority.acceptor("127.0.0.1", |_| {});
    let address = serve_tls(acceptor, async |mut connection| {
        // No settings; and GOAWAY for too many requests, of which none was taken, with a word.
        let mut frames = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
        let length = u8::try_from(8 + WORD.len()).unwrap();
        frames.extend([0, 0, length, 7, 0, 0, 0, 0, 0]);
        frames.extend([0, 0, 0, 0, 0, 0, 0, 11]);
        frames.extend(WORD.bytes());
        connection.write_all(&frames).await.unwrap();
        // Until the other side has heard of it.
        let _ = connection.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let text = told(format!("https://{address}"), Some(authority.file()), LONG).await;
    assert!(text.ends_with("the answer broke off"), "{text}");
}

#[tokio::test]
async fn why_a_certificate_is_not_taken_is_said_without_what_is_in_it() {
    let nobody = |_: &mut CertificateParams| {};
    let old = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    };
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
    let (known, stranger) = (Authority::new("one"), Authority::new("another"));
    let same_name = Authority::new("one");
    for (acceptor, says) in [
        (stranger.acceptor("127.0.0.1", nobody), "unknown issuer"),
        (same_name.acceptor("127.0.0.1", nobody), "not signed by"),
        (
            known.acceptor("other.test", nobody),
            "not valid for the name",
        ),
        (known.acceptor("127.0.0.1", old), "has expired"),
        (known.acceptor("127.0.0.1", early), "not valid yet"),
    ] {
        let address = serve_tls(acceptor, async |_| {}).await;
        let text = told(format!("https://{address}"), Some(known.file()), LONG).await;
        assert!(
            text.contains(says) && text.contains("TLS"),
            "{says}: {text}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_connected_or_breaks_off_is_said_with_its_kind_and_nothing_else() {
    let url = format!("http://127.0.0.1:{}", wharf_test_servers::free_port());
    let text = told(url, None, LONG).await;
    assert!(
        text.ends_with("cannot connect: connection refused"),
        "{text}"
    );

    // No part of a name has so many letters, so nobody is asked for it.
    let text = told(format!("http://{}.test", "x".repeat(64)), None, LONG).await;
    assert!(
        text.ends_with("cannot connect: its name is not found"),
        "{text}"
    );

    for answer in [
        format!("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{WORD}"),
        format!("{WORD}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{WORD}\r\n\r\n"),
    ] {
        let address = serve(async move |mut connection| {
            // The question first: what is not read makes the end of it a reset.
            assert_ne!(connection.read(&mut [0; 4096]).await.unwrap(), 0);
            connection.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let text = told(format!("http://{address}"), None, LONG).await;
        assert!(text.contains("the answer broke off"), "{text}");
    }

    let address = serve(async |mut connection| {
        connection.write_all(WORD.as_bytes()).await.unwrap();
        let _ = connection.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let text = told(format!("https://{address}"), None, LONG).await;
    assert!(
        text.ends_with("TLS failed: what it speaks there is no TLS"),
        "{text}"
    );

    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", hanging.local_addr().unwrap());
    let text = told(url, None, Duration::from_millis(50)).await;
    assert!(text.ends_with("no answer in time"), "{text}");
}
