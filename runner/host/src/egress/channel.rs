//! One connection that speaks HTTP, in whatever version, to one origin.
//!
//! Everything that runs for it ends when it is closed, whatever the server does meanwhile: a body
//! that it does not take in, or an end that it does not acknowledge, keeps nothing alive.

use std::time::Duration;

use ::http::header::{HOST, TRANSFER_ENCODING};
use ::http::uri::PathAndQuery;
use ::http::{HeaderValue, Request, Response, Uri};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::sent::Sent;

/// How long one that was kept may take to be ready again. It has nothing to do but to notice that
/// the last answer has ended.
const READY: Duration = Duration::from_millis(100);

/// The version of HTTP that both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A connection. It is closed when this is dropped.
pub(super) struct Channel {
    sender: Sender,
    until: CancellationToken,
    /// The server speaks HTTP/1.0, to which the next request could not say where its body ends.
    is_last: bool,
}

enum Sender {
    One(http1::SendRequest<Sent>),
    Two(http2::SendRequest<Sent>),
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The connection had ended before anything of the request was sent. Here it is back.
    Unsent(Box<Request<Sent>>),
    Broken(hyper::Error),
}

/// Runs what belongs to a connection until it is closed.
#[derive(Clone)]
struct Tasks(CancellationToken);

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let closed = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = closed.cancelled() => {}
                () = task => {}
            }
        });
    }
}

impl Channel {
    /// Speaks HTTP over a stream, until then at the latest.
    pub(super) async fn open<S>(
        stream: S,
        version: Version,
        until: CancellationToken,
    ) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let tasks = Tasks(until.clone());
        // Whoever opens it may give up.
        let closes = until.drop_guard();
        let stream = TokioIo::new(stream);
        let sender = match version {
            Version::One => {
                let (sender, connection) = http1::handshake(stream).await?;
                tasks.execute(async {
                    // Whoever waits for the answer is told.
                    let _ = connection.await;
                });
                Sender::One(sender)
            }
            Version::Two => {
                let (sender, connection) = http2::handshake(tasks.clone(), stream).await?;
                tasks.execute(async {
                    let _ = connection.await;
                });
                Sender::Two(sender)
            }
        };
        Ok(Self {
            sender,
            until: closes.disarm(),
            is_last: false,
        })
    }

    /// Comes when another request can be sent, or not.
    pub(super) async fn is_ready(&mut self) -> bool {
        let ready = async {
            match &mut self.sender {
                Sender::One(sender) => sender.ready().await,
                Sender::Two(sender) => sender.ready().await,
            }
        };
        matches!(tokio::time::timeout(READY, ready).await, Ok(Ok(())))
    }

    /// Sends a request to an absolute URL, and gives the head of the answer.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Sent>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let url = request.uri().clone();
        let answer = match &mut self.sender {
            Sender::One(sender) => {
                in_origin_form(&mut request, &url);
                sender.try_send_request(request).await
            }
            Sender::Two(sender) => sender.try_send_request(request).await,
        };
        if let Ok(answer) = &answer {
            self.is_last = answer.version() == ::http::Version::HTTP_10;
        }
        answer.map_err(|mut error| match error.take_message() {
            Some(mut request) => {
                request.headers_mut().remove(HOST);
                request.headers_mut().remove(TRANSFER_ENCODING);
                *request.uri_mut() = url;
                Unanswered::Unsent(Box::new(request))
            }
            None => Unanswered::Broken(error.into_error()),
        })
    }

    /// Whether another request may be sent over it when this one's answer has ended.
    pub(super) fn is_reusable(&self) -> bool {
        !self.is_last
    }

    /// Closes it, though something may still be sent over it.
    pub(super) fn close(&self) {
        self.until.cancel();
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.close();
    }
}

/// The path and the host apart, as HTTP/1 wants them, and whether the body comes in chunks: without
/// that word hyper sends none with a method for which it is not usual.
fn in_origin_form(request: &mut Request<Sent>, url: &Uri) {
    let path = url.path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = path.into();
    let host = url
        .authority()
        .map(|host| HeaderValue::from_str(host.as_str()));
    if let Some(Ok(host)) = host {
        request.headers_mut().insert(HOST, host);
    }
    if request.body().size_hint().exact().is_none() {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
    }
}
