//! What breaks a chain, what does not, and what a crash leaves.

mod failing_disk;
mod living_writer;
mod removal;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::chain::Chain;
use crate::{Audit, AuditError, Fault, Head, Keep, read, verify};

const SMALL: Keep = Keep {
    file_bytes: 2_000,
    files: 4,
};

/// A record in one file with this many events.
fn one_file(events: u64) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let audit = Audit::file(&file, "here").unwrap();
    tell(&audit, 0..events);
    (folder, file)
}

fn tell(audit: &Audit, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let event = json!({ "event": "happened", "number": number });
        audit.write(&json!({ "plugin": "http" }), &event).unwrap();
    }
}

fn records(path: &Path) -> Vec<crate::Record> {
    let mut all = Vec::new();
    read(path, |record| all.push(record)).unwrap();
    all
}

fn events(path: &Path) -> Vec<String> {
    records(path).into_iter().map(|r| r.event).collect()
}

fn lines(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    bytes
        .split_inclusive(|b| *b == b'\n')
        .map(Vec::from)
        .collect()
}

#[test]
fn every_line_says_when_who_and_what_and_names_the_line_before() {
    let (_folder, file) = one_file(2);
    let all = records(&file);
    let names: Vec<_> = all.iter().map(|r| r.event.as_str()).collect();
    assert_eq!(
        names,
        [
            "file-opened",
            "writer-started",
            "happened",
            "happened",
            "writer-stopped"
        ]
    );
    assert_eq!(all[0].text("prev").unwrap(), "0".repeat(64));
    for pair in all.windows(2) {
        assert_eq!(pair[1].text("prev").unwrap(), pair[0].head.hash.to_string());
        assert_eq!(pair[1].text("runner"), Some("here"));
    }
    assert_eq!(all[3].members["number"], 1);
    assert_eq!(all[3].text("plugin"), Some("http"));
    assert!(all[3].text("time").unwrap().ends_with('Z'));
    let found = verify(&file, None).unwrap();
    assert_eq!((found.lines, found.head), (5, all[4].head));
}

#[test]
fn a_line_that_was_taken_out_put_in_or_moved_is_named() {
    let (_folder, file) = one_file(5);
    let whole = lines(&file);
    let bad_line = |changed: &[Vec<u8>]| {
        fs::write(&file, changed.concat()).unwrap();
        match verify(&file, None).unwrap_err() {
            AuditError::Bad { line, .. } => line,
            other => panic!("{other}"),
        }
    };
    let mut out = whole.clone();
    out.remove(3);
    assert_eq!(bad_line(&out), 4);
    let mut twice = whole.clone();
    twice.insert(3, whole[3].clone());
    assert_eq!(bad_line(&twice), 5);
    let mut swapped = whole.clone();
    swapped.swap(2, 4);
    assert_eq!(bad_line(&swapped), 3);
    let mut headless = whole;
    headless.remove(0);
    assert_eq!(bad_line(&headless), 1);
}

#[test]
fn a_record_that_was_cut_or_written_anew_is_told_by_a_head_that_is_known_elsewhere() {
    let (_folder, file) = one_file(5);
    let head = verify(&file, None).unwrap().head;
    let whole = lines(&file);
    fs::write(&file, whole[..4].concat()).unwrap();
    assert!(verify(&file, None).is_ok(), "the chain alone cannot tell");
    let error = verify(&file, Some(head)).unwrap_err();
    assert!(
        matches!(error, AuditError::NoHead { last: 3, .. }),
        "{error}"
    );

    let (_other, anew) = one_file(5);
    let error = verify(&anew, Some(head)).unwrap_err();
    assert!(matches!(error, AuditError::OtherHead { .. }), "{error}");
    assert!(head.to_string().parse::<Head>().unwrap() == head);
}

