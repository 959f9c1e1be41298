//! Bodies on their way: counted out, and counted, bounded in time and scrubbed in.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::WasiBody;

use super::connections::{Connection, Open};
use super::traffic::Traffic;
use super::{EgressError, OutBody, error};
use crate::StreamScrubber;
use crate::run::Run;

/// The body of a request, for the client. A body that is still being written must come to the
/// length that was declared for it. It has its place among the connections until it is dropped: a
/// server may answer before it has read all of it, and then the connection outlives the answer.
pub(super) fn request(
    body: OutBody,
    length: Option<u64>,
    traffic: &Arc<Traffic>,
    place: &Arc<Open>,
    broken: &Arc<OnceLock<EgressError>>,
) -> Result<Option<reqwest::Body>, EgressError> {
    Ok(match body {
        OutBody::None => None,
        OutBody::Whole(bytes) => {
            traffic.sent(bytes.len() as u64)?;
            Some(bytes.into())
        }
        OutBody::Stream(stream) if stream.is_end_stream() => match length {
            None | Some(0) => None,
            Some(length) => return Err(EgressError::Invalid(Missized(length).to_string())),
        },
        OutBody::Stream(stream) => Some(reqwest::Body::wrap(Counted {
            stream: Mutex::new(stream),
            traffic: traffic.clone(),
            broken: broken.clone(),
            _place: place.clone(),
            length: length.map(|length| Length {
                declared: length,
                left: length,
            }),
        })),
    })
}

/// A body that is not as long as was declared. Sent so, a server would take the rest of it, or the
/// next request, for something else.
#[derive(Debug, thiserror::Error)]
#[error("the body does not come to the {0} bytes that `content-length` declares")]
struct Missized(u64);

/// A body that the guest is still writing. The lock is never waited for: it only makes the body
/// shareable, as the client wants it.
struct Counted {
    stream: Mutex<WasiBody>,
    traffic: Arc<Traffic>,
    /// The limit that it reached, if it did: the client tells of a broken body.
    broken: Arc<OnceLock<EgressError>>,
    length: Option<Length>,
    _place: Arc<Open>,
}

struct Length {
    declared: u64,
    left: u64,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Counted {
    fn count(&mut self, bytes: u64) -> Result<(), BoxError> {
        if let Err(error) = self.traffic.sent(bytes) {
            return Err(self.broken.get_or_init(|| error).clone().into());
        }
        if let Some(length) = &mut self.length {
            let missized = Missized(length.declared);
            length.left = length.left.checked_sub(bytes).ok_or(missized)?;
        }
        Ok(())
    }

    fn whole(&self) -> Result<(), BoxError> {
        match &self.length {
            Some(length) if length.left > 0 => Err(Missized(length.declared).into()),
            _ => Ok(()),
        }
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
            let stream = this
                .stream
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner);
            let Some(frame) = ready!(Pin::new(stream).poll_frame(cx)).transpose()? else {
                return Poll::Ready(this.whole().err().map(Err));
            };
            // Trailers are not passed on: they are headers that nothing checks.
            if let Ok(data) = frame.into_data() {
                this.count(data.len() as u64)?;
                return Poll::Ready(Some(Ok(Frame::data(data))));
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

/// The body of a response.
pub(crate) struct Body {
    inner: reqwest::Body,
    run: Arc<Run>,
    scrub: StreamScrubber,
    wait: Duration,
    timer: Pin<Box<Sleep>>,
    /// The connection that it comes by, until its end.
    by: Option<Connection>,
}

impl Body {
    pub(super) fn new(
        run: &Arc<Run>,
        inner: reqwest::Body,
        by: Connection,
        wait: Duration,
    ) -> Self {
        Self {
            inner,
            run: run.clone(),
            scrub: run.scrubber().stream(),
            timer: Box::pin(tokio::time::sleep_until(until(run, wait))),
            wait,
            by: Some(by),
        }
    }

    /// All of it, if it is no more than so many bytes.
    pub(crate) async fn collect(mut self, most: u64) -> Result<Vec<u8>, EgressError> {
        let mut whole = Vec::new();
        while let Some(frame) = self.frame().await {
            if let Ok(data) = frame?.into_data() {
                if (whole.len() + data.len()) as u64 > most {
                    return Err(EgressError::TooLarge(most));
                }
                whole.extend_from_slice(&data);
            }
        }
        Ok(whole)
    }

    fn end(&mut self) {
        // First, so that one with more to come is closed and not kept.
        self.inner = reqwest::Body::default();
        self.by = None;
    }

    /// Who would have to wait longer for the next part.
    fn why_not_longer(&self) -> EgressError {
        let limits = self.run.limits();
        if Instant::now() >= self.run.deadline {
            EgressError::deadline(limits)
        } else if self.wait >= limits.between_bytes.duration() {
            EgressError::between_bytes(limits)
        } else {
            EgressError::request_timed_out()
        }
    }

    fn fail(&mut self, error: EgressError) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        self.end();
        Poll::Ready(Some(Err(error)))
    }
}

/// When to give up on the next part.
fn until(run: &Run, wait: Duration) -> Instant {
    Instant::now()
        .checked_add(wait)
        .map_or(run.deadline, |at| at.min(run.deadline))
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let this = &mut *self;
        loop {
            if this.by.is_none() {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(this.timer.as_mut().poll(cx));
                    let why = this.why_not_longer();
                    return this.fail(why);
                }
            };
            let data = match frame {
                None => {
                    this.end();
                    let rest = this.scrub.finish();
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
                Some(Err(error)) => {
                    let why = error::deepest(&error);
                    let why = this.run.scrubber().scrub(&why).into_owned();
                    return this.fail(EgressError::Protocol(format!(
                        "the response broke off: {why}"
                    )));
                }
                // Trailers are not passed on: nothing bounds or scrubs them.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_) => continue,
                },
            };
            if let Err(error) = this.run.traffic.received(data.len() as u64) {
                return this.fail(error);
            }
            let next = until(&this.run, this.wait);
            this.timer.as_mut().reset(next);
            let clean = this.scrub.push(data);
            if !clean.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(clean))));
            }
        }
    }
}
