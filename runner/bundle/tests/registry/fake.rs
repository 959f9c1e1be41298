//! A registry that is whole and honest until a test twists an answer, and that remembers what it was
//! asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use wharf_bundle::digest;
use wharf_bundle::oci::{BUNDLE_TYPE, INDEX_TYPE, MANIFEST_TYPE};

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    /// The path and query.
    pub path: String,
    pub authorization: Option<String>,
    /// How often the same was asked before.
    pub before: usize,
}

impl Ask {
    pub fn is(&self, method: Method, part: &str) -> bool {
        self.method == method && self.path.contains(part)
    }
}

type Twist = dyn Fn(&Ask, &Store) -> Option<Response> + Send + Sync;

/// What a registry keeps, all in one repository.
#[derive(Default)]
pub struct Store {
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// By tag and by digest: the media type and the bytes.
    pub manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// Blobs that are kept when they are uploaded, whatever is answered.
    pub arriving: BTreeMap<String, Vec<u8>>,
    /// The sessions of uploads that were begun, by their paths. Each takes bytes once.
    sessions: BTreeSet<String>,
}

impl Store {
    pub fn manifest(&self, name: &str) -> Response {
        match self.manifests.get(name) {
            Some((media_type, bytes)) => manifest(media_type, bytes),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn put(&mut self, name: &str, media_type: &str, bytes: &[u8]) {
        for name in [name.to_owned(), digest(bytes).to_string()] {
            self.manifests
                .insert(name, (media_type.to_owned(), bytes.to_vec()));
        }
    }

    /// The manifests that say they are about that image.
    pub fn referrers(&self, image: &str) -> Vec<Value> {
        self.manifests
            .iter()
            .filter(|(name, _)| name.starts_with("sha256:"))
            .filter_map(|(name, (_, bytes))| {
                let document: Value = serde_json::from_slice(bytes).ok()?;
                (document["subject"]["digest"] == image).then(|| {
                    let mut entry = json!({
                        "mediaType": MANIFEST_TYPE, "digest": name, "size": bytes.len(),
                        "artifactType": document["artifactType"],
                    });
                    if let Some(annotations) = document.get("annotations") {
                        entry["annotations"] = annotations.clone();
                    }
                    entry
                })
            })
            .collect()
    }
}

/// A manifest as it is answered.
pub fn manifest(media_type: &str, bytes: &[u8]) -> Response {
    (
        [(header::CONTENT_TYPE, media_type.to_owned())],
        bytes.to_vec(),
    )
        .into_response()
}

/// An index of these entries, as it is answered.
pub fn index(entries: &[Value]) -> Response {
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries });
    manifest(INDEX_TYPE, index.to_string().as_bytes())
}

/// A body that has no end.
pub fn endless() -> Response {
    let zeros = Bytes::from_static(&[b' '; 1 << 16]);
    Body::from_stream(futures_util::stream::repeat_with(move || {
        Ok::<_, std::convert::Infallible>(zeros.clone())
    }))
    .into_response()
}

/// An answer that leads elsewhere.
pub fn elsewhere(status: StatusCode, location: &str) -> Response {
    (status, [(header::LOCATION, location.to_owned())]).into_response()
}

struct Shared {
    store: Mutex<Store>,
    asked: Mutex<Vec<Ask>>,
    twist: Box<Twist>,
    lists: bool,
}

/// A running registry.
pub struct Fake {
    shared: Arc<Shared>,
    pub port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// An honest one, that keeps lists of referrers.
    pub async fn honest() -> Self {
        Self::start(true, Box::new(|_, _| None)).await
    }

    /// An honest one, that keeps no lists.
    pub async fn old() -> Self {
        Self::start(false, Box::new(|_, _| None)).await
    }

    /// One that answers so where the twist answers, and keeps lists.
    pub async fn twisted(
        twist: impl Fn(&Ask, &Store) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        Self::start(true, Box::new(twist)).await
    }

    pub async fn start(lists: bool, twist: Box<Twist>) -> Self {
        let shared = Arc::new(Shared {
            store: Mutex::default(),
            asked: Mutex::default(),
            twist,
            lists,
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new()
            .fallback(answer)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { shared, port, task }
    }

    /// A reference into it.
    pub fn reference(&self, rest: &str) -> wharf_bundle::oci::Reference {
        format!("127.0.0.1:{}/acme/http{rest}", self.port)
            .parse()
            .unwrap()
    }

    pub fn asked(&self) -> Vec<Ask> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub fn count(&self, method: Method, part: &str) -> usize {
        let asked = self.asked();
        asked
            .iter()
            .filter(|ask| ask.is(method.clone(), part))
            .count()
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Store) -> T) -> T {
        look(&mut self.shared.store.lock().unwrap())
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.to_string();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let ask = {
        let mut asked = shared.asked.lock().unwrap();
        let same = |other: &&Ask| other.method == parts.method && other.path == path;
        let ask = Ask {
            before: asked.iter().filter(same).count(),
            method: parts.method.clone(),
            path: path.clone(),
            authorization: parts
                .headers
                .get(header::AUTHORIZATION)
                .map(|value| value.to_str().unwrap().to_owned()),
        };
        asked.push(ask.clone());
        ask
    };
    let mut store = shared.store.lock().unwrap();
    if ask.is(Method::PUT, "/blobs/uploads/") {
        let session = path.split('?').next().unwrap();
        if !store.sessions.remove(session) {
            return StatusCode::NOT_FOUND.into_response();
        }
        let name = path.rsplit_once("digest=").unwrap().1.replace("%3A", ":");
        if let Some(blob) = store.arriving.remove(&name) {
            store.blobs.insert(name, blob);
        }
    }
    if let Some(twisted) = (shared.twist)(&ask, &store) {
        return twisted;
    }
    let media_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap().to_owned());
    honest(&mut store, shared.lists, &ask, media_type.as_deref(), &body)
}

fn honest(
    store: &mut Store,
    lists: bool,
    ask: &Ask,
    media_type: Option<&str>,
    body: &[u8],
) -> Response {
    let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
    let rest = path.strip_prefix("/v2/acme/http/").unwrap_or_default();
    let (kind, name) = rest.split_once('/').unwrap_or_default();
    match (ask.method.as_str(), kind) {
        ("POST", "blobs") => {
            let session = format!("{path}{}", ask.before);
            store.sessions.insert(session.clone());
            elsewhere(StatusCode::ACCEPTED, &format!("{session}?state=2"))
        }
        ("PUT", "blobs") => {
            let digits = query.rsplit_once("digest=sha256%3A").unwrap().1;
            assert_eq!(digest(body).to_hex(), digits);
            store
                .blobs
                .insert(format!("sha256:{digits}"), body.to_vec());
            StatusCode::CREATED.into_response()
        }
        ("GET" | "HEAD", "blobs") => match store.blobs.get(name) {
            Some(blob) => blob.clone().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        ("GET", "manifests") => store.manifest(name),
        ("PUT", "manifests") => {
            store.put(name, media_type.unwrap(), body);
            let subject: Value = serde_json::from_slice(body).unwrap();
            match subject["subject"]["digest"].as_str().filter(|_| lists) {
                Some(subject) => {
                    (StatusCode::CREATED, [("oci-subject", subject.to_owned())]).into_response()
                }
                None => StatusCode::CREATED.into_response(),
            }
        }
        ("GET", "referrers") if lists => {
            assert!(query.is_empty() || query.contains("artifactType="));
            let mut found = store.referrers(name);
            found.retain(|entry| query.is_empty() || entry["artifactType"] == BUNDLE_TYPE);
            index(&found)
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
