//! TLS in front of a server that has none.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// TLS on `127.0.0.1`, by a certificate of its own, in front of a port without.
pub struct TlsFront {
    address: SocketAddr,
    certificate: String,
}

impl TlsFront {
    /// Relays what comes over TLS to this port.
    pub async fn before(port: u16) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let far = TcpStream::connect(("127.0.0.1", port)).await;
                    if let (Ok(mut near), Ok(mut far)) = (acceptor.accept(near).await, far) {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self {
            address,
            certificate: made.cert.pem(),
        }
    }

    /// Where to connect instead.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}
