//! HTTP as stores are spoken to: encrypted, straight to where the table says, within bounds.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderValue, InvalidHeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, StatusCode};
use url::Url;
use zeroize::Zeroizing;

use crate::StoreError;
use crate::bounds::{LARGEST_ANSWER, too_large};
use crate::failure::why;
use crate::file::{self, Readers};
use crate::open::Unusable;

/// The largest file of authorities.
const LARGEST_CA: usize = 1 << 20;
const IDLE: Duration = Duration::from_secs(30);

/// Bytes that others share, wiped when the last of them drops them.
pub(crate) fn wiped(bytes: Zeroizing<Vec<u8>>) -> Bytes {
    struct Wiped(Zeroizing<Vec<u8>>);

    impl AsRef<[u8]> for Wiped {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    Bytes::from_owner(Wiped(bytes))
}

/// A header that is secret, and wiped when its last clone is dropped.
pub(crate) fn wiped_header(bytes: Zeroizing<Vec<u8>>) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut header = HeaderValue::from_maybe_shared(wiped(bytes))?;
    header.set_sensitive(true);
    Ok(header)
}

/// What a store answered. Wiped when dropped.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// A client that goes straight to one store, and nowhere else.
pub(crate) fn client(
    address: &Url,
    ca: Option<&Path>,
    timeout: Duration,
) -> Result<Client, Unusable> {
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .timeout(timeout)
        .connect_timeout(timeout)
        .pool_idle_timeout(IDLE);
    if address.scheme() == "http" {
        // A proxy would be told the secrets; with https it only sees a tunnel.
        builder = builder.no_proxy().tls_certs_only([]);
    } else if let Some(path) = ca {
        let pem = file::read(path, Readers::Anyone, LARGEST_CA)?;
        let authorities = Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|authorities| !authorities.is_empty())
            .ok_or_else(|| {
                Unusable::Table(format!("{} holds no PEM certificate", path.display()))
            })?;
        builder = builder.tls_certs_only(authorities);
    }
    builder
        .build()
        .map_err(|error| Unusable::Table(format!("TLS cannot be set up: {error}")))
}

/// Why a redirect is none.
pub(crate) const ELSEWHERE: &str =
    "it sends elsewhere, and redirects are not followed: name the address that answers itself";

/// Sends a request and reads the whole answer. Sorts out what no store means by its answers: that it
/// cannot be asked now, and that another should be.
#[cfg(feature = "gcp")]
pub(crate) async fn send(request: RequestBuilder, whom: &str) -> Result<Answer, StoreError> {
    let answer = exchange(request, whom).await?;
    match answer.status.is_redirection() {
        true => Err(StoreError::BadAnswer(whom.to_owned(), ELSEWHERE.to_owned())),
        false => Ok(answer),
    }
}

/// Sends a request and reads the whole answer, if it is not too large. Sorts out that a store cannot be
/// asked now.
pub(crate) async fn exchange(request: RequestBuilder, whom: &str) -> Result<Answer, StoreError> {
    let outage = |why: String| StoreError::Unavailable(whom.to_owned(), why);
    let mut response = request.send().await.map_err(|error| outage(why(&error)))?;
    let status = response.status();
    if status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        )
    {
        return Err(outage(format!("HTTP {}", status.as_u16())));
    }
    let too_large = || too_large(whom);
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).map_err(|_| too_large())?;
    if announced > LARGEST_ANSWER {
        return Err(too_large());
    }
    // Room for what was announced, so that the buffer does not move and leave copies.
    let mut body = Zeroizing::new(Vec::with_capacity(announced.max(16 << 10)));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| outage(why(&error)))?
    {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}
