//! A disk that is full, and one that loses what it was given: what is told then, and that the
//! record is one that holds as soon as there is room again.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::{SMALL, one_file, records};
use crate::open::{Place, open};
use crate::record_file::sick;
use crate::tail::Tail;
use crate::walk::walk_pausing;
use crate::{Audit, AuditError, Keep, Record, verify};

fn event() -> Value {
    json!({ "event": "happened" })
}

fn in_one_file(file: &Path) -> Tail {
    open(Place::File(file.to_owned()), "here", Keep::default()).unwrap()
}

fn in_a_folder() -> (TempDir, Tail) {
    let folder = tempdir().unwrap();
    let place = Place::folder(folder.path()).unwrap();
    (folder, open(place, "here", SMALL).unwrap())
}

/// How many lines told that writing goes on, and how many events they say were refused.
fn resumed(all: &[Record]) -> (usize, u64) {
    let lines = all.iter().filter(|line| line.event == "writing-resumed");
    let refused = lines.map(|line| line.members["refused"].as_u64().unwrap());
    let refused: Vec<_> = refused.collect();
    (refused.len(), refused.iter().sum())
}

#[test]
fn what_could_not_be_written_is_an_error_then_and_a_number_later() {
    let (_folder, file) = one_file(0);
    let mut tail = in_one_file(&file);
    // A part of a line that a full disk took is no line.
    sick::room(12);
    for _ in 0..3 {
        tail.append(&(), &event()).unwrap_err();
        // Nor is it found by whoever checks the record while the disk is full.
        verify(&file, None).unwrap();
    }
    sick::heal();
    tail.append(&(), &event()).unwrap();
    let all = records(&file);
    let [.., resumed, happened] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!(resumed.event, "writing-resumed");
    assert_eq!(resumed.members["refused"], 3);
    assert_eq!(happened.event, "happened");
}

/// Wherever the disk gets full on the way from one file to the next, be it within a line.
#[test]
fn a_disk_that_gets_full_anywhere_on_the_way_to_the_next_file_breaks_nothing() {
    // More than the lines take that end a file, begin the next, and tell of the removed one.
    for left in (0..1_500).step_by(37) {
        let (folder, mut tail) = in_a_folder();
        // To the fourth file, so that the next one takes the place of the first.
        let full = |tail: &Tail| tail.end.bytes + 400 > SMALL.file_bytes;
        while tail.end.number < 4 || !full(&tail) {
            tail.append(&(), &event()).unwrap();
        }
        sick::room(left);
        let mut refused = 0;
        for _ in 0..4 {
            refused += u64::from(tail.append(&(), &event()).is_err());
            let bad = match walk_pausing(folder.path(), |_, _, _| {}, || {}) {
                Err(AuditError::Bad { fault, .. }) => Some(fault),
                _ => None,
            };
            assert_eq!(bad, None, "with {left} bytes left");
        }
        sick::heal();
        tail.append(&(), &event()).unwrap();
        tail.append(&(), &event()).unwrap();

        let mut all = Vec::new();
        crate::read(folder.path(), |line| all.push(line)).unwrap_or_else(|e| panic!("{left}: {e}"));
        let (_, told) = resumed(&all);
        assert_eq!(told, refused, "with {left} bytes left");
        let found = verify(folder.path(), None).unwrap_or_else(|e| panic!("{left}: {e}"));
        assert_eq!(found.head.seq + 1, tail.end.chain.next);
        // And it is gone on with, also by the next process.
        drop(tail);
        drop(Audit::folder(folder.path(), "here", SMALL).unwrap());
        verify(folder.path(), None).unwrap_or_else(|e| panic!("{left}: {e}"));
    }
}

#[test]
fn a_next_file_that_cannot_be_made_is_made_later_and_refuses_nothing_before() {
    let (folder, mut tail) = in_a_folder();
    let in_the_way = folder.path().join("audit-00000002.jsonl");
    fs::create_dir(&in_the_way).unwrap();
    while !tail.closed {
        tail.append(&(), &event()).unwrap();
    }
    tail.append(&(), &event()).unwrap_err();
    fs::remove_dir(&in_the_way).unwrap();
    tail.append(&(), &event()).unwrap();
    assert_eq!(resumed(&records(folder.path())), (1, 1));
    verify(folder.path(), None).unwrap();
}

