//! JSON documents that are too large for a frame, between runners and the controller.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::value::RawValue;
use wharf_policy::Digest;

use super::auth::{Fetcher, Session};
use super::error::ApiError;
use super::extract::{Segment, Whole};
use super::routes::{JSON, Needs, Operation, Routes, Verb};
use super::{App, blocking, bundles};
use crate::store::Shelf;

/// The most bytes of a payload.
const MAX_PAYLOAD: usize = 64 << 20;

pub(super) fn routes(routes: Routes) -> Routes {
    let put = Operation {
        verb: Verb::Put,
        path: "/v1/payloads/{digest}",
        id: "putPayload",
        summary: "Store a JSON document before a frame names it",
        needs: Needs::Session,
        query: &[],
        body: Some((JSON, None)),
        limit: MAX_PAYLOAD,
        answers: &[(204, "It is stored.", None)],
    };
    let get = Operation {
        verb: Verb::Get,
        id: "getPayload",
        summary: "A stored JSON document",
        needs: Needs::SessionOrReader,
        body: None,
        answers: &[(200, "The document.", Some((JSON, None)))],
        ..put.clone()
    };
    routes.add(put, put_payload).add(get, get_payload)
}

async fn put_payload(
    Session(runner): Session,
    State(app): State<Arc<App>>,
    Segment(digest): Segment<Digest>,
    Whole(bytes): Whole,
) -> Result<StatusCode, ApiError> {
    let blobs = app.blobs.clone();
    blocking(move || {
        let found = wharf_bundle::digest(&bytes);
        if found != digest {
            return Err(ApiError::bad_request(
                "wrong-digest",
                format!("the path says {digest}, the body is {found}"),
            ));
        }
        serde_json::from_slice::<&RawValue>(&bytes).map_err(|error| {
            ApiError::bad_request("bad-body", format!("the payload is not JSON: {error}"))
        })?;
        blobs.put(Shelf::Payloads, &digest, &bytes)?;
        tracing::debug!(%runner, %digest, size = bytes.len(), "a payload is stored");
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn get_payload(
    _: Fetcher,
    State(app): State<Arc<App>>,
    Segment(digest): Segment<Digest>,
) -> Result<Response, ApiError> {
    bundles::fetch(&app, Shelf::Payloads, digest, JSON, "payload").await
}
