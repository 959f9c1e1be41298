//! Reading a record while somebody writes it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use super::{SMALL, tell};
use crate::follow::Follow;
use crate::open::{Place, open};
use crate::record_file::sick;
use crate::walk::{LOOKS, walk_pausing};
use crate::{Audit, AuditError, Fault, Keep, verify};

fn folder(keep: Keep) -> (TempDir, PathBuf, Audit) {
    let folder = tempdir().unwrap();
    let place = folder.path().join("audit");
    let audit = Audit::folder(&place, "here", keep).unwrap();
    (folder, place, audit)
}

/// Follows a record that is whole, with what happens at its first line. Gives the numbers of the
/// lines.
fn numbers(place: &Path, meanwhile: impl FnOnce()) -> (Vec<u64>, Follow) {
    let mut meanwhile = Some(meanwhile);
    let mut numbers = Vec::new();
    let each = |_: &[u8], head: crate::Head, _: &str| {
        numbers.push(head.seq);
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile();
        }
    };
    let (_, follow) = walk_pausing(place, each, || {}).unwrap();
    assert!(!follow.closed() && !follow.lacks_a_beginning());
    (numbers, follow)
}

#[test]
fn what_a_writer_goes_on_to_meanwhile_is_followed() {
    let many = Keep {
        files: 1_000,
        ..SMALL
    };
    let (_folder, place, audit) = folder(many);
    tell(&audit, 0..30);
    let (numbers, _) = numbers(&place, || tell(&audit, 30..100));
    assert!(numbers.iter().copied().eq(0..=*numbers.last().unwrap()));
    assert!(numbers.len() > 100, "{}", numbers.len());
}

#[test]
fn what_a_writer_removes_meanwhile_is_not_missed() {
    let (_folder, place, audit) = folder(SMALL);
    tell(&audit, 0..15);
    let before = crate::files::of(&place).unwrap();
    assert!(before.len() > 1);
    let (numbers, follow) = numbers(&place, || tell(&audit, 15..100));
    assert!(before.iter().all(|file| !file.exists()));
    // No line is given twice, and what is here holds from its first on.
    assert!(numbers.is_sorted_by(|one, other| one < other));
    assert!(follow.first() > 0 && numbers.contains(&follow.first()));
}

#[test]
fn a_line_that_is_being_written_is_waited_for() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let audit = Audit::file(&file, "here").unwrap();
    tell(&audit, 0..3);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 20]).unwrap();
    let mut lines = 0;
    let rest = || {
        let mut file = OpenOptions::new().append(true).open(&file).unwrap();
        file.write_all(&whole[whole.len() - 20..]).unwrap();
    };
    walk_pausing(&file, |_, _, _| lines += 1, rest).unwrap();
    assert_eq!(lines, 5);
}

#[test]
fn a_torn_line_is_told_at_once_where_nobody_writes_and_in_the_end_where_somebody_does() {
    let (_folder, place, audit) = folder(SMALL);
    tell(&audit, 0..3);
    let last = crate::files::of(&place).unwrap().pop().unwrap();
    let mut other = OpenOptions::new().append(true).open(&last).unwrap();
    other.write_all(b"{\"seq\":").unwrap();
    let mut waited = 0;
    let mut ends = |writer: Option<Audit>| {
        waited = 0;
        let error = walk_pausing(&place, |_, _, _| {}, || waited += 1);
        drop(writer);
        let Err(AuditError::Bad { fault, .. }) = error else {
            panic!("it holds")
        };
        assert_eq!(fault, Fault::Torn);
        waited
    };
    // Ending in order takes the torn part away.
    let torn = fs::read(&last).unwrap();
    assert_eq!(ends(Some(audit)), LOOKS);
    fs::write(&last, torn).unwrap();
    assert_eq!(ends(None), 0);
}

/// A writer that has ended one file, and has to wait for the disk before it begins the next.
#[test]
fn a_writer_between_two_files_is_waited_for_and_one_that_is_gone_is_not() {
    let event = serde_json::json!({ "event": "happened" });
    for gone in [false, true] {
        let folder = tempdir().unwrap();
        let place = Place::folder(folder.path()).unwrap();
        let mut tail = open(place, "here", SMALL).unwrap();
        sick::fail_sync_after(0);
        while !tail.closed {
            tail.append(&(), &event).unwrap();
        }
        sick::heal();
        let mut tail = (!gone).then_some(tail);
        let goes_on = || {
            let tail = tail.as_mut().expect("nobody is waited for");
            tail.append(&(), &event).unwrap();
        };
        let (files, follow) = walk_pausing(folder.path(), |_, _, _| {}, goes_on).unwrap();
        assert_eq!(
            (files, follow.closed()),
            if gone { (1, true) } else { (2, false) }
        );
        let found = verify(folder.path(), None);
        assert_eq!(matches!(found, Err(AuditError::Unfinished(_))), gone);
    }
}
