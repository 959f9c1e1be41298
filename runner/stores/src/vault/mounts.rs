//! What is mounted where. Vault is asked once for each mount; the policy may say it instead.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use wharf_policy::VaultEngine;

use super::answer::Secret;
use crate::StoreError;
use crate::open::Unusable;

/// For how long it is believed that a mount is what it was.
const FRESH: Duration = Duration::from_secs(300);

/// An engine at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Without `/` at its ends.
    path: String,
    pub(super) engine: VaultEngine,
}

impl Mount {
    /// The path with a word between the mount and the rest.
    pub(super) fn below<'a>(&'a self, word: &'a str, path: &'a str) -> Vec<&'a str> {
        let rest = &path[self.path.len()..];
        let rest = rest.split('/').filter(|segment| !segment.is_empty());
        self.path.split('/').chain([word]).chain(rest).collect()
    }

    /// Whether a path lies within: by whole segments.
    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[derive(Default)]
pub(super) struct Mounts {
    said: Vec<Mount>,
    learned: Mutex<Vec<(Mount, Instant)>>,
}

/// What the server tells of a mount.
#[derive(Deserialize)]
struct Told {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    options: Option<BTreeMap<String, String>>,
}

impl Mounts {
    /// With what the policy says of them.
    pub(super) fn new(said: &BTreeMap<String, VaultEngine>) -> Result<Self, Unusable> {
        let said = said.iter().map(|(path, engine)| {
            let path = path.trim_matches('/').to_owned();
            if path
                .split('/')
                .any(|segment| matches!(segment, "" | "." | ".."))
            {
                return Err(Unusable::Table(format!("`{path}` cannot be a mount")));
            }
            Ok(Mount {
                path,
                engine: *engine,
            })
        });
        Ok(Self {
            said: said.collect::<Result<_, _>>()?,
            learned: Mutex::default(),
        })
    }

    /// The mount that a path lies in, if that is known. The policy's word comes first.
    pub(super) fn known(&self, path: &str) -> Option<Mount> {
        let longest = |mounts: &mut dyn Iterator<Item = &Mount>| {
            mounts
                .filter(|mount| mount.holds(path))
                .max_by_key(|mount| mount.path.len())
                .cloned()
        };
        longest(&mut self.said.iter()).or_else(|| {
            let now = Instant::now();
            let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
            learned.retain(|(_, until)| *until > now);
            longest(&mut learned.iter().map(|(mount, _)| mount))
        })
    }

    /// Keeps what the server tells of the mount that a path lies in.
    pub(super) fn learn(&self, whom: &str, path: &str, body: &[u8]) -> Result<Mount, StoreError> {
        let strange = || {
            StoreError::BadAnswer(
                whom.to_owned(),
                "it does not say what is mounted there".to_owned(),
            )
        };
        let told: Told = Secret::parse(whom, body)?.data(whom)?;
        let engine = match (told.kind.as_str(), &told.options) {
            ("kv" | "generic", Some(options))
                if options.get("version").is_some_and(|v| v == "2") =>
            {
                VaultEngine::KvV2
            }
            ("kv" | "generic", _) => VaultEngine::KvV1,
            _ => VaultEngine::Other,
        };
        let mount = Mount {
            path: told.path.trim_matches('/').to_owned(),
            engine,
        };
        if mount.path.is_empty() || !mount.holds(path) {
            return Err(strange());
        }
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.retain(|(known, _)| known.path != mount.path);
        learned.push((mount.clone(), Instant::now() + FRESH));
        Ok(mount)
    }

    /// Asks anew next time.
    pub(super) fn forget(&self, mount: &Mount) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.retain(|(known, _)| known.path != mount.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, kind: &str, options: &str) -> String {
        format!(r#"{{"data": {{"path": "{path}", "type": "{kind}", "options": {options}}}}}"#)
    }

    #[test]
    fn the_engine_is_what_the_server_says_and_the_longest_mount_counts() {
        let mounts = Mounts::default();
        let learn = |path: &str, body: String| mounts.learn("v", path, body.as_bytes()).unwrap();
        learn("a/x", told("a/", "kv", r#"{"version": "1"}"#));
        learn("a/kv/x", told("a/kv/", "kv", r#"{"version": "2"}"#));
        learn("db/creds/app", told("db/", "database", "null"));
        let engine = |path: &str| mounts.known(path).map(|mount| mount.engine);
        assert_eq!(engine("a/b"), Some(VaultEngine::KvV1));
        assert_eq!(engine("a/kvx"), Some(VaultEngine::KvV1));
        assert_eq!(engine("a/kv/b/c"), Some(VaultEngine::KvV2));
        assert_eq!(engine("db/creds/app"), Some(VaultEngine::Other));
        assert_eq!(engine("abc/d"), None);
        let mount = mounts.known("a/kv/b/c").unwrap();
        assert_eq!(mount.below("data", "a/kv/b/c").join("/"), "a/kv/data/b/c");
        mounts.forget(&mount);
        assert_eq!(engine("a/kv/b/c"), Some(VaultEngine::KvV1));
    }

    #[test]
    fn the_policy_has_the_first_word_and_the_server_cannot_point_elsewhere() {
        let said = BTreeMap::from([("kv/".to_owned(), VaultEngine::KvV1)]);
        let mounts = Mounts::new(&said).unwrap();
        assert_eq!(mounts.known("kv/x").unwrap().engine, VaultEngine::KvV1);
        for path in ["other/", "/", ""] {
            let body = told(path, "kv", "null");
            assert!(mounts.learn("v", "mine/x", body.as_bytes()).is_err());
        }
        let bad = BTreeMap::from([("a//b".to_owned(), VaultEngine::KvV1)]);
        assert!(Mounts::new(&bad).is_err());
    }
}
