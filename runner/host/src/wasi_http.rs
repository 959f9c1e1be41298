//! `wasi:http`, 0.2 and 0.3: the same way out as `wharf:plugin/http`.

use std::sync::Arc;

use ::http::{Request, Response};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::egress::{self, EgressError, Guest, OutBody, Outgoing};
use crate::run::Run;
use crate::{Level, LogSource};

/// How long the guest may hold back a chunk of a body: one is buffered, and no more.
const CHUNK: usize = 64 * 1024;

type Done = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(Response<WasiBody>, Done), Error>;

/// What wasmtime calls for a request.
#[derive(Default)]
pub(crate) struct Hooks {
    run: Option<Arc<Run>>,
}

impl Hooks {
    pub(crate) fn bind(&mut self, run: &Arc<Run>) {
        self.run = Some(run.clone());
    }

    pub(crate) fn release(&mut self) {
        self.run = None;
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _read: Done,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let Some(run) = self.run.clone() else {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        Box::new(async move {
            exchange(&run, request, options)
                .await
                .map_err(|error| translate(&run, error))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }
}

async fn exchange(
    run: &Arc<Run>,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<(Response<WasiBody>, Done), EgressError> {
    let (parts, body) = request.into_parts();
    let url =
        egress::url(&parts.uri.to_string()).map_err(|error| egress::unreadable(run, error))?;
    let options = options.unwrap_or_default();
    let outgoing = Outgoing {
        method: parts.method,
        url,
        headers: parts.headers,
        body: OutBody::Stream(body),
        first_byte: match (options.connect_timeout, options.first_byte_timeout) {
            (Some(connect), Some(first)) => Some(connect.saturating_add(first)),
            (_, first) => first,
        },
        between_bytes: options.between_bytes_timeout,
    };
    let incoming = egress::send(run, outgoing, Guest::AddsNothing).await?;
    let mut response = Response::new(
        incoming
            .body
            .map_err({
                let run = run.clone();
                move |error| translate(&run, error)
            })
            .boxed_unsync(),
    );
    *response.status_mut() = incoming.status;
    *response.headers_mut() = incoming.headers;
    Ok((response, Box::new(async { Ok(()) })))
}

/// `wasi:http` has codes where we have sentences, so the sentence goes to the log.
fn translate(run: &Run, error: EgressError) -> Error {
    run.line(
        Level::Warn,
        LogSource::Host,
        format!("a request failed: {error}"),
        Vec::new(),
    );
    match error {
        EgressError::Invalid(_) => Error::HttpRequestUriInvalid,
        EgressError::Denied(_) => Error::HttpRequestDenied,
        EgressError::Prohibited(..) => Error::DestinationIpProhibited,
        EgressError::Unreachable(_) => Error::DestinationUnavailable,
        EgressError::Protocol(why) | EgressError::Withheld(why) => Error::InternalError(Some(why)),
        EgressError::Timeout(_) => Error::ConnectionReadTimeout,
        EgressError::TooLarge(limit) => Error::HttpResponseBodySize(Some(limit)),
        EgressError::Exhausted(_) => Error::ConnectionLimitReached,
    }
}
