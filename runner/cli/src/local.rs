//! Files that commands read: plugins, policies, grants.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use wharf_bundle::{
    Beside, MAX_ATTESTATION_FILE, MAX_COMPONENT, MAX_POLICY, MAX_SIGNATURE_FILE, TrustPolicy,
    attestations_path, read_file, read_text_file, signature_path,
};
use wharf_policy::Policy;

use crate::exit::{Context, Exit, Failure, Result};
use crate::replace::{self, Change};

/// The largest file with a token, in bytes.
const MAX_TOKEN: usize = 64 << 10;

/// The bytes of a file, which has no more than a plugin may have.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>> {
    read_up_to(file, MAX_COMPONENT)
}

/// The bytes of a file that has no more than `limit`. It need not be a file that says its size, or one
/// that ends.
pub(crate) fn read_up_to(file: &Path, limit: usize) -> Result<Vec<u8>> {
    read_file(file, limit).or_exit(Exit::Usage, format_args!("cannot read {}", file.display()))
}

/// The same of a file that proves nothing if it has more, with what that means.
pub(crate) fn read_small(file: &Path, limit: usize, means: &str) -> Result<Vec<u8>> {
    match read_file(file, limit) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(Failure::refused(
            format_args!("{} cannot be used: {error}; {means}", file.display()),
        )),
        read => read.or_exit(Exit::Usage, format_args!("cannot read {}", file.display())),
    }
}

/// What is to vouch for a plugin: the contents of the files beside it. Nothing of it is verified.
#[derive(Debug, Clone, Default)]
pub(crate) struct Papers {
    pub(crate) signatures: Option<Vec<u8>>,
    pub(crate) attestations: Option<Vec<u8>>,
}

impl Papers {
    /// What lies beside that file. What is not there is nobody's mistake; what cannot be read is one.
    pub(crate) fn beside(file: &Path) -> Result<Self> {
        Ok(Self {
            signatures: read_if_there(&signature_path(file), MAX_SIGNATURE_FILE)?,
            attestations: read_if_there(&attestations_path(file), MAX_ATTESTATION_FILE)?,
        })
    }

    /// As the verifier takes them.
    pub(crate) fn as_beside(&self) -> Beside<'_> {
        Beside {
            signatures: self.signatures.as_deref(),
            attestations: self.attestations.as_deref(),
        }
    }
}

/// The bytes of a file, if there is one. It must be a file, and no larger than that.
pub(crate) fn read_if_there(file: &Path, limit: usize) -> Result<Option<Vec<u8>>> {
    let read = || -> std::io::Result<Vec<u8>> {
        if !fs::metadata(file)?.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        read_file(file, limit)
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).or_exit(Exit::Usage, format_args!("cannot read {}", file.display()))
        }
    }
}

/// A policy file and the trust that it says, with the keys that it names.
pub(crate) fn load_policy(file: &Path) -> Result<(Policy, TrustPolicy)> {
    let policy = load_grants(file)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let trust = TrustPolicy::load(&policy, folder).or_exit(
        Exit::Refused,
        format_args!("{} cannot be used", file.display()),
    )?;
    Ok((policy, trust))
}

/// A policy file, for its grants and secrets alone.
pub(crate) fn load_grants(file: &Path) -> Result<Policy> {
    let text = read_text_file(file, MAX_POLICY).or_exit(
        Exit::Refused,
        format_args!("cannot read {}", file.display()),
    )?;
    Policy::from_toml(&text).or_exit(Exit::Refused, format_args!("{}", file.display()))
}

/// The text of a file, which has no more bytes than a plugin may have.
pub(crate) fn read_text(file: &Path) -> Result<String> {
    read_text_file(file, MAX_COMPONENT)
        .or_exit(Exit::Usage, format_args!("cannot read {}", file.display()))
}

/// The token in a file, whose bytes are few.
pub(crate) fn read_token(file: &Path) -> std::io::Result<String> {
    let text = read_text_file(file, MAX_TOKEN)?;
    Ok(text.trim().to_owned())
}

/// Writes a file whole or not at all, by writing another one beside it and renaming that: nobody reads
/// half of it.
pub(crate) fn write_whole(file: &Path, content: &[u8]) -> Result<()> {
    replace::all([Change::Write(file, content)])
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(file: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let write = || {
        let mut out = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(file)?;
        out.write_all(text.as_bytes())
    };
    write().or_exit(Exit::Usage, format_args!("cannot write {}", file.display()))
}
