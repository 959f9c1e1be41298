//! `wharf:plugin/http`: requests and responses as records, held in memory.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::State;
use crate::bindings::http::{Host, HttpError, Request, Response};
use crate::egress::{self, EgressError, Guest, OutBody, Outgoing};
use crate::run::Run;
use crate::state::Unbound;

/// The longest name of a header that is told. Of a longer one nothing is: a part of a secret in it
/// would not be found.
const SHOWN: usize = 256;

impl Host for State {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, HttpError>> {
        self.send_record(request, Guest::AddsNothing).await
    }
}

impl State {
    /// Sends a request for `http`, `http-credentials` and `signed-http`.
    pub(crate) async fn send_record(
        &mut self,
        request: Request,
        guest: Guest<'_>,
    ) -> wasmtime::Result<Result<Response, HttpError>> {
        let Some(run) = self.live().cloned() else {
            return Ok(Err(HttpError::Denied(Unbound("http.send").to_string())));
        };
        run.carries(size(&request))?;
        Ok(exchange(&run, request, guest)
            .await
            .map_err(HttpError::from))
    }
}

async fn exchange(
    run: &Arc<Run>,
    request: Request,
    guest: Guest<'_>,
) -> Result<Response, EgressError> {
    let timeout = request.timeout.map(Duration::from_millis);
    let outgoing = parse(request, timeout).map_err(|error| egress::unreadable(run, error))?;
    let is_head = outgoing.method == Method::HEAD;
    let whole = async {
        let response = egress::send(run, outgoing, guest).await?;
        let (status, mut headers) = (response.status, response.headers);
        let body = response.body.collect(run.limits().response.get()).await?;
        if !is_head && !run.scrubber().is_empty() {
            // What was removed changed the length that the server told.
            headers.insert(
                ::http::header::CONTENT_LENGTH,
                HeaderValue::from(body.len()),
            );
        }
        Ok(Response {
            status: status.as_u16(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body,
        })
    };
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, whole)
            .await
            .unwrap_or(Err(EgressError::request_timed_out())),
        None => whole.await,
    }
}

fn size(request: &Request) -> usize {
    let headers: usize = request
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    request.method.len() + request.url.len() + headers + request.body.as_ref().map_or(0, Vec::len)
}

fn parse(request: Request, timeout: Option<Duration>) -> Result<Outgoing, EgressError> {
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| {
        EgressError::Invalid("the method is not a token; write one such as GET".to_owned())
    })?;
    let url = egress::url(&request.url)?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let bad = |part: &str| {
            let shown = if name.len() <= SHOWN {
                format!("`{}`", name.escape_default())
            } else {
                format!("with a name of {} bytes", name.len())
            };
            EgressError::Invalid(format!(
                "the {part} of the header {shown} has characters that no header can have"
            ))
        };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| bad("value"))?;
        headers
            .try_append(key, value)
            .map_err(|_| EgressError::Invalid("there are too many headers".to_owned()))?;
    }
    // The length is that of the body that is here, whatever the guest says.
    headers.remove(::http::header::CONTENT_LENGTH);
    Ok(Outgoing {
        method,
        url,
        headers,
        body: request
            .body
            .map_or(OutBody::None, |body| OutBody::Whole(body.into())),
        first_byte: timeout,
        between_bytes: None,
    })
}

impl From<EgressError> for HttpError {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Invalid(why) => Self::Invalid(why),
            EgressError::Denied(why) | EgressError::Prohibited(why, _) => Self::Denied(why),
            EgressError::Unreachable(why) => Self::Unreachable(why),
            EgressError::Protocol(why) | EgressError::Withheld(why) => Self::Protocol(why),
            EgressError::Timeout(_) => Self::Timeout,
            EgressError::TooLarge(limit) => Self::TooLarge(limit),
            EgressError::Exhausted(why) => Self::Exhausted(why),
        }
    }
}
