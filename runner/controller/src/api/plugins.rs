//! The published plugins.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::auth::{AtLeast, Reader};
use super::error::ApiError;
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use super::{App, blocking, millis};
use crate::model::BundleRecord;
use crate::store::Shelf;

pub(super) fn routes(routes: Routes) -> Routes {
    let list = Operation {
        verb: Verb::Get,
        path: "/v1/plugins",
        id: "listPlugins",
        summary: "All published plugins with their actions and schemas",
        needs: Needs::Reader,
        query: &[],
        body: None,
        limit: SMALL,
        answers: &[(200, "The plugins.", Some((JSON, Some("Plugins"))))],
    };
    routes.add(list, get_plugins)
}

async fn get_plugins(
    _: AtLeast<Reader>,
    State(app): State<Arc<App>>,
) -> Result<Json<Value>, ApiError> {
    let plugins: Vec<Value> = blocking(move || {
        let plugins = app.directory.catalog.list();
        Ok::<_, ApiError>(plugins.iter().map(|p| document(&app, &p.record)).collect())
    })
    .await?;
    Ok(Json(json!({ "plugins": plugins })))
}

/// A plugin as it is shown.
pub(super) fn document(app: &App, record: &BundleRecord) -> Value {
    let actions: Map<String, Value> = record
        .manifest
        .actions
        .iter()
        .map(|(name, action)| {
            let shown = json!({
                "description": action.description,
                "idempotent": action.idempotent,
                "input_schema": action.input_schema,
                "output_schema": action.output_schema,
            });
            (name.to_string(), shown)
        })
        .collect();
    json!({
        "name": record.manifest.name,
        "version": record.manifest.version,
        "digest": record.digest,
        "description": record.manifest.description,
        "size": record.size,
        "signed": app.blobs.size(Shelf::Signatures, &record.digest).is_some(),
        "attested": app.blobs.size(Shelf::Attestations, &record.digest).is_some(),
        "published_ms": millis(record.published),
        "actions": actions,
    })
}
