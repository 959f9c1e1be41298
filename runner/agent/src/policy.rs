//! The runner's own policy, read once at the start: it bounds everything a controller can ask for.

use std::path::{Path, PathBuf};

use wharf_bundle::{MAX_POLICY, TrustPolicy, read_text_file};
use wharf_policy::{Digest, Policy};
use wharf_stores::{Membership, Stores};

use crate::AgentError;

/// Whom this runner trusts, what it grants, and where its secrets are.
#[derive(Clone)]
pub struct RunnerPolicy {
    /// The file as it was read.
    pub policy: Policy,
    /// Whom it trusts, with the keys read.
    pub trust: TrustPolicy,
    /// Of the file's bytes, for the audit record.
    pub digest: Digest,
    /// Where secrets come from.
    pub stores: Stores,
}

impl RunnerPolicy {
    /// Reads a policy file and the keys that it names, which are relative to it, as are `file:`
    /// secrets and what its stores need. Sealed secrets need the runner's membership. No store is asked for anything yet.
    ///
    /// # Errors
    /// Anything that is not understood: a runner does not start with a part of a policy.
    pub fn load(path: &Path, membership: Option<&Membership>) -> Result<Self, AgentError> {
        let bad = |reason: String| AgentError::Policy {
            path: path.to_owned(),
            reason,
        };
        let text = read_text_file(path, MAX_POLICY).map_err(|error| bad(error.to_string()))?;
        let policy = Policy::from_toml(&text).map_err(|error| bad(error.to_string()))?;
        let folder: PathBuf = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let trust = TrustPolicy::load(&policy, &folder).map_err(|error| bad(error.to_string()))?;
        Ok(Self {
            stores: Stores::open(&policy, &folder, membership)
                .map_err(|error| bad(error.to_string()))?,
            digest: wharf_bundle::digest(text.as_bytes()),
            policy,
            trust,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_is_missing_or_wrong_keeps_the_runner_from_starting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        let error = |path: &Path| RunnerPolicy::load(path, None).err().unwrap().to_string();
        assert!(error(&path).contains("does not start"));
        let endless = error(Path::new("/dev/zero"));
        assert!(endless.contains("more than"), "{endless}");
        std::fs::write(&path, "[[trust]]\nplugins = ['*']\nkeys = ['gone.pub']\n").unwrap();
        assert!(error(&path).contains("gone.pub"), "{}", error(&path));
        std::fs::write(&path, "[[grants]]\n").unwrap();
        assert!(error(&path).contains("grants"), "{}", error(&path));
        std::fs::write(&path, "[[secret]]\nname = 's'\nfrom = 'vault:kv/a#b'\n").unwrap();
        assert!(error(&path).contains("[store.vault]"), "{}", error(&path));
    }
}
