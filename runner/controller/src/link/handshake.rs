//! Who is there? A challenge, and a signature over it that only that runner can make.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_bytes::ByteBuf;
use wharf_protocol::{
    Challenge, DecodeError, Hello, PROTOCOL, RunnerId, ToController, ToRunner, decode,
    hello_message,
};

use super::{LinkContext, pipe};
use crate::model::TokenHash;
use crate::secret::{self, NoRandomness};

/// How long a connection may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// A runner that has proved who it is and was welcomed.
pub(super) struct Guest {
    pub(super) hello: Hello,
    pub(super) session: TokenHash,
}

/// Why a connection is not let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no hello came within {} seconds", PATIENCE.as_secs())]
    Silent,
    #[error("the connection ended, or sent a message over the size limit, before it said hello")]
    Ended,
    #[error("the first message must be one binary message with the one frame hello")]
    NotHello,
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    #[error(
        "this controller speaks protocol {PROTOCOL}, the runner speaks {0}: use the same version of wharf for both"
    )]
    Protocol(u16),
    #[error("the runner {0} is not known here, or was removed: enrol it with a token of its group")]
    Unknown(RunnerId),
    #[error(
        "the signature does not prove that this is the runner {0}: its key is not the one that was enrolled"
    )]
    Signature(RunnerId),
    #[error(
        "the runner {runner} was enrolled on {enrolled} and connects from {found}: enrol each machine by itself"
    )]
    Platform {
        runner: RunnerId,
        enrolled: String,
        found: String,
    },
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Refusal {
    /// Whether the same runner may succeed later without anyone doing anything.
    pub(super) const fn may_retry(&self) -> bool {
        matches!(self, Self::Silent | Self::Ended | Self::NoRandomness(_))
    }
}

/// Challenges, checks, welcomes.
pub(super) async fn greet(socket: &mut WebSocket, context: &LinkContext) -> Result<Guest, Refusal> {
    let challenge = Challenge {
        controller: context.handle.controller().to_owned(),
        nonce: ByteBuf::from(secret::random()?),
    };
    pipe::send(socket, &[ToRunner::Challenge(challenge.clone())])
        .await
        .map_err(|_| Refusal::Ended)?;
    let message = tokio::time::timeout(PATIENCE, socket.recv())
        .await
        .map_err(|_| Refusal::Silent)?;
    let hello = match message {
        Some(Ok(Message::Binary(bytes))) => {
            let mut frames = decode::<ToController>(&bytes)?;
            match (frames.pop(), frames.is_empty()) {
                (Some(ToController::Hello(hello)), true) => *hello,
                _ => return Err(Refusal::NotHello),
            }
        }
        Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Refusal::Ended),
        Some(Ok(_)) => return Err(Refusal::NotHello),
    };
    if hello.protocol != PROTOCOL {
        return Err(Refusal::Protocol(hello.protocol));
    }
    let id = hello.runner;
    let known = context.directory.runner(&id).ok_or(Refusal::Unknown(id))?;
    verify(&known.public_key, &challenge, &hello).ok_or(Refusal::Signature(id))?;
    if os(&known.platform) != os(&hello.platform) {
        return Err(Refusal::Platform {
            runner: id,
            enrolled: known.platform,
            found: clip(&hello.platform, 64),
        });
    }
    let mut warnings = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    if hello.version != version {
        warnings.push(format!(
            "the runner has version {}, the controller {version}",
            clip(&hello.version, 64)
        ));
    }
    let token = secret::new_token()?;
    let session = secret::hash_token(&token).ok_or(Refusal::Ended)?;
    context.directory.open_session(session, id);
    let welcome = ToRunner::Welcome {
        session: token,
        group: known.group,
        lease_ms: millis(context.lease),
        heartbeat_ms: millis(context.heartbeat),
        warnings,
    };
    if pipe::send(socket, &[welcome]).await.is_err() {
        context.directory.close_session(&session);
        return Err(Refusal::Ended);
    }
    Ok(Guest { hello, session })
}

/// Some if the signature is that of this key over this challenge. Strict: no weak keys, no second
/// signature that means the same.
fn verify(key: &[u8; 32], challenge: &Challenge, hello: &Hello) -> Option<()> {
    let key = VerifyingKey::from_bytes(key).ok()?;
    let signature = Signature::from_slice(&hello.signature).ok()?;
    let message = hello_message(challenge, &hello.runner, hello.pipe);
    key.verify_strict(&message, &signature).ok()
}

/// The operating system of a platform such as `linux/x86_64`.
fn os(platform: &str) -> &str {
    platform.split('/').next().unwrap_or(platform)
}

/// The first characters of something that somebody else wrote.
pub(super) fn clip(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