#[test]
fn the_chain_goes_on_over_files_and_the_oldest_go_with_a_line_that_says_so() {
    let folder = tempdir().unwrap();
    let place = folder.path().join("audit");
    let audit = Audit::folder(&place, "here", SMALL).unwrap();
    tell(&audit, 0..20);
    let early = crate::verify(&place, None).unwrap();
    assert_eq!(early.first, 0);
    tell(&audit, 20..200);
    drop(audit);
    let found = verify(&place, None).unwrap();
    assert!(
        found.first > 0 && found.files <= SMALL.files + 1,
        "{found:?}"
    );
    let names = events(&place);
    assert!(names.contains(&"file-removed".to_owned()), "{names:?}");
    let removed = records(&place);
    let removed = removed.iter().rfind(|r| r.event == "file-removed").unwrap();
    let last: Head = serde_json::from_value(removed.members["last"].clone()).unwrap();
    assert_eq!(
        last.seq + 1,
        found.first,
        "it says where the removed file ended"
    );

    // Every file that is missing now is missed.
    let mut files: Vec<_> = crate::files::of(&place).unwrap();
    let last = files.pop().unwrap();
    let kept = fs::read(&last).unwrap();
    fs::remove_file(&last).unwrap();
    assert!(matches!(
        verify(&place, None),
        Err(AuditError::Unfinished(_))
    ));
    fs::write(&last, kept).unwrap();
    fs::remove_file(&files[1]).unwrap();
    assert!(matches!(
        verify(&place, None),
        Err(AuditError::Missing { .. })
    ));
}

#[test]
fn a_record_is_private_and_has_one_writer() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempdir().unwrap();
    let place = folder.path().join("audit");
    let audit = Audit::folder(&place, "here", SMALL).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    assert_eq!(mode(&place.join("audit-00000001.jsonl")), 0o600);
    let second = Audit::folder(&place, "here", SMALL).err().unwrap();
    assert!(matches!(second, AuditError::InUse(_)), "{second}");
    // The files themselves are taken too, each in its turn.
    for more in [1, 30] {
        tell(&audit, 0..more);
        fs::remove_file(place.join("audit.lock")).unwrap();
        let second = Audit::folder(&place, "here", SMALL).err().unwrap();
        assert!(matches!(second, AuditError::InUse(_)), "{second}");
    }
    drop(audit);
    let (_folder, file) = one_file(1);
    let _first = Audit::file(&file, "here").unwrap();
    let second = Audit::file(&file, "here").err().unwrap();
    assert!(matches!(second, AuditError::InUse(_)), "{second}");
}

#[test]
fn a_record_that_was_changed_is_not_written_on() {
    let (_folder, file) = one_file(3);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"number\":1", "\"number\":7")).unwrap();
    let error = Audit::file(&file, "here").err().unwrap();
    let AuditError::Bad { line: 5, fault, .. } = error else {
        panic!("{error}")
    };
    assert!(matches!(fault, Fault::Broken { .. }), "{fault}");
}

#[test]
fn an_event_that_is_too_large_is_refused_and_breaks_nothing() {
    let (_folder, file) = one_file(0);
    let audit = Audit::file(&file, "here").unwrap();
    let large = json!({ "event": "large", "text": "x".repeat(100_000) });
    assert!(matches!(
        audit.write(&(), &large),
        Err(AuditError::Event(_))
    ));
    tell(&audit, 0..1);
    drop(audit);
    verify(&file, None).unwrap();
}

#[tokio::test]
async fn the_head_that_is_told_is_one_that_is_on_disk() {
    let (_folder, file) = one_file(0);
    let audit = Audit::file(&file, "here").unwrap();
    let before = audit.head().unwrap();
    tell(&audit, 0..100);
    audit.synced().await.unwrap();
    let head = audit.head().unwrap();
    assert_eq!(head.seq, before.seq + 100);
    assert_eq!(verify(&file, Some(head)).unwrap().head, head);
}

