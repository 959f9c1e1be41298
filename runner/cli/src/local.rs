//! Files that commands read: plugins, policies, grants.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use wharf_bundle::{
    Beside, MAX_ATTESTATION_FILE, MAX_SIGNATURE_FILE, TrustPolicy, attestations_path,
    signature_path,
};
use wharf_policy::Policy;

use crate::exit::{Context, Exit, Result};
use crate::replace::{self, Change};

/// The bytes of a file.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).or_exit(Exit::Usage, format_args!("cannot read {}", file.display()))
}

/// The first bytes of a file: all of them, or one more than `limit`, which says that there are more. It
/// need not be a file that says its size, or one that ends.
pub(crate) fn read_up_to(file: &Path, limit: usize) -> Result<Vec<u8>> {
    up_to(file, limit).or_exit(Exit::Usage, format_args!("cannot read {}", file.display()))
}

fn up_to(file: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let from = fs::File::open(file)?;
    from.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
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
        let bytes = up_to(file, limit)?;
        match bytes.len() > limit {
            true => Err(std::io::Error::other(format!(
                "it has more than the {limit} bytes that such a file may have"
            ))),
            false => Ok(bytes),
        }
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
    let text = fs::read_to_string(file).or_exit(
        Exit::Refused,
        format_args!("cannot read {}", file.display()),
    )?;
    Policy::from_toml(&text).or_exit(Exit::Refused, format_args!("{}", file.display()))
}

/// The text of a file.
pub(crate) fn read_text(file: &Path) -> Result<String> {
    fs::read_to_string(file).or_exit(Exit::Usage, format_args!("cannot read {}", file.display()))
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
