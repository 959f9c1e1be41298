//! What compiled code is of: which component, by which engine, for which machine. It is the name of
//! the file, whole, so that a file can be judged without an engine at hand.

use std::fmt;

use wharf_policy::Digest;

/// Everything that compiled code depends on in an engine: its version and its settings.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an artifact is of. Two that differ in anything are never mistaken for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) component: Digest,
    pub(super) engine: Fingerprint,
    pub(super) arch: String,
    pub(super) os: String,
}

const SUFFIX: &str = ".bin";

impl Identity {
    /// Of code for this machine.
    pub(super) fn here(component: Digest, engine: Fingerprint) -> Self {
        Self {
            component,
            engine,
            arch: std::env::consts::ARCH.to_owned(),
            os: std::env::consts::OS.to_owned(),
        }
    }

    pub(super) fn file_name(&self) -> String {
        format!(
            "{}-{}-{}-{}{SUFFIX}",
            self.component.to_hex(),
            self.engine,
            self.arch,
            self.os,
        )
    }

    /// What a file of that name is of; none if this cache does not name files so.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(SUFFIX)?.split('-');
        let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let mut next = || parts.next().filter(|part| word(part));
        let mut engine = [0; 32];
        let component = format!("sha256:{}", next()?).parse().ok()?;
        hex::decode_to_slice(next()?, &mut engine).ok()?;
        let found = Self {
            component,
            engine: Fingerprint(engine),
            arch: next()?.to_owned(),
            os: next()?.to_owned(),
        };
        // There is one way to write it.
        (found.file_name() == name).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_says_what_the_file_is_of_and_nothing_else_is_such_a_name() {
        let identity = Identity::here(Digest::from_bytes([7; 32]), Fingerprint([9; 32]));
        let name = identity.file_name();
        assert_eq!(Identity::of_file(&name), Some(identity));
        let bad = [
            String::new(),
            "compiled.key".to_owned(),
            name.replace(".bin", ""),
            name.replace(".bin", "-more.bin"),
            name.to_uppercase(),
            name.replacen("07", "", 1),
            format!("{name}.bin"),
        ];
        for bad in bad {
            assert_eq!(Identity::of_file(&bad), None, "{bad}");
        }
    }
}
