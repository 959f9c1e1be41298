//! The files of a record: `audit-00000001.jsonl` and so on in one folder, or one file alone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::AuditError;

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

/// Makes the name of a new file in a folder as durable as the file.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
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
    fn only_the_names_that_the_writer_gives_are_files_of_a_record() {
        assert_eq!(number(&name(7)), Some(7));
        assert_eq!(number("audit-00000007.jsonl.bak"), None);
        assert_eq!(number("audit-7.jsonl"), None);
        assert_eq!(number("audit-+0000007.jsonl"), None);
    }
}
