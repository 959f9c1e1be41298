//! Bodies of requests: counted against the limits of the run, given a piece at a time, and as long as
//! was declared. What ends one is told to the auditor where nobody else would tell it.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use wasmtime_wasi_http::WasiBody;

use super::connections::{Exchange, Sending};
use super::{EgressError, OutBody, Told};
use crate::run::Run;

/// The size of a piece, in bytes.
const PIECE: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request, as it is sent.
pub(super) type Sent = UnsyncBoxBody<Bytes, BoxError>;

/// What is known of a body before it is sent.
pub(super) struct Expected {
    /// What was declared for it, in bytes.
    pub(super) length: Option<u64>,
    /// Whether requests with this method have one.
    pub(super) is_usual: bool,
}

impl Expected {
    /// Whether a body of that length is what was declared.
    fn is(&self, length: u64) -> Result<(), EgressError> {
        match self.length {
            Some(declared) if declared != length => Err(missized(declared)),
            _ => Ok(()),
        }
    }
}

/// The body of a request, as it is sent. It holds the connection until it has ended. One that is
/// still being written must come to the length that was declared for it; if none was, and none is
/// usual, this waits for its first part, to know whether there is a body at all.
pub(super) async fn request(
    run: &Arc<Run>,
    told: &Told,
    body: OutBody,
    expected: Expected,
    exchange: &Exchange,
) -> Result<Sent, EgressError> {
    let mut stream = match body {
        OutBody::None => return expected.is(0).map(|()| nothing()),
        OutBody::Whole(bytes) => {
            expected.is(bytes.len() as u64)?;
            run.traffic.sent(bytes.len() as u64)?;
            let whole = Whole {
                rest: bytes,
                _sending: exchange.sending(),
            };
            return Ok(whole.boxed_unsync());
        }
        OutBody::Stream(stream) => stream,
    };
    let mut first = None;
    if expected.length.is_none() && !expected.is_usual {
        first = first_part(&mut stream).await?;
        if first.is_none() {
            return Ok(nothing());
        }
    } else if stream.is_end_stream() {
        return expected.is(0).map(|()| nothing());
    }
    let counted = Counted {
        first,
        stream,
        length: expected.length.map(|length| Length {
            declared: length,
            left: length,
        }),
        run: Arc::downgrade(run),
        told: told.clone(),
        sending: exchange.sending(),
    };
    Ok(counted.boxed_unsync())
}

/// The first part with any bytes, if there is one.
async fn first_part(stream: &mut WasiBody) -> Result<Option<Bytes>, EgressError> {
    while let Some(frame) = stream.frame().await {
        let frame =
            frame.map_err(|error| EgressError::Invalid(format!("the body broke off: {error}")))?;
        match frame.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            _ => {}
        }
    }
    Ok(None)
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
    _sending: Sending,
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
    first: Option<Bytes>,
    stream: WasiBody,
    length: Option<Length>,
    /// Not held: what is left of a run is wiped when it is over.
    run: Weak<Run>,
    told: Told,
    sending: Sending,
}

type Part = Result<Frame<Bytes>, wasmtime_wasi_http::Error>;

struct Length {
    declared: u64,
    left: u64,
}

impl Counted {
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Part>> {
        match self.first.take() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Pin::new(&mut self.stream).poll_frame(cx),
        }
    }

    fn count(&mut self, bytes: u64) -> Result<(), EgressError> {
        let Some(run) = self.run.upgrade() else {
            return Err(EgressError::Denied("the execution is over".to_owned()));
        };
        run.traffic.sent(bytes)?;
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
        let (error, is_unheard) = self.sending.breaks_off(error);
        if is_unheard && let Some(run) = self.run.upgrade() {
            self.told.refused(&run, error);
        }
        error.clone().into()
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
            let Some(frame) = ready!(this.poll_part(cx)).transpose()? else {
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
