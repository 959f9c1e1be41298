//! One TLS configuration for everything that goes to the controller.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use wharf_bundle::{MAX_CA_FILE, read_file};

use crate::AgentError;

/// The roots of this system, and those of a file if one is given.
pub(crate) fn client(extra: Option<&Path>) -> Result<Arc<ClientConfig>, AgentError> {
    let mut roots = RootCertStore::empty();
    // Roots that do not parse are the system's business; that none do is ours.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra {
        let bad =
            |reason: String| AgentError::Tls(format!("the CA bundle {} {reason}", path.display()));
        let pem = read_file(path, MAX_CA_FILE)
            .map_err(|error| bad(format!("cannot be read: {error}")))?;
        let found: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| bad(format!("cannot be read: {error}")))?;
        if found.is_empty() {
            return Err(bad("holds no certificate: it must be PEM".to_owned()));
        }
        for certificate in found {
            roots
                .add(certificate)
                .map_err(|error| bad(format!("holds a certificate that is none: {error}")))?;
        }
    }
    if roots.is_empty() {
        return Err(AgentError::Tls(
            "this system has no certificate roots: install ca-certificates, or give a CA bundle file"
                .to_owned(),
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| AgentError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_bundle_without_a_certificate_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "not PEM").unwrap();
        let error = client(Some(&file)).unwrap_err();
        assert!(error.to_string().contains("no certificate"), "{error}");
        let error = client(Some(Path::new("/dev/zero"))).unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
    }
}
