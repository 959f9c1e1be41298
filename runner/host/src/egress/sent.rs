//! Bodies of requests: counted against the limits of the run, given a piece at a time, and as long as
//! was declared.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use wasmtime_wasi_http::WasiBody;

use super::connections::Exchange;
use super::traffic::Traffic;
use super::{EgressError, OutBody};

/// The size of a piece, in bytes.
const PIECE: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request, as it is sent.
pub(super) type Sent = UnsyncBoxBody<Bytes, BoxError>;

/// Why a body broke off, where it did: a connection only tells that it did.
pub(super) type Broken = Arc<OnceLock<EgressError>>;

/// The body of a request, as it is sent. It holds the exchange until it has ended. One that is still
/// being written must come to the length that was declared for it.
pub(super) fn request(
    body: OutBody,
    length: Option<u64>,
    traffic: &Arc<Traffic>,
    exchange: &Arc<Exchange>,
    broken: &Broken,
) -> Result<Sent, EgressError> {
    Ok(match body {
        OutBody::None => nothing(),
        OutBody::Whole(bytes) => {
            traffic.sent(bytes.len() as u64)?;
            Whole {
                rest: bytes,
                _exchange: exchange.clone(),
            }
            .boxed_unsync()
        }
        OutBody::Stream(stream) if stream.is_end_stream() => match length {
            None | Some(0) => nothing(),
            Some(length) => return Err(missized(length)),
        },
        OutBody::Stream(stream) => Counted {
            stream,
            traffic: traffic.clone(),
            broken: broken.clone(),
            length: length.map(|length| Length {
                declared: length,
                left: length,
            }),
            _exchange: exchange.clone(),
        }
        .boxed_unsync(),
    })
}

fn nothing() -> Sent {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body is not as long as was declared. Sent so, a server would take the rest of it, or the next
/// request, for something else.
fn missized(declared: u64) -> EgressError {
    EgressError::Invalid(format!(
        "the body does not come to the {declared} bytes that `content-length` declares"
    ))
}

/// A body that is all here. What the server does not take in yet stays here, and the connection in
/// use.
struct Whole {
    rest: Bytes,
    _exchange: Arc<Exchange>,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let most = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(most)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// A body that the guest is still writing.
struct Counted {
    stream: WasiBody,
    traffic: Arc<Traffic>,
    broken: Broken,
    length: Option<Length>,
    _exchange: Arc<Exchange>,
}

struct Length {
    declared: u64,
    left: u64,
}

impl Counted {
    fn count(&mut self, bytes: u64) -> Result<(), EgressError> {
        self.traffic.sent(bytes)?;
        if let Some(length) = &mut self.length {
            let left = length.left.checked_sub(bytes);
            length.left = left.ok_or_else(|| missized(length.declared))?;
        }
        Ok(())
    }

    fn is_whole(&self) -> Result<(), EgressError> {
        match &self.length {
            Some(length) if length.left > 0 => Err(missized(length.declared)),
            _ => Ok(()),
        }
    }

    fn breaks_off(&self, error: EgressError) -> BoxError {
        self.broken.get_or_init(|| error).clone().into()
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            let frame = Pin::new(&mut this.stream).poll_frame(cx);
            let Some(frame) = ready!(frame).transpose()? else {
                let why = this.is_whole().err();
                return Poll::Ready(why.map(|error| Err(this.breaks_off(error))));
            };
            // Trailers are not passed on: they are headers that nothing checks.
            if let Ok(data) = frame.into_data() {
                let counted = this.count(data.len() as u64);
                let counted = counted.map_err(|error| this.breaks_off(error));
                return Poll::Ready(Some(counted.map(|()| Frame::data(data))));
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.length {
            Some(length) => SizeHint::with_exact(length.left),
            None => SizeHint::default(),
        }
    }
}
