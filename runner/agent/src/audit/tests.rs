//! What many runs make of the record together.

use std::path::Path;

use wharf_audit::Record;
use wharf_host::AuditEvent;

use super::*;
use crate::tests::key;

fn auditor(state: &Path) -> Auditor {
    Auditor::open(state, &"01JD8Z6J3KX9V4T0M5N7P2Q1RS".parse().unwrap()).unwrap()
}

fn records(state: &Path, event: &str) -> Vec<Record> {
    let mut all = Vec::new();
    let each = |record: Record| all.extend((record.event == event).then_some(record));
    wharf_audit::read(&state.join(FOLDER), each).unwrap();
    all
}

fn refused() -> AuditEvent {
    AuditEvent::RequestDenied {
        method: "GET".to_owned(),
        destination: "https://elsewhere.invalid/".to_owned(),
        why: "it is not granted".to_owned(),
        address: None,
    }
}

fn sent() -> AuditEvent {
    AuditEvent::Request {
        method: "GET".to_owned(),
        destination: "https://api.internal/".to_owned(),
        credentials: Vec::new(),
    }
}

#[test]
fn what_runs_are_refused_without_end_becomes_a_number_and_what_they_do_is_told_each_time() {
    let state = tempfile::tempdir().unwrap();
    let audit = auditor(state.path());
    for number in 0..20 {
        let run = audit.run(By::attempt(key(number), None));
        for _ in 0..100 {
            run.audit(&refused()).unwrap();
            run.audit(&sent()).unwrap();
        }
    }
    audit.tell_rest();
    assert_eq!(records(state.path(), "request").len(), 2_000);
    let told = records(state.path(), "request-refused").len() as u64;
    assert!((1_024..1_100).contains(&told), "{told}");
    let folded = records(state.path(), "refusals-folded");
    let of = folded.iter().map(|record| record.text("of").unwrap());
    assert!(of.eq(vec!["request-refused"; folded.len()]));
    assert_eq!(told + counted(state.path()), 2_000);
}

#[test]
fn a_flood_of_one_reason_hides_no_refusal_for_another() {
    let state = tempfile::tempdir().unwrap();
    let audit = auditor(state.path());
    let refused = |number, why| {
        let asked = Asked {
            plugin: "http".to_owned(),
            digest: Digest::from_bytes([1; 32]),
            action: "go".to_owned(),
        };
        let event = asked.refused("refused", "no");
        audit.tell_of(key(number), None, &event, Some(why));
    };
    for number in 0..1_000 {
        refused(number, RefusalKind::Unsigned);
    }
    refused(2_000, RefusalKind::Version);
    audit.tell(&RunnerEvent::InputRefused {});
    let last = key(2_000).execution.to_string();
    let told = records(state.path(), "dispatch-refused");
    assert_eq!(told.last().unwrap().text("execution"), Some(&*last));
    assert!(told.len() < 100, "{}", told.len());
    assert_eq!(records(state.path(), "input-refused").len(), 1);
    audit.tell_rest();
    let folded = records(state.path(), "refusals-folded");
    assert_eq!(folded[0].text("of"), Some("dispatch-refused"));
    assert_eq!(folded[0].text("kind"), Some("unsigned"));
    assert!(folded[0].members["example"].is_object() || folded[0].members["example"].is_string());
}

/// The numbers of a record together.
fn counted(state: &Path) -> u64 {
    let folded = records(state, "refusals-folded");
    let counts = folded.iter().map(|record| &record.members["count"]);
    counts.map(|count| count.as_u64().unwrap()).sum()
}

#[test]
fn refusals_that_no_disk_takes_are_told_by_their_number_when_one_does() {
    let state = tempfile::tempdir().unwrap();
    // Each line makes for another file, and where the second belongs is something else.
    let keep = Keep {
        file_bytes: 1,
        files: 1_000,
    };
    let place = state.path().join(FOLDER);
    let audit = Auditor {
        record: Audit::folder(&place, "here", keep).unwrap(),
        folds: Refusals::default(),
    };
    let in_the_way = place.join("audit-00000002.jsonl");
    std::fs::create_dir(&in_the_way).unwrap();
    audit.tell(&RunnerEvent::DrainAsked {});
    let run = audit.run(By::attempt(key(7), None));
    for number in 0..1_000 {
        audit.tell_of(key(number), None, &RunnerEvent::InputRefused {}, None);
        // What is refused is not told to be: the plugin hears of the disk until it is counted.
        let _ = run.audit(&refused());
        audit.tell_folded();
    }
    audit.tell_rest();
    std::fs::remove_dir(&in_the_way).unwrap();
    audit.tell_rest();
    drop((audit, run));
    assert_eq!(records(state.path(), "drain-asked").len(), 1);
    assert_eq!(counted(state.path()), 2_000);
}
