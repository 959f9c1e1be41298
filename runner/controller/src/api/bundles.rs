//! Bundles, their signatures and attestations: published by people, fetched by runners.
//!
//! The controller does not verify signatures or attestations. Runners do, by their own policy.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use wharf_bundle::{
    AttestationFile, MAX_ATTESTATION_FILE, MAX_SIGNATURE_FILE, Manifest, SignatureFile,
};
use wharf_policy::Digest;

use super::auth::{AtLeast, Fetcher, Operator};
use super::error::ApiError;
use super::extract::{Segment, Whole};
use super::routes::{JSON, Needs, Operation, Routes, Verb};
use super::{App, blocking, plugins};
use crate::catalog::PluginRef;
use crate::driver::Command;
use crate::model::{BundleRecord, Change};
use crate::store::{Blobs, Shelf};

/// The most bytes of a bundle.
const MAX_BUNDLE: usize = 64 << 20;

const WASM: &str = "application/wasm";
const JSON_LINES: &str = "application/jsonl";

pub(super) fn routes(routes: Routes) -> Routes {
    let put = Operation {
        verb: Verb::Put,
        path: "/v1/bundles/{digest}",
        id: "publishBundle",
        summary: "Publish a plugin: a component with its manifest inside",
        needs: Needs::Operator,
        query: &[],
        body: Some((WASM, None)),
        limit: MAX_BUNDLE,
        answers: &[
            (
                200,
                "It was published before.",
                Some((JSON, Some("Plugin"))),
            ),
            (201, "It is published.", Some((JSON, Some("Plugin")))),
            (
                400,
                "The digest is not that of the body, or there is no sound manifest.",
                Some((JSON, Some("Error"))),
            ),
        ],
    };
    let get = Operation {
        verb: Verb::Get,
        id: "getBundle",
        summary: "The bytes of a bundle",
        needs: Needs::SessionOrReader,
        body: None,
        answers: &[(200, "The component.", Some((WASM, None)))],
        ..put.clone()
    };
    let put_signature = Operation {
        path: "/v1/bundles/{digest}/signature",
        id: "publishSignature",
        summary: "Publish the Sigstore bundles that sign a bundle, one after the other, in place of earlier ones",
        body: Some((JSON, None)),
        limit: MAX_SIGNATURE_FILE,
        answers: &[
            (204, "It is published.", None),
            (
                400,
                "It is not of the form that runners read, or is of another bundle.",
                Some((JSON, Some("Error"))),
            ),
        ],
        ..put.clone()
    };
    let get_signature = Operation {
        path: "/v1/bundles/{digest}/signature",
        id: "getSignature",
        summary: "The Sigstore bundles that sign a bundle, as they were published",
        answers: &[
            (
                200,
                "One Sigstore bundle, or several one after the other.",
                Some((JSON, None)),
            ),
            (404, "There is none.", Some((JSON, Some("Error")))),
        ],
        ..get.clone()
    };
    let put_attestations = Operation {
        path: "/v1/bundles/{digest}/attestations",
        id: "publishAttestations",
        summary: "Publish the Sigstore bundles that attest something of a bundle, one after the other, in place of earlier ones",
        body: Some((JSON_LINES, None)),
        limit: MAX_ATTESTATION_FILE,
        ..put_signature.clone()
    };
    let get_attestations = Operation {
        path: "/v1/bundles/{digest}/attestations",
        id: "getAttestations",
        summary: "The Sigstore bundles that attest something of a bundle, as they were published",
        answers: &[
            (
                200,
                "One Sigstore bundle, or several one after the other.",
                Some((JSON_LINES, None)),
            ),
            (404, "There are none.", Some((JSON, Some("Error")))),
        ],
        ..get.clone()
    };
    routes
        .add(put, put_bundle)
        .add(get, get_bundle)
        .add(put_signature, put_bundle_signature)
        .add(get_signature, get_bundle_signature)
        .add(put_attestations, put_bundle_attestations)
        .add(get_attestations, get_bundle_attestations)
}

