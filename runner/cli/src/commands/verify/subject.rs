//! What is to be verified: a file, or the digest of one that is elsewhere.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use wharf_bundle::MAX_COMPONENT;
use wharf_bundle::sigstore::Artifact;
use wharf_policy::Digest;

use crate::exit::{Context, Exit, Failure, Result};

/// What the command line names.
#[derive(Debug, PartialEq)]
pub(super) enum Subject {
    Digest(Digest),
    File(PathBuf),
}

/// A subject as it is verified: in memory, or only by its digests.
pub(super) enum Found {
    Bytes(Vec<u8>),
    Digests(Artifact<'static>),
}

impl Subject {
    /// Whatever is written as a digest is one, whichever files there are: who asks about a digest must
    /// never be told of a file that somebody gave its name.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let is_digest = lower.split_once(':').is_some_and(|(function, _)| {
            function
                .strip_prefix("sha")
                .is_some_and(|size| size.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if !is_digest {
            return Ok(Self::File(PathBuf::from(text)));
        }
        lower.parse().map(Self::Digest).map_err(|_| {
            Failure::usage(format_args!("{text:?} is not a SHA-256 digest")).help(format_args!(
                "write sha256: and 64 hexadecimal digits; a file of that name is ./{text}"
            ))
        })
    }

    /// Reads what there is to read of it.
    pub(super) fn read(&self) -> Result<Found> {
        let path = match self {
            Self::Digest(digest) => return Ok(Found::Digests(Artifact::from_digest(*digest))),
            Self::File(path) => path,
        };
        let cannot = || format!("cannot read {}", path.display());
        let mut file = File::open(path).or_exit(Exit::Usage, cannot())?;
        let size = file.metadata().or_exit(Exit::Usage, cannot())?.len();
        let mut bytes = Vec::new();
        if size <= MAX_COMPONENT as u64 {
            let mut start = (&mut file).take(MAX_COMPONENT as u64 + 1);
            start
                .read_to_end(&mut bytes)
                .or_exit(Exit::Usage, cannot())?;
        }
        match bytes.len() <= MAX_COMPONENT && size <= MAX_COMPONENT as u64 {
            true => Ok(Found::Bytes(bytes)),
            false => Artifact::from_reader(bytes.as_slice().chain(file))
                .map(Found::Digests)
                .or_exit(Exit::Usage, cannot()),
        }
    }
}

impl Found {
    pub(super) fn artifact(&self) -> Artifact<'_> {
        match self {
            Self::Bytes(bytes) => Artifact::from_bytes(bytes),
            Self::Digests(artifact) => artifact.clone(),
        }
    }
}

/// Whether that is there and is no folder; who asks for what is not signed wants to hear that first.
pub(super) fn check_file(path: &Path) -> Result<()> {
    let file =
        fs::metadata(path).or_exit(Exit::Usage, format_args!("cannot read {}", path.display()))?;
    match file.is_dir() {
        true => Err(Failure::usage(format_args!(
            "{} is a folder: name a file",
            path.display()
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_a_digest_is_one_or_an_error_and_never_a_file() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let parsed = Subject::Digest(digest.parse().unwrap());
        assert_eq!(Subject::parse(&digest).unwrap(), parsed);
        assert_eq!(Subject::parse(&digest.to_uppercase()).unwrap(), parsed);
        for wrong in ["sha256:ABC", "sha256:", "sha512:00", "SHA1:00", "sha:00"] {
            let failure = Subject::parse(wrong).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.to_string().contains("not a SHA-256 digest"));
        }
        for file in [
            "./sha256:00",
            "shadow:1",
            "a:b",
            "sha256",
            "-",
            "x/sha256:00",
        ] {
            assert_eq!(Subject::parse(file).unwrap(), Subject::File(file.into()));
        }
    }
}
