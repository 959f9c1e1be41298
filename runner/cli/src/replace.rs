//! Files that change together: all of them, or none.
//!
//! New content is written beside its file first, and renamed over it when all of it is there. What was
//! there before is kept until the last file is in place, and put back if one cannot be. Nobody reads half
//! of a file, and a file is never missing in between. A machine that stops in the middle leaves the first
//! of them changed: whoever calls this puts them in the order in which that does no harm.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::exit::{Context, Exit, Failure, Result};

/// What becomes of one file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    /// It has this content.
    Write(&'a Path, &'a [u8]),
    /// It is not there.
    Remove(&'a Path),
}

impl<'a> Change<'a> {
    fn file(self) -> &'a Path {
        match self {
            Self::Write(file, _) | Self::Remove(file) => file,
        }
    }
}

/// Makes all of these changes, in their order, or none.
pub(crate) fn all<'a>(changes: impl IntoIterator<Item = Change<'a>>) -> Result<()> {
    let mut staged = Vec::new();
    for change in changes {
        check(change.file())?;
        staged.push(Staged::of(change).or_exit(Exit::Usage, cannot_write(change.file()))?);
    }
    commit(staged)
}

/// Whether a file can stand there, which it cannot where there is a folder.
pub(crate) fn check(file: &Path) -> Result<()> {
    match fs::symlink_metadata(file) {
        Ok(there) if there.is_dir() => Err(Failure::usage(format_args!(
            "{}: it is a folder",
            cannot_write(file)
        ))
        .help("name the file to write, not the folder that it goes into")),
        _ => Ok(()),
    }
}

fn cannot_write(file: &Path) -> String {
    format!("cannot write {}", file.display())
}

/// One change of which all is done that can fail for want of room or of rights.
struct Staged {
    file: PathBuf,
    /// The new content, in a file beside it; none if it is to be removed.
    new: Option<NamedTempFile>,
}

impl Staged {
    fn of(change: Change<'_>) -> io::Result<Self> {
        let new = match change {
            Change::Remove(_) => None,
            Change::Write(file, content) => {
                let mut new = beside()
                    // Less what the user's umask takes away, as for any file.
                    .permissions(Permissions::from_mode(0o644))
                    .tempfile_in(folder(file))?;
                new.write_all(content)?;
                new.as_file().sync_all()?;
                Some(new)
            }
        };
        let file = change.file().to_owned();
        Ok(Self { file, new })
    }

    /// What undoes the change, once it is made.
    fn undo(&self) -> io::Result<Undo> {
        let (file, old) = (self.file.clone(), keep(&self.file)?);
        Ok(Undo { file, old })
    }

    /// Makes the change.
    fn apply(self) -> io::Result<()> {
        match self.new {
            Some(new) => new
                .persist(&self.file)
                .map(drop)
                .map_err(|error| error.error),
            None => remove(&self.file),
        }
    }
}

/// Removes a file, if there is one.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file as it was before it was changed.
struct Undo {
    file: PathBuf,
    /// The old file, under another name that is gone with this; none if there was none.
    old: Option<TempPath>,
}

impl Undo {
    fn undo(self) -> io::Result<()> {
        match self.old {
            Some(old) => old.persist(&self.file).map_err(|error| error.error),
            None => remove(&self.file),
        }
    }
}

/// A second name for a file, so that it outlives what is renamed over it.
fn keep(file: &Path) -> io::Result<Option<TempPath>> {
    let link = |to: &Path| match fs::hard_link(file, to) {
        // Not every file system has links.
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {
            fs::copy(file, to).map(drop)
        }
        linked => linked,
    };
    match beside().make_in(folder(file), link) {
        Ok(kept) => Ok(Some(kept.into_temp_path())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn commit(staged: Vec<Staged>) -> Result<()> {
    let last = staged.len().saturating_sub(1);
    let mut done: Vec<Undo> = Vec::new();
    for (number, one) in staged.into_iter().enumerate() {
        let file = one.file.clone();
        // Nothing comes after the last that could want it undone.
        let undo = match number == last {
            true => Ok(None),
            false => one.undo().map(Some),
        };
        match undo.and_then(|undo| one.apply().map(|()| undo)) {
            Ok(undo) => done.extend(undo),
            Err(error) => {
                put_back(done, &file)?;
                return Err(error).or_exit(Exit::Usage, cannot_write(&file));
            }
        }
    }
    Ok(())
}

fn put_back(done: Vec<Undo>, because_of: &Path) -> Result<()> {
    for undo in done.into_iter().rev() {
        let file = undo.file.clone();
        undo.undo().or_exit(
            Exit::Usage,
            format_args!(
                "{}, and cannot put back {}",
                cannot_write(because_of),
                file.display()
            ),
        )?;
    }
    Ok(())
}

fn beside() -> tempfile::Builder<'static, 'static> {
    let mut beside = tempfile::Builder::new();
    beside.prefix(".wharf-");
    beside
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Every file of a folder, with its content.
    fn files(folder: &Path) -> BTreeMap<String, String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect()
    }

    fn expected<const N: usize>(of: [(&str, &str); N]) -> BTreeMap<String, String> {
        of.map(|(name, content)| (name.to_owned(), content.to_owned()))
            .into()
    }

    #[test]
    fn all_files_change_and_nothing_is_left_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let [kept, gone, new] = ["kept", "gone", "new"].map(|name| folder.path().join(name));
        fs::write(&kept, "old").unwrap();
        fs::write(&gone, "old").unwrap();
        let missing = folder.path().join("missing");
        let changes = [
            Change::Remove(&gone),
            Change::Remove(&missing),
            Change::Write(&new, b"1"),
            Change::Write(&kept, b"2"),
        ];
        all(changes).unwrap();
        assert_eq!(
            files(folder.path()),
            expected([("kept", "2"), ("new", "1")])
        );
    }

    #[test]
    fn a_folder_in_the_place_of_one_file_leaves_all_of_them_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let [first, target] = ["first", "target"].map(|name| folder.path().join(name));
        fs::write(&first, "old").unwrap();
        fs::create_dir(&target).unwrap();
        let failure = all([
            Change::Write(&first, b"new"),
            Change::Write(&target, b"new"),
        ]);
        assert!(failure.unwrap_err().to_string().contains("a folder"));
        assert_eq!(files(folder.path()), expected([("first", "old")]));
    }

    #[test]
    fn when_the_last_file_cannot_be_put_in_place_those_before_it_are_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let [changed, removed, made, target] =
            ["changed", "removed", "made", "target"].map(|name| folder.path().join(name));
        fs::write(&changed, "old").unwrap();
        fs::write(&removed, "old").unwrap();
        let staged = [
            Change::Write(&changed, b"new"),
            Change::Remove(&removed),
            Change::Write(&made, b"new"),
            Change::Write(&target, b"new"),
        ]
        .map(|change| Staged::of(change).unwrap());
        // After it was looked at.
        fs::create_dir(&target).unwrap();
        commit(staged.into()).unwrap_err();
        assert_eq!(
            files(folder.path()),
            expected([("changed", "old"), ("removed", "old")])
        );
    }
}
