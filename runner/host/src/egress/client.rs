//! HTTP clients, each for one connection: whoever has one says for how long it is kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use url::Url;
use wharf_policy::{Networks, Target};

use super::EgressError;
use super::resolve::{Checked, Lookup, Resolver, Share};
use crate::run::Run;
use crate::{ServicesConfig, ServicesError};

const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(30);

/// The way out of a runner: TLS and names.
pub(crate) struct Egress {
    tls: ClientConfig,
    resolver: Arc<Resolver>,
}

impl Egress {
    pub(crate) fn new(
        config: &ServicesConfig,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, ServicesError> {
        Ok(Self {
            tls: tls(config.extra_ca.as_deref())?,
            resolver: Arc::new(Resolver::new(lookup)),
        })
    }

    /// The addresses of a name, unchecked: whoever asks must check them.
    pub(crate) async fn lookup(
        &self,
        run: &Run,
        name: &str,
    ) -> std::io::Result<Vec<std::net::IpAddr>> {
        self.resolver.lookup(&run.lookups, name).await
    }

    /// A client for one connection, which may reach these networks, with this share of lookups.
    pub(super) fn client(
        &self,
        networks: &Networks,
        share: &Share,
    ) -> Result<reqwest::Client, EgressError> {
        self.build(networks, share).map_err(|error| {
            EgressError::Protocol(format!("the HTTP client cannot be set up: {error}"))
        })
    }

    fn build(&self, networks: &Networks, share: &Share) -> reqwest::Result<reqwest::Client> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(Arc::new(Checked {
                resolver: self.resolver.clone(),
                share: share.clone(),
                networks: Arc::new(networks.clone()),
            }))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .build()
    }
}

/// The URL with exactly the host that was checked, and nothing that is not sent.
pub(super) fn destination(mut url: Url, target: &Target) -> Result<Url, EgressError> {
    url.set_host(Some(&target.host().to_string()))
        .map_err(|error| EgressError::Invalid(format!("the host cannot be used: {error}")))?;
    url.set_fragment(None);
    Ok(url)
}

/// TLS with the authorities of the system and those of a file.
fn tls(extra: Option<&Path>) -> Result<ClientConfig, ServicesError> {
    let mut roots = RootCertStore::empty();
    // What the system has and we cannot read is left out; with none, every server is a stranger.
    let (taken, ignored) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    tracing::debug!(taken, ignored, "certificate authorities of the system");
    if let Some(path) = extra {
        add_file(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ServicesError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), ServicesError> {
    let unusable = |why: String| ServicesError::ExtraCa {
        path: path.display().to_string(),
        why,
    };
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unusable("there is no certificate in it".to_owned()));
    }
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    Ok(())
}
