//! Bodies of responses: counted, bounded in time, and scrubbed on their way in.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::connections::Exchange;
use super::{EgressError, Told, error};
use crate::StreamScrubber;
use crate::run::Run;

/// The body of a response.
pub(crate) struct Body {
    /// What comes, and over what, until its end.
    from: Option<(Incoming, Exchange)>,
    told: Told,
    run: Arc<Run>,
    scrub: StreamScrubber,
    wait: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Body {
    pub(super) fn new(
        run: &Arc<Run>,
        from: (Incoming, Exchange),
        told: Told,
        wait: Duration,
    ) -> Self {
        Self {
            from: Some(from),
            told,
            run: run.clone(),
            scrub: run.scrubber().stream(),
            timer: Box::pin(tokio::time::sleep_until(until(run, wait))),
            wait,
        }
    }

    /// All of it, if it is no more than so many bytes.
    pub(crate) async fn collect(mut self, most: u64) -> Result<Vec<u8>, EgressError> {
        let mut whole = Vec::new();
        while let Some(frame) = self.frame().await {
            if let Ok(data) = frame?.into_data() {
                if (whole.len() + data.len()) as u64 > most {
                    return Err(self.breaks_off(EgressError::TooLarge(most)));
                }
                whole.extend_from_slice(&data);
            }
        }
        Ok(whole)
    }

    /// There is no more of it.
    fn ends(&mut self) {
        if let Some((_, exchange)) = self.from.take() {
            exchange.is_whole();
            if let Some(error) = exchange.broken() {
                self.told.refused(&self.run, error);
            }
        }
    }

    /// The rest of it is not wanted. Says so where it is the host that does not want it.
    fn breaks_off(&mut self, error: EgressError) -> EgressError {
        self.from = None;
        self.told.refused(&self.run, &error);
        error
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
        Poll::Ready(Some(Err(self.breaks_off(error))))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        match &self.from {
            Some((incoming, _)) if incoming.is_end_stream() => self.ends(),
            Some((_, exchange)) => {
                if let Some(error) = exchange.broken() {
                    self.told.refused(&self.run, error);
                }
            }
            None => {}
        }
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
            let Some((incoming, exchange)) = &mut this.from else {
                return Poll::Ready(None);
            };
            let frame = match Pin::new(incoming).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(this.timer.as_mut().poll(cx));
                    let why = this.why_not_longer();
                    return this.fail(why);
                }
            };
            let data = match frame {
                None => {
                    this.ends();
                    let rest = this.scrub.finish();
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
                Some(Err(error)) => {
                    if let Some(error) = exchange.broken().cloned() {
                        return this.fail(error);
                    }
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
