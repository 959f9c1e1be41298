//! The oldest files: gone because the writer said so, or taken away.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tempfile::{TempDir, tempdir};

use super::{SMALL, events, records, tell};
use crate::{Audit, AuditError, Keep, verify};

/// Files that are kept by a writer that has hardly any room.
const FEW: Keep = Keep { files: 1, ..SMALL };
const MANY: Keep = Keep {
    files: 1_000,
    ..SMALL
};

/// A record in a folder with this many events.
fn folder(keep: Keep, events: u64) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let place = folder.path().join("audit");
    tell(&Audit::folder(&place, "here", keep).unwrap(), 0..events);
    (folder, place)
}

fn files(place: &Path) -> Vec<PathBuf> {
    crate::files::of(place).unwrap()
}

fn is_without_a_beginning(place: &Path) {
    let error = verify(place, None).unwrap_err();
    assert!(matches!(error, AuditError::NoBeginning { .. }), "{error}");
    let error = error.to_string();
    assert!(
        error.contains("the oldest files were taken away"),
        "{error}"
    );
}

#[test]
fn the_oldest_files_cannot_be_taken_away_without_notice() {
    let (_folder, place) = folder(MANY, 30);
    let all = files(&place);
    assert!(all.len() >= 3);
    verify(&place, None).unwrap();
    for oldest in &all[..all.len() - 1] {
        fs::remove_file(oldest).unwrap();
        is_without_a_beginning(&place);
        // Nor by giving the others their names.
        for (number, file) in files(&place).iter().enumerate() {
            let name = crate::files::name(number as u64 + 1);
            fs::rename(file, place.join(name)).unwrap();
        }
        is_without_a_beginning(&place);
        for (file, name) in files(&place)
            .iter()
            .zip(&all[all.len() - files(&place).len()..])
            .rev()
        {
            fs::rename(file, name).unwrap();
        }
    }
}

#[test]
fn what_the_writer_removes_is_not_missed_however_little_it_keeps() {
    for keep in [FEW, SMALL] {
        let (_folder, place) = folder(keep, 200);
        let found = verify(&place, None).unwrap();
        assert!(found.first > 0 && found.files <= keep.files, "{found:?}");
        // It goes on so over a restart.
        tell(&Audit::folder(&place, "here", keep).unwrap(), 0..100);
        verify(&place, None).unwrap();
        // And one file more than it removed is missed.
        if keep.files > 1 {
            fs::remove_file(&files(&place)[0]).unwrap();
            is_without_a_beginning(&place);
        }
    }
}

#[test]
fn several_files_that_are_removed_at_once_are_each_told_of() {
    let (_folder, place) = folder(MANY, 100);
    let before = files(&place).len();
    assert!(before > SMALL.files + 2);
    // From now on there is less room.
    tell(&Audit::folder(&place, "here", SMALL).unwrap(), 0..30);
    let found = verify(&place, None).unwrap();
    assert!(found.first > 0 && found.files <= SMALL.files, "{found:?}");
}

#[test]
fn a_removal_that_was_told_and_not_done_is_told_again_and_done() {
    let (_folder, place) = folder(SMALL, 60);
    let all = files(&place);
    let oldest = fs::read(&all[0]).unwrap();
    let audit = Audit::folder(&place, "here", SMALL).unwrap();
    let told = |place: &Path| {
        let names = events(place).into_iter();
        names.filter(|name| name == "file-removed").count()
    };
    let mut number = 0;
    while all[0].exists() {
        tell(&audit, number..number + 1);
        number += 1;
    }
    drop(audit);
    // The power went between the two.
    fs::write(&all[0], oldest).unwrap();
    verify(&place, None).unwrap();
    assert!(told(&place) > 0);
    tell(&Audit::folder(&place, "here", SMALL).unwrap(), 0..20);
    assert!(!all[0].exists());
    verify(&place, None).unwrap();
}

#[test]
fn the_writer_does_not_cover_for_a_file_that_somebody_took_away() {
    let (_folder, place) = folder(SMALL, 60);
    let all = files(&place);
    let audit = Audit::folder(&place, "here", SMALL).unwrap();
    fs::remove_file(&all[1]).unwrap();
    tell(&audit, 0..40);
    drop(audit);
    assert!(all[0].exists(), "it stands for what is missing behind it");
    let error = verify(&place, None).unwrap_err();
    assert!(matches!(error, AuditError::Missing { .. }), "{error}");
}

/// Whatever was done to the file in the middle so that the next cannot follow the one before.
#[test]
fn a_gap_keeps_showing_and_does_not_keep_the_record_from_being_bounded() {
    let taken_away: fn(&Path) = |file| fs::remove_file(file).unwrap();
    let emptied: fn(&Path) = |file| fs::write(file, "").unwrap();
    for harm in [taken_away, emptied] {
        let (_folder, place) = folder(SMALL, 60);
        let audit = Audit::folder(&place, "here", SMALL).unwrap();
        let all = files(&place);
        assert_eq!(all.len(), SMALL.files);
        harm(&all[2]);
        for number in 0..10 {
            tell(&audit, number * 30..(number + 1) * 30);
            let listed = crate::files::list(&place).unwrap();
            assert!(listed.len() <= SMALL.files + 1, "{listed:?}");
            assert!(all[1].exists(), "it is what shows the gap");
            let error = verify(&place, None).unwrap_err();
            assert!(matches!(error, AuditError::Missing { .. }), "{error}");
        }
        // Somebody has seen it, and has put aside what shows it.
        fs::rename(&all[1], place.join("seen")).unwrap();
        verify(&place, None).unwrap();
        drop(audit);
        assert!(!events(&place).contains(&"writing-resumed".to_owned()));
    }
}

#[test]
fn the_log_tells_of_a_gap_once() {
    let (_folder, place) = folder(SMALL, 60);
    let audit = Audit::folder(&place, "here", SMALL).unwrap();
    fs::remove_file(&files(&place)[2]).unwrap();
    let log = place.join("log");
    let lines = tracing_subscriber::fmt()
        .with_writer(Mutex::new(fs::File::create(&log).unwrap()))
        .finish();
    tracing::subscriber::with_default(lines, || tell(&audit, 0..200));
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("was taken away or changed").count(), 1, "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
fn one_file_of_a_folder_can_be_checked_by_itself_and_says_where_it_begins() {
    let (_folder, place) = folder(MANY, 30);
    let second = &files(&place)[1];
    let found = verify(second, None).unwrap();
    assert_eq!(found.first, records(second)[0].head.seq);
    assert!(found.first > 0);
}