#[test]
fn a_crash_between_two_files_is_mended_at_the_next_start() {
    let folder = tempdir().unwrap();
    let place = folder.path().join("audit");
    let audit = Audit::folder(&place, "here", SMALL).unwrap();
    tell(&audit, 0..30);
    drop(audit);
    let files = crate::files::of(&place).unwrap();
    let (last, before) = (files.last().unwrap(), &files[files.len() - 2]);
    // Killed before the new file was made, and in the middle of its first line.
    for left in [None, Some(Vec::new()), Some(lines(last)[0][..20].to_vec())] {
        match &left {
            None => fs::remove_file(last).unwrap(),
            Some(bytes) => fs::write(last, bytes).unwrap(),
        }
        drop(Audit::folder(&place, "here", SMALL).unwrap());
        verify(&place, None).unwrap();
        let told = events(last).contains(&"torn-line-repaired".to_owned());
        assert_eq!(told, left.is_some_and(|bytes| !bytes.is_empty()));
    }
    // A last file that goes on from one that did not end is not a crash.
    let cut = lines(before);
    fs::write(before, cut[..cut.len() - 1].concat()).unwrap();
    assert!(verify(&place, None).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_changed_byte_is_found_with_the_head_and_without_it_up_to_the_last_line(
        at in any::<prop::sample::Index>(), flip in 1u8..=255
    ) {
        let (_folder, file) = one_file(4);
        let head = verify(&file, None).unwrap().head;
        let mut bytes = fs::read(&file).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        fs::write(&file, &bytes).unwrap();
        prop_assert!(verify(&file, Some(head)).is_err());
        let last = lines(&file).pop().unwrap().len();
        if at + last < bytes.len() {
            prop_assert!(verify(&file, None).is_err());
        }
    }

    #[test]
    fn wherever_a_crash_tears_the_file_every_whole_line_stays_and_the_rest_is_told_of(
        at in any::<prop::sample::Index>(), again in any::<prop::sample::Index>()
    ) {
        let (_folder, file) = one_file(4);
        let before = lines(&file);
        let bytes = fs::read(&file).unwrap();
        let at = at.index(bytes.len());
        fs::write(&file, &bytes[..at]).unwrap();
        let torn = !bytes[..at].is_empty() && bytes[at - 1] != b'\n';
        // It may crash again while it mends.
        let audit = Audit::file(&file, "here").unwrap();
        drop(audit);
        let mended = fs::read(&file).unwrap();
        verify(&file, None).unwrap();
        prop_assert_eq!(events(&file).contains(&"torn-line-repaired".to_owned()), torn);
        let whole = bytes[..at].iter().filter(|b| **b == b'\n').count();
        let after = lines(&file);
        prop_assert_eq!(&after[..whole], &before[..whole]);

        let cut = at + again.index(mended.len() - at);
        fs::write(&file, &mended[..cut]).unwrap();
        drop(Audit::file(&file, "here").unwrap());
        verify(&file, None).unwrap();
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let folder = tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        fs::write(&file, &bytes).unwrap();
        let _ = verify(&file, None);
        let _ = Audit::file(&file, "here");
    }
}

#[test]
fn a_line_is_the_next_one_only_with_the_right_number_and_the_right_hash() {
    let event = json!({ "event": "happened" });
    let time = jiff::Timestamp::now();
    let first = crate::line::write(
        &Chain::START,
        time,
        "here",
        &Value::Object(serde_json::Map::new()),
        &event,
    )
    .unwrap();
    let chain = Chain::START.with(&first).unwrap();
    let wrong = Chain { next: 7, ..chain };
    let line = crate::line::write(&wrong, time, "here", &(), &event).unwrap();
    let links = crate::line::links(&line).unwrap();
    assert_eq!(
        chain.accepts(&links),
        Err(Fault::Number {
            expected: 1,
            found: 7
        })
    );
}

#[test]
fn a_line_that_nothing_could_follow_is_a_broken_record_and_not_the_end_of_the_world() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("audit-00000001.jsonl");
    let line = json!({
        "seq": u64::MAX, "time": "2026-11-22T00:40:00.123Z", "prev": "1".repeat(64),
        "runner": "r", "event": "file-opened"
    });
    fs::write(&file, format!("{line}\n")).unwrap();
    for broken in [
        verify(folder.path(), None).unwrap_err(),
        Audit::folder(folder.path(), "here", SMALL).err().unwrap(),
    ] {
        let AuditError::Bad { line: 1, fault, .. } = broken else {
            panic!("{broken}")
        };
        assert_eq!(fault, Fault::LastNumber);
    }
}
