//! Blobs and manifests over the network: bounded, and compared.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use wharf_policy::Digest;

use super::client::Again;
use super::{Client, Progress, RegistryError, Silent, answer, retry};
use crate::oci::{
    Descriptor, INDEX_TYPE, MANIFEST_TYPE, MAX_MANIFEST, OciError, check_digest, shortened,
};

/// How long a manifest may take as a whole, and a blob beside its bytes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The slowest that a blob may come or go, in bytes a second.
const SLOWEST: u64 = 32 << 10;
const PIECE: usize = 64 << 10;

const CONTENT_DIGEST: &str = "docker-content-digest";
const SUBJECT: &str = "oci-subject";
const OCTETS: &str = "application/octet-stream";

/// How long so many bytes may take.
fn patience(bytes: u64) -> Duration {
    PATIENCE + Duration::from_secs(bytes / SLOWEST)
}

impl Client {
    /// The manifest or index under a tag or digest, as its bytes. `None` if there is none.
    pub(super) async fn manifest(
        &self,
        what: &'static str,
        name: &str,
        media_type: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        let url = self.url(&format!("manifests/{name}"))?;
        // Some registries answer in another form to those who accept one form only.
        let accept = format!("{MANIFEST_TYPE}, {INDEX_TYPE}");
        let response = self.get(url, &accept, PATIENCE).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = answer::check(&self.registry, what, response).await?;
        let said = header(response.headers(), CONTENT_TYPE.as_str());
        let said = said.map(|said| said.split(';').next().unwrap_or_default().trim().to_owned());
        if said.as_deref() != Some(media_type) {
            return Err(RegistryError::Oci(OciError::malformed(
                what,
                format_args!(
                    "the registry says that it is {:?}, and it must be `{media_type}`",
                    shortened(said.as_deref().unwrap_or_default())
                ),
            )));
        }
        let claimed = header(response.headers(), CONTENT_DIGEST);
        let bytes = answer::read(
            &self.registry,
            response,
            what,
            limit.min(MAX_MANIFEST),
            &Silent,
        )
        .await?;
        if let Some(claimed) = claimed.and_then(|claimed| claimed.parse::<Digest>().ok()) {
            check_digest(what, claimed, &bytes)?;
        }
        Ok(Some(bytes))
    }

    /// A blob, exactly as its descriptor says. If it breaks off, it is fetched again from its beginning.
    pub(super) async fn blob(
        &self,
        what: &'static str,
        blob: &Descriptor,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut tries = 0;
        let bytes = loop {
            tries += 1;
            let response = self.begin_blob(what, blob).await?;
            progress.begin(what, blob.size);
            let bytes = answer::read(&self.registry, response, what, blob.size, progress).await;
            progress.end();
            match (&bytes, retry::after_break(tries)) {
                (Err(RegistryError::BrokeOff { .. }), Some(wait)) => tokio::time::sleep(wait).await,
                _ => break bytes?,
            }
        };
        blob.check(what, &bytes)?;
        Ok(bytes)
    }

    async fn begin_blob(
        &self,
        what: &'static str,
        blob: &Descriptor,
    ) -> Result<Response, RegistryError> {
        let url = self.url(&format!("blobs/{}", blob.digest))?;
        let response = self.get(url, OCTETS, patience(blob.size)).await?;
        let response = answer::check(&self.registry, what, response).await?;
        match response.content_length().filter(|size| *size != blob.size) {
            Some(actual) => Err(RegistryError::Oci(OciError::WrongSize {
                what,
                expected: blob.size,
                actual,
            })),
            None => Ok(response),
        }
    }

    /// Uploads a blob, unless it is there. Says how many bytes went.
    pub(super) async fn upload(
        &self,
        what: &'static str,
        bytes: Bytes,
        progress: &Arc<dyn Progress>,
    ) -> Result<u64, RegistryError> {
        let digest = crate::digest(&bytes);
        let size = bytes.len() as u64;
        let mut tries = 0;
        loop {
            // What broke off may have been stored all the same.
            if self.has_blob(what, digest).await? {
                return Ok(if tries == 0 { 0 } else { size });
            }
            tries += 1;
            let sent = self.upload_anew(what, digest, &bytes, progress).await;
            match sent.map_err(|why| (retry::after_error(tries, &why), why)) {
                Ok(()) => return Ok(size),
                Err((Some(wait), _)) => tokio::time::sleep(wait).await,
                Err((None, why)) => return Err(why),
            }
        }
    }

    async fn has_blob(&self, what: &'static str, digest: Digest) -> Result<bool, RegistryError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let head = |http: &reqwest::Client| http.head(url.clone()).timeout(PATIENCE);
        let response = self.send(head, Again::IfItMayHelp).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(false),
            // A registry that redirects to where the blob is has it.
            status if status.is_redirection() => Ok(true),
            _ => answer::check(&self.registry, what, response)
                .await
                .map(|_| true),
        }
    }

    /// Begins an upload and sends all of it. The session is not used a second time.
    async fn upload_anew(
        &self,
        what: &'static str,
        digest: Digest,
        bytes: &Bytes,
        progress: &Arc<dyn Progress>,
    ) -> Result<(), RegistryError> {
        let begin = self.url("blobs/uploads/")?;
        let post = |http: &reqwest::Client| {
            let request = http.post(begin.clone()).header(CONTENT_LENGTH, 0);
            request.timeout(PATIENCE)
        };
        let begun = self.must(what, post, Again::IfItMayHelp).await?;
        let mut to = self.upload_url(&begin, &begun)?;
        to.query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        let size = bytes.len() as u64;
        let put = |http: &reqwest::Client| {
            progress.begin(what, size);
            http.put(to.clone())
                .header(CONTENT_TYPE, OCTETS)
                .header(CONTENT_LENGTH, size)
                .body(pieces(bytes.clone(), progress.clone()))
                .timeout(patience(size))
        };
        let done = self.must(what, put, Again::Never).await;
        progress.end();
        done.map(drop)
    }

    /// Stores a manifest or index under a tag or digest. Says whether the registry lists it with what
    /// it refers to. What is stored under a tag that others write as well is not to be sent again.
    pub(super) async fn put_manifest(
        &self,
        what: &'static str,
        name: &str,
        media_type: &str,
        bytes: &[u8],
        again: Again,
    ) -> Result<bool, RegistryError> {
        let url = self.url(&format!("manifests/{name}"))?;
        let put = |http: &reqwest::Client| {
            http.put(url.clone())
                .header(CONTENT_TYPE, media_type)
                .body(bytes.to_vec())
                .timeout(PATIENCE)
        };
        let response = self.must(what, put, again).await?;
        let stored = header(response.headers(), CONTENT_DIGEST);
        if let Some(stored) = stored.and_then(|stored| stored.parse::<Digest>().ok()) {
            check_digest(what, stored, bytes)?;
        }
        Ok(response.headers().contains_key(SUBJECT))
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A body that says how far it is. It does not copy.
fn pieces(bytes: Bytes, progress: Arc<dyn Progress>) -> reqwest::Body {
    let starts = (0..bytes.len()).step_by(PIECE);
    let pieces: Vec<Bytes> = starts
        .map(|start| bytes.slice(start..bytes.len().min(start + PIECE)))
        .collect();
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces.into_iter().map(
        move |piece| {
            progress.advance(piece.len() as u64);
            Ok::<_, std::convert::Infallible>(piece)
        },
    )))
}
