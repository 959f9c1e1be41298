//! When the newest value of each sealed secret that this runner has used was put, remembered across
//! restarts: what was signed once stays signed, and a controller could give it out again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use wharf_policy::SecretName;
use wharf_stores::{Label, Newest, NotTaken, PutAt, SealedRefusal};

use crate::AgentError;
use crate::audit::{Auditor, RunnerEvent};
use crate::state_file::StateFile;

/// The file in the state folder.
const FILE: &str = "sealed.json";

/// The format of the file.
const FORMAT: u32 = 1;

/// By group and name, when the newest was put.
type Taken = BTreeMap<String, BTreeMap<SecretName, PutAt>>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    newest: Taken,
}

/// What this runner has used, kept in a file. Refusals are told to the auditor.
pub(crate) struct NewestSealed {
    file: StateFile,
    taken: Mutex<Taken>,
    audit: Auditor,
}

impl NewestSealed {
    /// Reads what was used before. Without a file nothing was.
    ///
    /// # Errors
    /// The file cannot be read: it is not passed over, since that would forget.
    pub(crate) fn open(state: &Path, audit: Auditor) -> Result<Self, AgentError> {
        let file = StateFile::new(state, FILE, "sealed secrets");
        let taken = match file.read::<Stored>()? {
            None => Taken::default(),
            Some(Stored { format, .. }) if format != FORMAT => {
                return Err(file.damaged(format!("it has format {format}")));
            }
            Some(stored) => stored.newest,
        };
        Ok(Self {
            file,
            taken: Mutex::new(taken),
            audit,
        })
    }
}

impl Newest for NewestSealed {
    fn take(&self, label: &Label, put: PutAt) -> Result<(), NotTaken> {
        // Nothing leaves the map half changed, so a lock that broke is as good as another. It is held
        // while the file is written, which happens once for each `wharf secret put`.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let known = taken.get(&label.group).and_then(|of| of.get(&label.name));
        match known {
            Some(newest) if put < *newest => Err(NotTaken::Older {
                put,
                newest: *newest,
                forget: format!(
                    "stop the runner and take `{}` out of {} to let any older one in",
                    label.name,
                    self.file.path().display()
                ),
            }),
            Some(newest) if put == *newest => Ok(()),
            _ => {
                let mut raised = taken.clone();
                let group = raised.entry(label.group.clone()).or_default();
                group.insert(label.name.clone(), put);
                let stored = Stored {
                    format: FORMAT,
                    newest: raised,
                };
                // Before it is used: after a restart, older ones would be let in.
                self.file
                    .write(&stored)
                    .map_err(|error| NotTaken::Unwritten(error.to_string()))?;
                *taken = stored.newest;
                Ok(())
            }
        }
    }

    fn refused(&self, label: &Label, why: &SealedRefusal) {
        let event = RunnerEvent::sealed_secret_refused(label.name.clone(), why);
        self.audit.tell(&event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(state: &Path) -> Result<NewestSealed, AgentError> {
        let runner = "01JD8Z6J3KX9V4T0M5N7P2Q1RS".parse().unwrap();
        // A record has one writer, and these are opened while others are still there.
        let record = tempfile::tempdir().unwrap();
        NewestSealed::open(state, Auditor::open(record.path(), &runner).unwrap())
    }

    fn label(group: &str, name: &str) -> Label {
        Label {
            group: group.to_owned(),
            name: name.parse().unwrap(),
        }
    }

    fn at(millis: u64) -> PutAt {
        PutAt::from_millis(millis)
    }

    #[test]
    fn an_older_value_is_not_taken_also_after_a_restart_and_by_name_and_group() {
        let folder = tempfile::tempdir().unwrap();
        let db = label("production", "db");
        let first = open(folder.path()).unwrap();
        for put in [5_000, 5_000, 6_000] {
            first.take(&db, at(put)).unwrap();
        }
        assert!(first.take(&db, at(5_000)).is_err());
        let again = open(folder.path()).unwrap();
        let error = again.take(&db, at(5_999)).unwrap_err().to_string();
        let known = ["1970-01-01T00:00:05.999Z", "1970-01-01T00:00:06Z"];
        for says in [known[0], known[1], FILE, "wharf secret put"] {
            assert!(error.contains(says), "{says}: {error}");
        }
        again.take(&db, at(6_000)).unwrap();
        again.take(&label("production", "other"), at(1)).unwrap();
        again.take(&label("testing", "db"), at(1)).unwrap();
        let third = open(folder.path()).unwrap();
        assert!(third.take(&db, at(1)).is_err());
    }

    #[test]
    fn what_cannot_be_remembered_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let newest = open(&state).unwrap();
        std::fs::remove_dir(&state).unwrap();
        let error = newest.take(&label("g", "db"), at(1)).unwrap_err();
        assert!(matches!(error, NotTaken::Unwritten(_)), "{error}");
        std::fs::create_dir(&state).unwrap();
        newest.take(&label("g", "db"), at(1)).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_understood_keeps_the_runner_from_starting() {
        let folder = tempfile::tempdir().unwrap();
        for text in [
            "",
            "{}",
            r#"{"format":2,"newest":{}}"#,
            r#"{"format":1,"newest":{"g":{"NO NAME":1}}}"#,
            r#"{"format":1,"newest":{"g":{"db":-1}}}"#,
            r#"{"format":1,"newest":{},"more":1}"#,
        ] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let error = open(folder.path()).err().expect(text).to_string();
            assert!(
                error.contains(FILE) && error.contains("sealed secrets"),
                "{text}: {error}"
            );
        }
    }
}
