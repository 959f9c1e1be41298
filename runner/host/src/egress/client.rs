//! HTTP clients, one for each set of rights and the networks that a request may reach under them,
//! so that no connection is shared across them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use url::Url;
use wharf_policy::{Networks, Rights, Target};

use super::EgressError;
use super::resolve::{Checked, Lookup};
use crate::{ServicesConfig, ServicesError};

/// Clients that are kept; the least recently used goes first.
const CLIENTS: usize = 64;

const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(30);
const IDLE_PER_HOST: usize = 8;

/// The way out of a runner: TLS, names, and the clients.
pub(crate) struct Egress {
    tls: ClientConfig,
    lookup: Arc<dyn Lookup>,
    clients: Mutex<Clients>,
}

/// Under which a client is kept.
type Key = (Arc<Rights>, Networks);

#[derive(Default)]
struct Clients {
    by_rights: HashMap<Key, (reqwest::Client, u64)>,
    uses: u64,
}

impl Egress {
    pub(crate) fn new(
        config: &ServicesConfig,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, ServicesError> {
        Ok(Self {
            tls: tls(config.extra_ca.as_deref())?,
            lookup,
            clients: Mutex::default(),
        })
    }

    /// The addresses of a name, unchecked: whoever asks must check them.
    pub(crate) async fn lookup(&self, name: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        self.lookup.lookup(name).await
    }

    /// The client of these rights, for requests that may reach these networks.
    pub(super) fn client(
        &self,
        rights: &Arc<Rights>,
        networks: &Networks,
    ) -> Result<reqwest::Client, EgressError> {
        let key = (rights.clone(), networks.clone());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.uses += 1;
        let now = clients.uses;
        if let Some((client, used)) = clients.by_rights.get_mut(&key) {
            *used = now;
            return Ok(client.clone());
        }
        let client = self.build(networks).map_err(|error| {
            EgressError::Protocol(format!("the HTTP client cannot be set up: {error}"))
        })?;
        if clients.by_rights.len() >= CLIENTS {
            let oldest = clients
                .by_rights
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                clients.by_rights.remove(&oldest);
            }
        }
        clients.by_rights.insert(key, (client.clone(), now));
        Ok(client)
    }

    fn build(&self, networks: &Networks) -> reqwest::Result<reqwest::Client> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(Arc::new(Checked {
                lookup: self.lookup.clone(),
                networks: Arc::new(networks.clone()),
            }))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
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
