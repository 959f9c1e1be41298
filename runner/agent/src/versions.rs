//! The highest version of each plugin that this runner has run, remembered across restarts: what
//! was mended is not brought back by whoever can choose which bundle is run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use semver::Version;
use serde::{Deserialize, Serialize};
use wharf_bundle::Refusal;
use wharf_policy::PluginName;

use crate::AgentError;
use crate::state_file::StateFile;

/// The file in the state folder.
const FILE: &str = "versions.json";

/// The format of the file.
const FORMAT: u32 = 1;

/// What has been run. A pure state: it decides, and does no I/O.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Highest(BTreeMap<PluginName, Version>);

impl Highest {
    /// Refuses a version below the highest, unless older ones are let in.
    fn check(&self, name: &PluginName, version: &Version, older: bool) -> Result<(), Refusal> {
        match self.0.get(name) {
            // Build metadata does not make a version newer.
            Some(highest) if !older && version.cmp_precedence(highest).is_lt() => {
                Err(Refusal::RolledBack {
                    name: name.clone(),
                    version: Box::new(version.clone()),
                    highest: Box::new(highest.clone()),
                })
            }
            _ => Ok(()),
        }
    }

    /// Takes note of a version. Whether it is the highest now, and was not before.
    fn raise(&mut self, name: &PluginName, version: &Version) -> bool {
        let known = self.0.get(name);
        if known.is_some_and(|highest| version.cmp_precedence(highest).is_le()) {
            return false;
        }
        self.0.insert(name.clone(), version.clone());
        true
    }
}

/// The same, kept in a file.
#[derive(Debug)]
pub(crate) struct Versions {
    file: StateFile,
    /// Held from the check of a version until it is remembered, the writing of the file included.
    admitting: Mutex<()>,
    /// Written only by who holds that. Who reads it never waits for a disk.
    highest: RwLock<Highest>,
}

/// Why a version is not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    /// It is older than what was run.
    #[error(transparent)]
    Older(Refusal),
    /// It cannot be remembered: after a restart older ones would be let in.
    #[error(transparent)]
    Unwritten(#[from] AgentError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    highest: BTreeMap<PluginName, Version>,
}

impl Versions {
    /// Reads what was run before. Without a file nothing was.
    ///
    /// # Errors
    /// The file cannot be read: it is not passed over, since that would forget.
    pub(crate) fn open(state: &Path) -> Result<Self, AgentError> {
        let file = StateFile::new(state, FILE, "plugins");
        let highest = match file.read::<Stored>()? {
            None => Highest::default(),
            Some(Stored { format, .. }) if format != FORMAT => {
                return Err(file.damaged(format!("it has format {format}")));
            }
            Some(stored) => Highest(stored.highest),
        };
        Ok(Self {
            file,
            admitting: Mutex::new(()),
            highest: RwLock::new(highest),
        })
    }

    /// Whether a version may run now: it is not below the highest that was run, or `older` ones are
    /// let in.
    ///
    /// # Errors
    /// It is older.
    pub(crate) fn check(
        &self,
        name: &PluginName,
        version: &Version,
        older: bool,
    ) -> Result<(), Refusal> {
        self.highest().check(name, version, older)
    }

    /// Checks a version and remembers it, before it runs. Of two at a time, the second is checked
    /// against the first.
    ///
    /// # Errors
    /// It is older, or cannot be remembered.
    pub(crate) fn admit(
        &self,
        name: &PluginName,
        version: &Version,
        older: bool,
    ) -> Result<(), NotAdmitted> {
        // Neither lock guards anything that could be left half changed.
        let _admitting = self
            .admitting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut raised = self.highest().clone();
        raised
            .check(name, version, older)
            .map_err(NotAdmitted::Older)?;
        if raised.raise(name, version) {
            self.write(&raised)?;
            let mut highest = self.highest.write().unwrap_or_else(PoisonError::into_inner);
            *highest = raised;
        }
        Ok(())
    }

