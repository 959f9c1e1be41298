//! A controller that was taken over. It speaks the real protocol to a real runner, and whatever it
//! says is refused or without effect, stands in the audit record, and leaves the runner serving.

mod dispatches;
mod floods;
mod frames;
mod handshakes;
mod sealed;

use std::path::Path;

use wharf_audit::Record;

use super::controller::Peer;
use super::soon;

/// The record of a runner as it is now.
fn audited(state: &Path) -> Vec<Record> {
    let mut all = Vec::new();
    // The runner writes on: a line that is not whole yet is one that is not there yet.
    let _ = wharf_audit::read(&state.join("audit"), |record| all.push(record));
    all
}

/// Waits until the record holds an event of which some text says this.
async fn until_audited(peer: &mut Peer, state: &Path, event: &str, says: &str) {
    soon(
        &format!("`{event}` that says `{says}` in the record"),
        async {
            // Heartbeats come all the time; with each, have a look.
            while !says_so(&audited(state), event, says) {
                assert!(peer.next().await.is_some(), "the runner hung up");
            }
        },
    )
    .await;
}

fn says_so(records: &[Record], event: &str, says: &str) -> bool {
    records.iter().any(|record| {
        record.event == event
            && serde_json::Value::Object(record.members.clone())
                .to_string()
                .contains(says)
    })
}