async fn put_bundle(
    _: AtLeast<Operator>,
    State(app): State<Arc<App>>,
    Segment(digest): Segment<Digest>,
    Whole(bytes): Whole,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let known = app.directory.catalog.resolve(&PluginRef::Exactly(digest));
    let known = known.map(|known| Arc::clone(&known.record));
    let now = app.clock.now();
    let blobs = app.blobs.clone();
    let (status, record) = blocking(move || {
        let found = wharf_bundle::digest(&bytes);
        if found != digest {
            return Err(ApiError::bad_request(
                "wrong-digest",
                format!("the path says {digest}, the body is {found}"),
            ));
        }
        let published = match known {
            Some(known) => (StatusCode::OK, known),
            None => {
                let manifest = Manifest::read(&bytes)
                    .map_err(|error| ApiError::bad_request("bad-bundle", error))?;
                let record = BundleRecord {
                    digest,
                    manifest,
                    size: bytes.len() as u64,
                    published: now,
                };
                (StatusCode::CREATED, Arc::new(record))
            }
        };
        // Also of one that is known: its file may be lost, and this brings it back.
        blobs.put(Shelf::Bundles, &digest, &bytes)?;
        Ok(published)
    })
    .await?;
    if status == StatusCode::OK {
        return Ok((status, Json(plugins::document(&app, &record))));
    }
    let change = Change::BundlePublished(Arc::clone(&record));
    app.handle
        .ask(|reply| Command::Keep { change, reply })
        .await?;
    tracing::info!(plugin = %record.manifest.name, version = %record.manifest.version, %digest, "a bundle is published");
    Ok((status, Json(plugins::document(&app, &record))))
}

async fn get_bundle(
    _: Fetcher,
    State(app): State<Arc<App>>,
    Segment(digest): Segment<Digest>,
) -> Result<Response, ApiError> {
    fetch(&app, Shelf::Bundles, digest, WASM, "bundle").await
}

async fn put_bundle_signature(
    _: AtLeast<Operator>,
    State(app): State<Arc<App>>,
    Segment(digest): Segment<Digest>,
    Whole(bytes): Whole,
) -> Result<StatusCode, ApiError> {
    keep_beside(&app, Shelf::Signatures, digest, bytes, move |_, bytes| {
        let signature = SignatureFile::parse(bytes)
            .map_err(|error| ApiError::bad_request("bad-signature", error))?;
        match signature.signed() {
            signed if signed == digest => Ok(()),
            signed => Err(ApiError::bad_request(
                "wrong-digest",
                format!("the path says {digest}, the signature is of {signed}"),
            )),
        }
    })
    .await
}

async fn get_bundle_signature(
    _: Fetcher,
    State(app): State<Arc<App>>,
    Segment(digest): Segment<Digest>,
) -> Result<Response, ApiError> {
    fetch(
        &app,
        Shelf::Signatures,
        digest,
        JSON,
        "signature of a bundle",
    )
    .await
}

async fn put_bundle_attestations(
    _: AtLeast<Operator>,
    State(app): State<Arc<App>>,
    Segment(digest): Segment<Digest>,
    Whole(bytes): Whole,
) -> Result<StatusCode, ApiError> {
    keep_beside(
        &app,
        Shelf::Attestations,
        digest,
        bytes,
        move |blobs, bytes| {
            let attestations = AttestationFile::parse(bytes)
                .map_err(|error| ApiError::bad_request("bad-attestations", error))?;
            let component = blobs.get(Shelf::Bundles, &digest)?.unwrap_or_default();
            attestations
                .check_about(&component)
                .map_err(|error| ApiError::bad_request("wrong-digest", error))
        },
    )
    .await
}

async fn get_bundle_attestations(
    _: Fetcher,
    State(app): State<Arc<App>>,
    Segment(digest): Segment<Digest>,
) -> Result<Response, ApiError> {
    let what = "attestation of a bundle";
    fetch(&app, Shelf::Attestations, digest, JSON_LINES, what).await
}

/// Keeps what goes with a bundle, in place of an earlier one. It comes after the bundle, and is checked
/// only for what runners would not read or not find; whether it proves anything is for them to say.
async fn keep_beside(
    app: &App,
    shelf: Shelf,
    digest: Digest,
    bytes: Bytes,
    check: impl FnOnce(&Blobs, &[u8]) -> Result<(), ApiError> + Send + 'static,
) -> Result<StatusCode, ApiError> {
    let known = app.directory.catalog.resolve(&PluginRef::Exactly(digest));
    if known.is_none() {
        return Err(ApiError::not_found(
            "no-such-bundle",
            format!("there is no bundle {digest}: publish it before what goes with it"),
        ));
    }
    let blobs = app.blobs.clone();
    blocking(move || {
        check(&blobs, &bytes)?;
        blobs.put(shelf, &digest, &bytes)?;
        Ok::<_, ApiError>(StatusCode::NO_CONTENT)
    })
    .await
}

/// The bytes of a blob as a response.
pub(super) async fn fetch(
    app: &App,
    shelf: Shelf,
    digest: Digest,
    media: &'static str,
    what: &str,
) -> Result<Response, ApiError> {
    let blobs = app.blobs.clone();
    let bytes = blocking(move || blobs.get(shelf, &digest)).await?;
    let bytes = bytes.ok_or_else(|| {
        ApiError::not_found("no-such-blob", format!("there is no {what} {digest} here"))
    })?;
    Ok(([(header::CONTENT_TYPE, media)], bytes).into_response())
}