    fn highest(&self) -> RwLockReadGuard<'_, Highest> {
        self.highest.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, highest: &Highest) -> Result<(), AgentError> {
        let stored = Stored {
            format: FORMAT,
            highest: highest.0.clone(),
        };
        self.file.write(&stored)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn admit(
        versions: &Versions,
        name: &str,
        version: &str,
        older: bool,
    ) -> Result<(), NotAdmitted> {
        let (name, version) = (name.parse().unwrap(), version.parse().unwrap());
        let checked = versions.check(&name, &version, older).is_ok();
        let admitted = versions.admit(&name, &version, older);
        assert_eq!(checked, admitted.is_ok(), "{version}");
        admitted
    }

    #[test]
    fn an_older_version_is_refused_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let versions = Versions::open(folder.path()).unwrap();
        admit(&versions, "acme/http", "1.2.0", false).unwrap();
        admit(&versions, "acme/http", "1.2.0+build.2", false).unwrap();
        let again = Versions::open(folder.path()).unwrap();
        for old in ["1.1.9", "1.2.0-rc.1", "0.1.0"] {
            let refusal = admit(&again, "acme/http", old, false).unwrap_err();
            assert!(refusal.to_string().contains("1.2.0"), "{refusal}");
            admit(&again, "acme/http", old, true).unwrap();
        }
        admit(&again, "acme/other", "0.1.0", false).unwrap();
        admit(&again, "acme/http", "1.2.1", false).unwrap();
        assert!(admit(&versions, "acme/http", "1.1.0", false).is_err());
        let third = Versions::open(folder.path()).unwrap();
        assert!(admit(&third, "acme/http", "1.2.0", false).is_err());
    }

    #[test]
    fn an_older_version_that_was_let_in_does_not_lower_the_highest() {
        let folder = tempfile::tempdir().unwrap();
        let versions = Versions::open(folder.path()).unwrap();
        admit(&versions, "p", "2.0.0", false).unwrap();
        admit(&versions, "p", "1.0.0", true).unwrap();
        assert!(admit(&versions, "p", "1.5.0", false).is_err());
    }

    #[test]
    fn of_two_versions_that_were_both_good_the_older_is_not_let_in_after_the_newer() {
        let folder = tempfile::tempdir().unwrap();
        let versions = Versions::open(folder.path()).unwrap();
        let name = "p".parse().unwrap();
        let (old, new) = (Version::new(1, 0, 0), Version::new(1, 1, 0));
        // As when both are compiled at a time.
        for version in [&old, &new] {
            versions.check(&name, version, false).unwrap();
        }
        versions.admit(&name, &new, false).unwrap();
        let error = versions.admit(&name, &old, false).unwrap_err();
        assert!(matches!(error, NotAdmitted::Older(_)), "{error}");
    }

    #[test]
    fn a_version_that_cannot_be_written_is_not_taken_note_of() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        fs::create_dir(&state).unwrap();
        let versions = Versions::open(&state).unwrap();
        fs::remove_dir(&state).unwrap();
        let (name, version) = ("p".parse().unwrap(), "1.0.0".parse().unwrap());
        let error = versions.admit(&name, &version, false).unwrap_err();
        assert!(matches!(error, NotAdmitted::Unwritten(_)), "{error}");
        assert_eq!(*versions.highest(), Highest::default());
    }

    #[test]
    fn a_file_that_cannot_be_understood_keeps_the_runner_from_starting() {
        let folder = tempfile::tempdir().unwrap();
        for text in [
            "",
            "{}",
            r#"{"format":2,"highest":{}}"#,
            r#"{"format":1,"highest":{"P":"1.0.0"}}"#,
            r#"{"format":1,"highest":{"p":"one"}}"#,
            r#"{"format":1,"highest":{},"more":1}"#,
        ] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let error = Versions::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains(FILE), "{text}: {error}");
        }
    }
}
