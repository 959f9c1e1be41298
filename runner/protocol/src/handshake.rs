//! How a runner proves who it is: it signs what the controller has just made up.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use wharf_policy::Digest;

use crate::{AttemptKey, BootId, Pipe, RunnerId};

/// The version of these frames. A controller refuses another one by name.
pub const PROTOCOL: u16 = 1;

/// The first frame: something that was never signed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The controller's own id, so that a signature for one is of no use to another.
    pub controller: String,
    /// 32 random bytes.
    pub nonce: ByteBuf,
}

/// The answer: who, what it can do, and what it still holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u16,
    /// Which runner.
    pub runner: RunnerId,
    /// Which process of it.
    pub boot: BootId,
    /// What this connection is for.
    pub pipe: Pipe,
    /// Ed25519 signature over [`hello_message`], 64 bytes.
    pub signature: ByteBuf,
    /// The runner's version.
    pub version: String,
    /// Operating system and architecture, such as `linux/x86_64`.
    pub platform: String,
    /// The host's name, for people.
    pub host: String,
    /// Components that it holds verified and compiled.
    pub plugins: Vec<Digest>,
    /// Attempts that run at this moment.
    pub running: Vec<AttemptKey>,
    /// Attempts whose results are in the journal, not yet acknowledged.
    pub journaled: Vec<AttemptKey>,
}

/// What a runner signs: a fixed label, then each part with its length before it, so that no two
/// different hellos give the same bytes.
pub fn hello_message(challenge: &Challenge, runner: &RunnerId, pipe: Pipe) -> Vec<u8> {
    let pipe: &[u8] = match pipe {
        Pipe::Control => b"control",
        Pipe::Logs => b"logs",
    };
    let runner = runner.to_string();
    let mut message = b"wharf runner hello v1\0".to_vec();
    for part in [
        challenge.controller.as_bytes(),
        &challenge.nonce,
        runner.as_bytes(),
        pipe,
    ] {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}
