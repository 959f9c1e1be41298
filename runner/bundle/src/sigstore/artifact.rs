//! What a bundle is verified for: a file in memory, a file that was read through once, or only a digest.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use wharf_policy::Digest;

use super::Rejection;
use super::hash::Hash;

/// The artifact that a bundle should vouch for.
#[derive(Debug, Clone)]
pub struct Artifact<'a> {
    sha256: Digest,
    longer: Option<Longer>,
    bytes: Option<&'a [u8]>,
}

#[derive(Debug, Clone)]
struct Longer {
    sha384: [u8; 48],
    sha512: [u8; 64],
}

impl<'a> Artifact<'a> {
    /// A file in memory. The longer digests are made when they are asked for.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self {
            sha256: crate::digest(bytes),
            longer: None,
            bytes: Some(bytes),
        }
    }

    /// The same where its digest is known already. The caller answers for the digest.
    pub(crate) fn from_digested(bytes: &'a [u8], sha256: Digest) -> Self {
        Self {
            sha256,
            longer: None,
            bytes: Some(bytes),
        }
    }

    /// A digest alone, of a file that is elsewhere.
    pub fn from_digest(sha256: Digest) -> Self {
        Self {
            sha256,
            longer: None,
            bytes: None,
        }
    }

    /// A file of any size, read once and not kept.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn from_reader(mut reader: impl Read) -> io::Result<Self> {
        let (mut sha256, mut sha384, mut sha512) = (Sha256::new(), Sha384::new(), Sha512::new());
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let chunk = buffer.get(..read).unwrap_or_default();
            sha256.update(chunk);
            sha384.update(chunk);
            sha512.update(chunk);
        }
        Ok(Self {
            sha256: Digest::from_bytes(sha256.finalize().into()),
            longer: Some(Longer {
                sha384: sha384.finalize().into(),
                sha512: sha512.finalize().into(),
            }),
            bytes: None,
        })
    }

    /// The SHA-256 of the artifact.
    pub fn digest(&self) -> Digest {
        self.sha256
    }

    /// The bytes, where they are at hand.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        self.bytes
    }

    /// The digest by that function.
    pub(super) fn hashed(&self, hash: Hash) -> Result<Vec<u8>, Rejection> {
        match (hash, &self.longer, self.bytes) {
            (Hash::Sha256, ..) => Ok(self.sha256.as_bytes().to_vec()),
            (Hash::Sha384, Some(longer), _) => Ok(longer.sha384.to_vec()),
            (Hash::Sha512, Some(longer), _) => Ok(longer.sha512.to_vec()),
            (_, None, Some(bytes)) => Ok(hash.of(bytes)),
            (_, None, None) => Err(Rejection::Unsupported(format!(
                "it is about the {} of the artifact, and only the SHA-256 was given; give the file",
                hash.name()
            ))),
        }
    }
}
