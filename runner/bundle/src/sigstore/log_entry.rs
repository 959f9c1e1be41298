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
use super::checkpoint::Checkpoint;
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
    if entry.kind.is_v2() {
        of_that_log(checkpoint, log)?;
    }
    let [a, b, c, d, ..] = entry.log_id;
    checkpoint
        .is_signed([a, b, c, d], |note, signature| {
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
