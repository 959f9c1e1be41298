//! Rekor: an entry of a transparency log about a signature, with the proof that it is in there.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sigstore_rekor::LogEntry;
use sigstore_types::bundle::{KindVersion, TransparencyLogEntry};

use super::service::Service;
use super::{Draft, Signatory, SigningError};

/// How a log is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogVersion {
    /// Rekor v1, which also says when.
    V1,
    /// Rekor v2, which needs a timestamp beside it.
    V2,
}

/// A transparency log.
#[derive(Debug)]
pub struct Log {
    pub(super) service: Service,
    pub(super) version: LogVersion,
}

/// Has a signature logged. Nothing of the answer is believed: it is verified with the bundle.
pub(super) async fn log(log: &Log, draft: &Draft) -> Result<TransparencyLogEntry, SigningError> {
    let (path, request) = match log.version {
        LogVersion::V1 => ("api/v1/log/entries", request_v1(draft)),
        LogVersion::V2 => ("api/v2/log/entries", request_v2(draft)),
    };
    let answer = log
        .service
        .post(
            path,
            "application/json",
            "application/json",
            request.to_string().into_bytes(),
            &[],
        )
        .await?;
    let not_an_entry = |why: String| {
        log.service
            .answered(format!("it is not a log entry: {why}"))
    };
    match log.version {
        LogVersion::V1 => {
            let entries: HashMap<String, LogEntry> =
                serde_json::from_slice(&answer).map_err(|error| not_an_entry(error.to_string()))?;
            let mut entries = entries.into_values();
            match (entries.next(), entries.next()) {
                (Some(entry), None) => entry
                    .to_bundle_entry(KindVersion::HashedRekordV001)
                    .map_err(|error| not_an_entry(error.to_string())),
                _ => Err(not_an_entry("there must be exactly one".to_owned())),
            }
        }
        LogVersion::V2 => {
            serde_json::from_slice(&answer).map_err(|error| not_an_entry(error.to_string()))
        }
    }
}

fn request_v1(draft: &Draft) -> Value {
    let pem = match &draft.by {
        Signatory::Key { spki, .. } => spki.to_pem(),
        Signatory::Certificate(certificate) => certificate.to_pem(),
    };
    // The log writes the entry anew with line feeds, and one of them at the end.
    let pem = format!("{}\n", pem.replace("\r\n", "\n").trim_end());
    json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": draft.digest.to_hex() } },
            "signature": {
                "content": draft.signature.to_base64(),
                "publicKey": { "content": STANDARD.encode(pem) },
            },
        },
    })
}

fn request_v2(draft: &Draft) -> Value {
    let mut verifier = match &draft.by {
        Signatory::Key { spki, .. } => json!({ "publicKey": { "rawBytes": spki.to_base64() } }),
        Signatory::Certificate(certificate) => {
            json!({ "x509Certificate": { "rawBytes": certificate.to_base64() } })
        }
    };
    verifier["keyDetails"] = "PKIX_ECDSA_P256_SHA_256".into();
    json!({
        "hashedRekordRequestV002": {
            "digest": STANDARD.encode(draft.digest.as_bytes()),
            "signature": { "content": draft.signature.to_base64(), "verifier": verifier },
        },
    })
}