#[test]
fn a_failed_sync_stops_writing_until_what_it_may_have_lost_is_written_again() {
    let (_folder, file) = one_file(0);
    let mut tail = in_one_file(&file);
    let head = tail.public_head().get();
    tail.append(&(), &event()).unwrap();
    let kept = tail.durable.mark().bytes;

    sick::fail_sync_after(0);
    let (written, mark) = tail.to_sync();
    let failed = written.sync().map_err(|error| error.to_string());
    assert!(failed.is_err());
    tail.synced(mark, &failed);
    // Nobody is told that it is on disk because another sync works, which has nothing left to do.
    let again = written.sync().map_err(|error| error.to_string());
    tail.synced(mark, &again);
    assert_eq!(tail.public_head().get(), head);

    // The system has thrown the line away.
    let mut other = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&file)
        .unwrap();
    other.seek(SeekFrom::Start(kept)).unwrap();
    let mut lost = Vec::new();
    other.read_to_end(&mut lost).unwrap();
    other.seek(SeekFrom::Start(kept)).unwrap();
    other.write_all(&vec![0; lost.len()]).unwrap();
    for _ in 0..2 {
        let error = tail.append(&(), &event()).unwrap_err().to_string();
        assert!(error.contains("has lost lines from number"), "{error}");
        assert_eq!(tail.public_head().get(), head);
    }

    // It is there after all.
    other.seek(SeekFrom::Start(kept)).unwrap();
    other.write_all(&lost).unwrap();
    tail.append(&(), &event()).unwrap();
    assert_eq!(resumed(&records(&file)), (1, 2));
    assert!(tail.public_head().get().unwrap().seq > head.unwrap().seq);
    verify(&file, tail.public_head().get()).unwrap();
}

/// Whichever sync fails on the way from one file to the next.
#[test]
fn a_sync_that_fails_on_the_way_to_the_next_file_leaves_one_that_is_gone_on_with_later() {
    for sync in 0..6 {
        let (folder, mut tail) = in_a_folder();
        let oldest = folder.path().join("audit-00000001.jsonl");
        while tail.end.number < 4 || tail.end.bytes + 400 < SMALL.file_bytes {
            tail.append(&(), &event()).unwrap();
        }
        assert!(oldest.exists());
        sick::fail_sync_after(sync);
        for _ in 0..4 {
            tail.append(&(), &event()).unwrap();
            let all = records(folder.path());
            let told = all.iter().find(|line| line.event == "file-removed");
            let durable = tail.public_head().get().unwrap().seq;
            // A power cut must not take the line and leave the file removed.
            let safe = told.is_some_and(|line| line.head.seq <= durable);
            assert!(oldest.exists() || safe, "the sync after {sync} failed");
        }
        sick::heal();
        assert_eq!(tail.end.number, 5);
        let (lines, refused) = resumed(&records(folder.path()));
        assert!(lines <= 1 && refused == 0);
        verify(folder.path(), None).unwrap();
    }
}

#[test]
fn what_was_refused_is_counted_once_even_if_the_line_that_says_so_is_in_doubt() {
    let (_folder, file) = one_file(0);
    let mut tail = in_one_file(&file);
    sick::room(0);
    tail.append(&(), &event()).unwrap_err();
    sick::heal();
    sick::fail_sync_after(0);
    tail.append(&(), &event()).unwrap_err();
    tail.append(&(), &event()).unwrap();
    assert_eq!(resumed(&records(&file)), (2, 2));
}

/// Nobody knows of it when the next one opens the record, and then every sync works.
#[test]
fn whichever_sync_failed_when_a_writer_ended_all_of_the_record_is_on_disk_when_the_next_begins() {
    for sync in 0..3 {
        sick::new_disk();
        let folder = tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let mut tail = in_one_file(&file);
        for _ in 0..3 {
            tail.append(&(), &event()).unwrap();
        }
        sick::fail_sync_after(sync);
        assert_eq!(tail.stop().is_err(), sync < 2);
        sick::heal();
        drop(tail);
        let _next = in_one_file(&file);
        let kept = String::from_utf8(sick::platter()).unwrap();
        assert_eq!(
            kept,
            fs::read_to_string(&file).unwrap(),
            "sync {sync} failed"
        );
    }
}

#[test]
fn the_sync_of_a_file_that_was_followed_says_nothing_of_the_next() {
    let (_folder, mut tail) = in_a_folder();
    let (first, mark) = tail.to_sync();
    while tail.end.number < 2 {
        tail.append(&(), &event()).unwrap();
    }
    let durable = tail.durable.mark();
    tail.append(&(), &event()).unwrap();
    first.sync().unwrap();
    tail.synced(mark, &Ok(()));
    assert_eq!(tail.durable.mark(), durable);
}
