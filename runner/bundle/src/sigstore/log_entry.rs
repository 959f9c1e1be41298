//! That a log has an entry: its place in the tree, the checkpoint of the tree, and the promise.
//!
//! What the entry is about is checked in `log_body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sigstore_merkle::{hash_leaf, verify_inclusion_proof};
use sigstore_types::Sha256Hash;
use wharf_policy::Digest;

use super::Rejection;
use super::bundle::{Entry, Proof};
use super::checkpoint::{Checkpoint, Rekor};
use super::trusted_log::Log;
use super::trusted_root::TrustRoot;

/// Checks everything that a log entry brings for being in a log that the root trusts. The answer
/// is the time at which the log took it, where the log signed that.
pub(super) fn verify(
    entry: &Entry,
    root: &TrustRoot,
    now: Timestamp,
) -> Result<Option<Timestamp>, Rejection> {
    let log = root.log(&entry.log_id).ok_or_else(|| {
        refused(format!(
            "the trusted root ({}) does not know the log {}",
            root.name(),
            Digest::from_bytes(entry.log_id).to_hex()
        ))
    })?;
    if !log.is_understood() {
        return Err(refused(
            "the key of its log is of a kind that cannot be checked here",
        ));
    }
    if !log.has_been_trusted(now) {
        return Err(refused("its log is not trusted yet"));
    }
    if let Some(proof) = &entry.proof {
        included(entry, proof, log)?;
    }
    match (&entry.promise, entry.integrated_time) {
        (Some(promise), Some(seconds)) => promised(entry, promise, seconds, log, now).map(Some),
        _ => Ok(None),
    }
}

/// The path leads from the entry to a root, and the log signed a checkpoint with that root.
fn included(entry: &Entry, proof: &Proof, log: &Log) -> Result<(), Rejection> {
    let checkpoint = &proof.checkpoint;
    if proof.root != *checkpoint.root() || proof.tree_size != checkpoint.tree_size() {
        return Err(refused(
            "its inclusion proof and its checkpoint are of different trees",
        ));
    }
    // The index in the tree is a part of the index in the log, which in Rekor v1 has many trees.
    let same_place = if entry.kind.is_v2() {
        entry.index == proof.index
    } else {
        entry.index >= proof.index
    };
    if !same_place {
        return Err(refused("its inclusion proof is for another index"));
    }
    let path: Vec<Sha256Hash> = proof.path.iter().copied().map(Sha256Hash::new).collect();
    verify_inclusion_proof(
        &hash_leaf(&entry.body),
        proof.index,
        proof.tree_size,
        &path,
        &Sha256Hash::new(proof.root),
    )
    .map_err(|error| refused(format!("its inclusion proof: {error}")))?;
    // By what the entry is, not by what the checkpoint looks like.
    let rekor = match entry.kind.is_v2() {
        true => Rekor::V2,
        false => Rekor::V1,
    };
    if rekor == Rekor::V2 {
        of_that_log(checkpoint, log)?;
    }
    let [a, b, c, d, ..] = entry.log_id;
    checkpoint
        .is_signed(rekor, [a, b, c, d], |note, signature| {
            log.verifies(note, signature)
        })
        .map_err(refused)
}

/// A Rekor v2 log signs in the name of its host, so that of logs with the same key none speaks for
/// another. In Rekor v1 the origin is not always that of the address that the root has.
fn of_that_log(checkpoint: &Checkpoint, log: &Log) -> Result<(), Rejection> {
    let (origin, hosts) = (checkpoint.origin(), log.hosts());
    if hosts.is_empty() {
        return Err(refused(
            "the trusted root does not say where its log is (baseUrl), which an entry of Rekor v2 needs",
        ));
    }
    if !hosts.iter().any(|host| host == origin) {
        return Err(refused(format!(
            "its checkpoint is of {origin:?}, and by the trusted root its log is {}",
            hosts.join(" or ")
        )));
    }
    Ok(())
}

/// The log signed that it will include the entry, and when it took it.
fn promised(
    entry: &Entry,
    promise: &[u8],
    seconds: i64,
    log: &Log,
    now: Timestamp,
) -> Result<Timestamp, Rejection> {
    // Canonical JSON (RFC 8785): keys in order, and none of these values needs escaping.
    let signed = format!(
        r#"{{"body":"{}","integratedTime":{seconds},"logID":"{}","logIndex":{}}}"#,
        STANDARD.encode(&entry.body),
        Digest::from_bytes(entry.log_id).to_hex(),
        entry.index
    );
    if !log.verifies(signed.as_bytes(), promise) {
        return Err(refused("the log did not sign its inclusion promise"));
    }
    let time = Timestamp::from_second(seconds)
        .map_err(|_| refused("its integrated time is out of range"))?;
    if time > now {
        return Err(refused(format!(
            "its integrated time {time} is in the future"
        )));
    }
    if !log.is_trusted_at(time) {
        return Err(refused(format!("its log was not trusted at {time}")));
    }
    Ok(time)
}

fn refused(why: impl Into<String>) -> Rejection {
    Rejection::Log(why.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::SigningKey;
    use crate::sigstore::bundle::Kind;
    use crate::sigstore::trusted_log::read_logs;
    use crate::strict_json;

    /// An entry that is alone in its log, whose checkpoint the log signed as `name`, with that origin.
    fn verified(kind: Kind, host: &str, origin: &str, name: &str) -> Result<(), Rejection> {
        let (key, body) = (SigningKey::generate().unwrap(), b"an entry".to_vec());
        let root = *hash_leaf(&body).as_bytes();
        let log = json!({
            "baseUrl": format!("https://{host}"),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(key.public().spki().as_bytes()),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": { "start": "2026-01-01T00:00:00Z" },
            },
            "logId": { "keyId": STANDARD.encode([7; 32]) },
        });
        let logs = read_logs(&[strict_json::from_value(&log).unwrap()]).unwrap();
        let note = format!("{origin}\n1\n{}\n", STANDARD.encode(root));
        let signature = key.sign(note.as_bytes()).unwrap();
        let line = STANDARD.encode([&[7; 4], signature.as_bytes()].concat());
        let proof = Proof {
            index: 0,
            root,
            tree_size: 1,
            path: Vec::new(),
            checkpoint: Checkpoint::parse(&format!("{note}\n— {name} {line}\n")).unwrap(),
        };
        let entry = Entry {
            log_id: [7; 32],
            index: 0,
            kind,
            integrated_time: None,
            promise: None,
            proof: None,
            body,
        };
        included(&entry, &proof, &logs[&[7; 32]])
    }

    #[test]
    fn as_whom_a_log_signs_is_held_to_what_its_entry_is() {
        let (v1, v2) = (Kind::HashedRekordV1, Kind::HashedRekordV2);
        for (kind, host, origin, good) in [
            (v1, "log.test", "log.test - 12", true),
            (v1, "elsewhere.test", "log.test - 12", true),
            (v1, "log.test", "log.test", true),
            (v2, "log.test", "log.test", true),
            (v2, "elsewhere.test", "log.test", false),
            (v2, "log.test", "log.test - 12", false),
            // Also where the root names the log so.
            (v2, "log.test - 12", "log.test - 12", false),
        ] {
            let verified = verified(kind, host, origin, "log.test");
            assert_eq!(
                verified.is_ok(),
                good,
                "{kind:?} {host} {origin}: {verified:?}"
            );
        }
    }
}
