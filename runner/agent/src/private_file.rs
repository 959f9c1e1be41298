//! Files that only this user may read, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use crate::AgentError;

/// Makes a folder that only this user may enter, or checks that an existing one is.
pub(crate) fn private_folder(path: &Path) -> Result<(), AgentError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|error| AgentError::file("create the folder", path, error))?;
    // The folder may have been there before, with whatever rights.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(|error| AgentError::file("make private", path, error))?;
    }
    Ok(())
}

/// Writes a file beside its place, syncs it, and renames it into its place.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), AgentError> {
    let failed = |error| AgentError::file("write", path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}.tmp", ulid::Ulid::generate()));
    let written = private(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map_err(failed)
}

fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Refuses a file that others may read.
pub(crate) fn require_private(path: &Path) -> Result<(), AgentError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path)
            .map_err(|error| AgentError::file("read", path, error))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(AgentError::Exposed(path.to_owned()));
        }
    }
    Ok(())
}

/// Takes the folder for this process, until the file is dropped.
pub(crate) fn lock(folder: &Path) -> Result<File, AgentError> {
    let path = folder.join("runner.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| AgentError::file("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(AgentError::InUse(folder.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(AgentError::file("lock", &path, error)),
    }
}
