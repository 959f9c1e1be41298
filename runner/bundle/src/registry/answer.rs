//! Answers of registries, read with a limit.

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::{Progress, RegistryError};
use crate::cause::innermost;
use crate::oci::OciError;

/// The most that is read of an answer that is an error, in bytes.
const MAX_ERROR: u64 = 16 << 10;
/// The most of it that is shown, in characters.
const MAX_SAID: usize = 200;

/// The bytes of an answer, and no more than the limit of them.
pub(super) async fn read(
    registry: &str,
    mut response: Response,
    what: &'static str,
    limit: u64,
    progress: &dyn Progress,
) -> Result<Vec<u8>, RegistryError> {
    let too_large = |size| RegistryError::Oci(OciError::TooLarge { what, size, limit });
    if let Some(size) = response.content_length().filter(|size| *size > limit) {
        return Err(too_large(size));
    }
    // Grows with what comes, not with what is promised.
    let mut bytes = Vec::new();
    loop {
        let chunk = response
            .chunk()
            .await
            .map_err(|error| unreachable(registry, &error))?;
        let Some(chunk) = chunk else {
            return Ok(bytes);
        };
        let size = bytes.len() as u64 + chunk.len() as u64;
        if size > limit {
            return Err(too_large(size));
        }
        bytes.extend_from_slice(&chunk);
        progress.advance(chunk.len() as u64);
    }
}

/// The answer if it is a success, and what else it is if not.
pub(super) async fn check(
    registry: &str,
    what: &str,
    response: Response,
) -> Result<Response, RegistryError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let registry = registry.to_owned();
    if status.is_redirection() {
        return Err(RegistryError::Misleading {
            registry,
            why: format!("it redirects {what}, which is not followed"),
        });
    }
    let said = said(&registry, response).await;
    Err(match status {
        StatusCode::NOT_FOUND => RegistryError::NotFound {
            registry,
            what: what.to_owned(),
        },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::NotAllowed {
            registry,
            why: format!("{what}{said}"),
        },
        status => RegistryError::Status {
            registry,
            what: what.to_owned(),
            status: status.as_u16(),
            said,
        },
    })
}

/// What an error says for people, made harmless for their terminal.
async fn said(registry: &str, response: Response) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        message: String,
    }
    let body = read(registry, response, "an error", MAX_ERROR, &super::Silent).await;
    let errors = body
        .ok()
        .and_then(|body| serde_json::from_slice::<Errors>(&body).ok());
    let message = errors.and_then(|errors| errors.errors.into_iter().next());
    match message.map(|one| printable(&one.message)) {
        Some(message) if !message.is_empty() => format!(": {message}"),
        _ => String::new(),
    }
}

/// Text of others, without what a terminal would act on.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(MAX_SAID)
        .collect()
}

/// No connection, or none any more. Says the innermost reason, and no URL: there may be tokens in it.
pub(super) fn unreachable(registry: &str, error: &reqwest::Error) -> RegistryError {
    let registry = registry.to_owned();
    if error.is_timeout() {
        let why = "it did not answer in time".to_owned();
        return RegistryError::Unreachable { registry, why };
    }
    let why = innermost(error);
    match error.is_connect() {
        true => RegistryError::Unreachable { registry, why },
        false => RegistryError::BrokeOff { registry, why },
    }
}
