//! TLS, or the reason why there is none.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto};

/// How connections are protected.
#[derive(Debug, Clone)]
pub enum Tls {
    /// With this certificate chain and key, both PEM files.
    Files {
        /// The chain, the controller's own certificate first.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// Not at all. Only addresses that no other machine reaches are allowed then.
    LoopbackOnly,
}

/// Why connections cannot be protected.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Plain HTTP to the world.
    #[error(
        "{0} can be reached from other machines, and without TLS everyone between could read tokens and inputs: pass --tls-cert CHAIN.pem --tls-key KEY.pem, or listen on 127.0.0.1 or [::1]"
    )]
    PlainBeyondLoopback(SocketAddr),
    /// A file that is not what it should be.
    #[error("the {what} {path} cannot be used: {why}; it must be a PEM file")]
    File {
        /// Which of the two.
        what: &'static str,
        /// Where.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The two do not go together, or are not fit for TLS.
    #[error("the certificate and key cannot be used together: {0}")]
    Pair(rustls::Error),
}

/// What turns connections into protected ones; none if they need not be.
pub(crate) fn acceptor(tls: &Tls, listen: SocketAddr) -> Result<Option<TlsAcceptor>, TlsError> {
    let Tls::Files { cert, key } = tls else {
        return if listen.ip().is_loopback() {
            Ok(None)
        } else {
            Err(TlsError::PlainBeyondLoopback(listen))
        };
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| unusable("certificate", cert, why))?;
    if chain.is_empty() {
        return Err(unusable("certificate", cert, "there is none in it"));
    }
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|why| unusable("private key", key, why))?;
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(TlsError::Pair)?;
    // WebSockets are upgraded from it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn unusable(what: &'static str, path: &Path, why: impl ToString) -> TlsError {
    TlsError::File {
        what,
        path: path.display().to_string(),
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_beyond_loopback_is_refused_and_the_flags_are_named() {
        for address in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"] {
            let error = acceptor(&Tls::LoopbackOnly, address.parse().unwrap())
                .err()
                .unwrap();
            assert!(error.to_string().contains("--tls-cert"), "{error}");
        }
        for address in ["127.0.0.1:1", "[::1]:1"] {
            assert!(acceptor(&Tls::LoopbackOnly, address.parse().unwrap()).is_ok());
        }
    }
}
