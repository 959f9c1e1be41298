//! Who this runner is: a key that it made itself and that never leaves its folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use wharf_bundle::read_file;
use wharf_protocol::{BootId, Challenge, GroupName, Pipe, RunnerId, hello_message};
use wharf_stores::{Membership, Newest, Shelf};
use zeroize::Zeroizing;

use crate::AgentError;
use crate::private_file::{private_folder, require_private, write_whole};

const KEY_FILE: &str = "runner.key";
const CARD_FILE: &str = "runner.json";

/// The largest card, in bytes.
const MAX_CARD: usize = 64 << 10;

/// What enrolment gave: `runner.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    /// Which runner.
    pub(crate) runner: RunnerId,
    /// The group it belongs to.
    pub(crate) group: GroupName,
    /// The controller's own id: another controller's challenge is not answered.
    pub(crate) controller: String,
    /// Where the controller is.
    pub(crate) url: String,
}

/// A runner's key and card.
pub(crate) struct Identity {
    key: SigningKey,
    /// What enrolment gave.
    pub(crate) card: Card,
    /// This process.
    pub(crate) boot: BootId,
}

impl Identity {
    /// Reads the identity of a state folder.
    pub(crate) fn load(folder: &Path) -> Result<Self, AgentError> {
        let card = read_card(folder)?.ok_or_else(|| AgentError::NotEnrolled(folder.to_owned()))?;
        let key = read_key(folder)?.ok_or_else(|| AgentError::NotEnrolled(folder.to_owned()))?;
        Ok(Self::new(key, card))
    }

    /// What lets this runner open the sealed secrets of its group.
    pub(crate) fn membership(&self, shelf: Arc<dyn Shelf>, newest: Arc<dyn Newest>) -> Membership {
        Membership {
            shelf,
            group: self.card.group.to_string(),
            key: self.key.clone(),
            newest,
        }
    }

    /// The signature that answers a challenge.
    pub(crate) fn answer(&self, challenge: &Challenge, pipe: Pipe) -> Vec<u8> {
        let message = hello_message(challenge, &self.card.runner, pipe);
        self.key.sign(&message).to_bytes().to_vec()
    }

    pub(crate) fn new(key: SigningKey, card: Card) -> Self {
        let boot = BootId::from_ulid(Ulid::generate());
        Self { key, card, boot }
    }
}

/// Whether a state folder holds the identity of an enrolled runner.
pub fn is_enrolled(folder: &Path) -> bool {
    matches!(read_card(folder), Ok(Some(_)))
}

/// The key of the folder; made if there is none yet, so that a second try after a broken
/// enrolment is the same runner.
pub(crate) fn key_of(folder: &Path) -> Result<SigningKey, AgentError> {
    private_folder(folder)?;
    if let Some(key) = read_key(folder)? {
        return Ok(key);
    }
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|error| AgentError::part("system's source of random bytes", error))?;
    write_whole(&folder.join(KEY_FILE), seed.as_slice())?;
    Ok(SigningKey::from_bytes(&seed))
}

pub(crate) fn read_card(folder: &Path) -> Result<Option<Card>, AgentError> {
    let path = folder.join(CARD_FILE);
    let bytes = match read_file(&path, MAX_CARD) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AgentError::file("read", &path, error)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| AgentError::Damaged {
            path,
            reason: error.to_string(),
        })
}

pub(crate) fn write_card(folder: &Path, card: &Card) -> Result<(), AgentError> {
    let path = folder.join(CARD_FILE);
    let bytes = serde_json::to_vec_pretty(card).map_err(|error| AgentError::Damaged {
        path: path.clone(),
        reason: error.to_string(),
    })?;
    write_whole(&path, &bytes)
}

fn read_key(folder: &Path) -> Result<Option<SigningKey>, AgentError> {
    let path = folder.join(KEY_FILE);
    let seed = match fs::read(&path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AgentError::file("read", &path, error)),
    };
    require_private(&path)?;
    let seed: &[u8; 32] = seed
        .as_slice()
        .try_into()
        .map_err(|_| AgentError::Damaged {
            path: path.clone(),
            reason: format!("a key has 32 bytes, this has {}", seed.len()),
        })?;
    Ok(Some(SigningKey::from_bytes(seed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = key_of(&state).unwrap();
        assert_eq!(first.to_bytes(), key_of(&state).unwrap().to_bytes());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&state), 0o700);
            assert_eq!(mode(&state.join(KEY_FILE)), 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        key_of(folder.path()).unwrap();
        let key = folder.path().join(KEY_FILE);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(key_of(folder.path()), Err(AgentError::Exposed(_))));
    }

    #[test]
    fn a_folder_without_a_card_is_not_enrolled_and_says_how_to() {
        let folder = tempfile::tempdir().unwrap();
        let Err(error) = Identity::load(folder.path()) else {
            panic!("it was loaded")
        };
        assert!(error.to_string().contains("wharf runner enroll"), "{error}");
    }
}
