//! The files of a record: `audit-00000001.jsonl` and so on in one folder, or one file alone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::AuditError;

/// The file that whoever writes in a folder holds.
pub(crate) const LOCK: &str = "audit.lock";

/// The name of a file of a folder, by its number.
pub(crate) fn name(number: u64) -> String {
    format!("audit-{number:08}.jsonl")
}

/// The number of a file of a folder, by its name.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    let number = digits.parse().ok()?;
    (self::name(number) == name).then_some(number)
}

/// One file of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
}

/// The files of a folder, in order.
pub(crate) fn list(folder: &Path) -> Result<Vec<Numbered>, AuditError> {
    let failed = |error| AuditError::file("read the folder", folder, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(number) = entry.file_name().to_str().and_then(number) {
            let path = entry.path();
            files.push(Numbered { number, path });
        }
    }
    files.sort();
    Ok(files)
}

/// The files of a record, be it a folder or one file.
pub(crate) fn of(path: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let about = fs::metadata(path).map_err(|error| AuditError::file("read", path, error))?;
    if about.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let files = list(path)?;
    // Only what is missing between two files shows here. That the first is not number 1 is what
    // keeping within a room looks like; a line of the record has to say so.
    for pair in files.windows(2) {
        follows(&pair[0], &pair[1])?;
    }
    if files.is_empty() {
        return Err(AuditError::None(path.to_owned()));
    }
    Ok(files.into_iter().map(|file| file.path).collect())
}

/// Whether no file is missing between two.
pub(crate) fn follows(one: &Numbered, other: &Numbered) -> Result<(), AuditError> {
    match one.number.checked_add(1) {
        Some(next) if next == other.number => Ok(()),
        next => Err(AuditError::Missing {
            path: other.path.clone(),
            expected: name(next.unwrap_or(one.number)),
        }),
    }
}

/// Makes the name of a new file as durable as the file.
///
/// # Errors
/// Its folder cannot be synced: a power cut may take the file with all that is in it.
pub(crate) fn sync_name(file: &Path) -> Result<(), AuditError> {
    let folder = folder_of(file);
    fs::File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(|error| AuditError::file("sync the folder", folder, error))
}

/// The folder that a file is in. That of a bare name is the one where this process is.
fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Opens a file for writing that only its owner may read.
pub(crate) fn open_private(path: &Path, new: bool) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true);
    if new {
        options.create_new(true);
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_bare_name_is_synced_as_any_other() {
        assert_eq!(folder_of(Path::new("audit.jsonl")), Path::new("."));
        assert_eq!(folder_of(Path::new("here/audit.jsonl")), Path::new("here"));
        sync_name(Path::new("audit.jsonl")).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_synced_is_an_error() {
        let gone = tempfile::tempdir().unwrap().path().join("audit.jsonl");
        let error = sync_name(&gone).unwrap_err().to_string();
        assert!(error.starts_with("cannot sync the folder"), "{error}");
    }

    #[test]
    fn only_the_names_that_the_writer_gives_are_files_of_a_record() {
        assert_eq!(number(&name(7)), Some(7));
        assert_eq!(number("audit-00000007.jsonl.bak"), None);
        assert_eq!(number("audit-7.jsonl"), None);
        assert_eq!(number("audit-+0000007.jsonl"), None);
    }
}
