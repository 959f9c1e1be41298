//! The `kubernetes` kind: secrets of a cluster, as the pod's own service account or by a
//! configuration file.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use http::Response;
use http::header::{CONNECTION, HeaderValue};
use http_body_util::Limited;
use k8s_openapi::api::core::v1::Secret;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError, LoadDataError};
use kube::{Api, Client, Config};
use tower::util::MapResponseLayer;
use wharf_policy::KubernetesConfig;

use crate::bounds::{LARGEST_ANSWER, is_too_large, too_large};
use crate::client::Kept;
use crate::open::Unusable;
use crate::within::within;
use crate::{Document, Place, SecretStore, SecretValue, StoreError, address, file};

const WHOM: &str = "Kubernetes";

/// One cluster.
pub(crate) struct KubernetesStore {
    config: KubernetesConfig,
    kubeconfig: Option<PathBuf>,
    client: Kept<Client>,
}

impl KubernetesStore {
    /// Looks at the table; the cluster is looked for when it is needed.
    pub(crate) fn open(config: &KubernetesConfig, folder: &Path) -> Result<Self, Unusable> {
        let kubeconfig = config.kubeconfig.as_ref().map(|path| folder.join(path));
        if let Some(path) = &kubeconfig
            && !path.is_file()
        {
            return Err(StoreError::NoFile(path.clone()).into());
        }
        Ok(Self {
            config: config.clone(),
            kubeconfig,
            client: Kept::default(),
        })
    }

    async fn client(&self) -> Result<Client, StoreError> {
        self.client.get(self.connect()).await
    }

    async fn connect(&self) -> Result<Client, StoreError> {
        let refused = |why: String| StoreError::Login(WHOM.to_owned(), why);
        let mut config = match &self.kubeconfig {
            None => Config::incluster()
                .map_err(|_| refused("this is no pod with a service account".to_owned()))?,
            Some(path) => {
                let options = KubeConfigOptions {
                    context: self.config.context.clone(),
                    ..KubeConfigOptions::default()
                };
                let file = path.clone();
                let read = tokio::task::spawn_blocking(move || Kubeconfig::read_from(file));
                let stopped = |_| refused(format!("{} cannot be read", path.display()));
                let read = read.await.map_err(stopped)?;
                let read = read.map_err(|error| unusable(path, error))?;
                Config::from_custom_kubeconfig(read, &options)
                    .await
                    .map_err(|error| unusable(path, error))?
            }
        };
        if address::parse(&config.cluster_url.to_string(), self.config.plain_http).is_err() {
            // Without repeating it: it may have a password in it.
            return Err(refused(
                "the cluster's address would show secrets to everyone on the way, or has a user in it: write https, or plain-http = true"
                    .to_owned(),
            ));
        }
        let timeout = Some(self.config.timeout.duration());
        config.connect_timeout = timeout;
        config.read_timeout = timeout;
        config.write_timeout = timeout;
        config.reset_reader_on_write = true;
        config.default_retry = false;
        // Nothing of a value stays in the buffers of a connection that waits for another use.
        let close = (CONNECTION, HeaderValue::from_static("close"));
        config.headers.push(close);
        let client = ClientBuilder::try_from(config)
            .map_err(|_| refused("its client cannot be made".to_owned()))?;
        Ok(client.with_layer(&MapResponseLayer::new(limited)).build())
    }

    async fn ask(&self, place: &Place) -> Result<Document, StoreError> {
        let (namespace, name) = parts(place)?;
        let secrets: Api<Secret> = Api::namespaced(self.client().await?, namespace);
        let secret = secrets
            .get_opt(name)
            .await
            .map_err(|error| trouble(&error, place))?
            .ok_or_else(|| StoreError::Absent(place.to_string()))?;
        let fields = secret.data.unwrap_or_default().into_iter();
        let fields = fields.map(|(name, value)| (name, SecretValue::new(value.0)));
        Ok(Document::fields(fields.collect()))
    }
}

#[async_trait]
impl SecretStore for KubernetesStore {
    fn check(&self, place: &Place) -> Result<(), StoreError> {
        crate::store::no_version(place)?;
        parts(place).map(|_| ())
    }

    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        let answer = within(self.config.timeout, WHOM, self.ask(place)).await;
        self.client.learn(answer).await
    }
}

/// Why a configuration file is of no use. Not what the parser says: it may quote a line, and a line may be a
/// token.
fn unusable(file: &Path, error: KubeconfigError) -> StoreError {
    match error {
        KubeconfigError::ReadConfig(source, path)
        | KubeconfigError::LoadCertificateAuthority(LoadDataError::ReadFile(source, path)) => {
            StoreError::NoCredential(Box::new(file::unreadable(&path, source)))
        }
        _ => StoreError::Login(
            WHOM.to_owned(),
            format!("{} cannot be used", file.display()),
        ),
    }
}

/// No more of an answer than a secret can be.
fn limited<B>(answer: Response<B>) -> Response<Limited<B>> {
    answer.map(|body| Limited::new(body, LARGEST_ANSWER))
}

/// Namespace and name. Both are names of DNS, so nothing in them can lead elsewhere.
fn parts(place: &Place) -> Result<(&str, &str), StoreError> {
    let is_name = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
            && !text.starts_with('.')
    };
    match place.path.split_once('/') {
        Some((namespace, name)) if is_name(namespace) && is_name(name) => Ok((namespace, name)),
        _ => Err(StoreError::BadPlace {
            place: place.to_string(),
            why: "write NAMESPACE/NAME",
        }),
    }
}

/// Sorts out what the cluster means. What it says in words is not repeated.
fn trouble(error: &kube::Error, place: &Place) -> StoreError {
    let outage = |why: String| StoreError::Unavailable(WHOM.to_owned(), why);
    match error {
        error if is_too_large(error) => too_large(WHOM),
        kube::Error::Api(status) => match status.code {
            404 => StoreError::Absent(place.to_string()),
            401 => StoreError::Login(WHOM.to_owned(), "its token is not taken".to_owned()),
            403 => StoreError::Denied(
                place.to_string(),
                "let a role of its service account `get` this secret".to_owned(),
            ),
            429 | 500.. => outage(format!("HTTP {}", status.code)),
            other => StoreError::BadAnswer(WHOM.to_owned(), format!("HTTP {other}")),
        },
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
            StoreError::BadAnswer(WHOM.to_owned(), "it is no secret".to_owned())
        }
        _ => outage("it cannot be reached".to_owned()),
    }
}
