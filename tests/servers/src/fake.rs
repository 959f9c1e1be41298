//! A small HTTP server with fixed answers: what fakes of services are made of, for those of which no real
//! server can be had.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::task::JoinHandle;

/// What is answered at a path.
#[derive(Clone)]
pub(crate) enum Answer {
    /// This status and this body.
    Text(u16, String),
    /// A redirect with this status to there.
    Redirect(u16, String),
    /// A body that begins as one and never ends.
    Endless(&'static str),
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Text(status, body) => {
                (StatusCode::from_u16(status).unwrap(), body).into_response()
            }
            Self::Redirect(status, to) => {
                let status = StatusCode::from_u16(status).unwrap();
                (status, [("location", to)]).into_response()
            }
            Self::Endless(begin) => {
                let more = Bytes::from(vec![b'x'; 16 << 10]);
                let begin = futures_util::stream::iter([Bytes::from(begin)]);
                let body = futures_util::StreamExt::chain(
                    begin,
                    futures_util::stream::repeat_with(move || more.clone()),
                );
                let body = futures_util::StreamExt::map(body, Ok::<_, std::io::Error>);
                Body::from_stream(body).into_response()
            }
        }
    }
}

type Guard = fn(&str, &HeaderMap) -> Option<Answer>;

/// A running fake; it ends when dropped.
pub(crate) struct Fake {
    url: String,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<AtomicUsize>,
    guard: Guard,
    missing: Answer,
}

impl Fake {
    /// Starts one. `guard` answers before anything is looked up, or lets the request pass; `missing` is
    /// for paths without an answer.
    pub(crate) async fn start(guard: Guard, missing: Answer) -> Self {
        let (answers, asked) = (Arc::default(), Arc::default());
        let shared = Shared {
            answers: Arc::clone(&answers),
            asked: Arc::clone(&asked),
            guard,
            missing,
        };
        let app = Router::new().fallback(answer).with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            url,
            answers,
            asked,
            server,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many requests there were.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn answer(&self, path: String, answer: Answer) {
        self.answers.lock().unwrap().insert(path, answer);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Shared>, uri: Uri, headers: HeaderMap) -> Answer {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let path = uri.path();
    if let Some(answer) = (shared.guard)(path, &headers) {
        return answer;
    }
    let known = shared.answers.lock().unwrap().get(path).cloned();
    known.unwrap_or(shared.missing)
}
