//! One connection to the controller: the handshake, then frames both ways until it ends.
//!
//! The same for both pipes. It knows no attempt: what is read goes to a function, what is written
//! comes from one.

use std::future::Future;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_bytes::ByteBuf;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_util::sync::CancellationToken;
use wharf_policy::Digest;
use wharf_protocol::{
    AttemptKey, Challenge, DecodeError, Hello, PROTOCOL, Pipe, ToController, ToRunner, decode,
    encode,
};

use crate::dial::{DialError, Dialer, Socket};
use crate::identity::Identity;

/// For each step of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// For the last frames and the farewell.
const FAREWELL: Duration = Duration::from_secs(2);
/// Heartbeats that the controller sets are held within these bounds.
const HEARTBEATS: (u64, u64) = (50, 60_000);

/// The longest of a controller's words for people, in characters.
const WORDS: usize = 1_000;
/// The most warnings that are kept of a welcome.
const WARNINGS: usize = 16;

/// What a runner holds at the moment of its hello.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Plugins that are loaded.
    pub(crate) plugins: Vec<Digest>,
    /// Attempts without a result.
    pub(crate) running: Vec<AttemptKey>,
    /// Attempts whose results are in the journal.
    pub(crate) journaled: Vec<AttemptKey>,
}

/// What the controller said when it took the runner in. Not printable: it holds the token.
#[derive(Clone)]
pub(crate) struct Welcome {
    /// The bearer token for bundles and payloads.
    pub(crate) session: String,
    /// How often to send a heartbeat.
    pub(crate) heartbeat: Duration,
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
}

/// Why a connection has ended, or was none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the connection broke: {0}")]
    Broken(Box<tokio_tungstenite::tungstenite::Error>),
    #[error("the controller closed the connection")]
    Closed,
    #[error("the controller does not answer")]
    Silent,
    #[error("the controller sent something that is not understood: {0}")]
    Malformed(#[from] DecodeError),
    #[error("the controller sent {0} where that has no place")]
    OutOfTurn(&'static str),
    #[error("the controller at this address is `{actual}`, this runner belongs to `{expected}`")]
    Stranger { expected: String, actual: String },
    #[error(
        "the controller takes this runner into the group `{actual}`, and it belongs to `{expected}`: enrol it anew if that is meant"
    )]
    OtherGroup { expected: String, actual: String },
    #[error("the controller says goodbye: {reason}")]
    Goodbye { reason: String, retry: bool },
    #[error("the runner leaves")]
    Left,
}

impl Ended {
    /// Whether it ended because of what the controller said.
    pub(crate) fn blames_the_controller(&self) -> bool {
        match self {
            Self::Malformed(_)
            | Self::OutOfTurn(_)
            | Self::Stranger { .. }
            | Self::OtherGroup { .. } => true,
            // A message that is too large to be read.
            Self::Broken(error) => {
                matches!(**error, tokio_tungstenite::tungstenite::Error::Capacity(_))
            }
            Self::Dial(_) | Self::Closed | Self::Silent | Self::Goodbye { .. } | Self::Left => {
                false
            }
        }
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for Ended {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::Broken(Box::new(error))
    }
}

/// A connection that the controller has welcomed.
pub(crate) struct Connection {
    socket: Socket,
    /// What the controller said.
    pub(crate) welcome: Welcome,
}

impl Connection {
    /// Dials and shakes hands. `held` is asked late, so that the hello is true when it is sent;
    /// if it knows nothing any more, no hello is sent: an empty one would give attempts up.
    pub(crate) async fn open<F: Future<Output = Option<Held>>>(
        dialer: &Dialer,
        identity: &Identity,
        pipe: Pipe,
        held: impl FnOnce() -> F,
    ) -> Result<Self, Ended> {
        let mut socket = dialer.dial().await?;
        let challenge = match first_frame(&mut socket).await? {
            ToRunner::Challenge(challenge) => challenge,
            ToRunner::Goodbye { reason, retry } => return Err(goodbye(&reason, retry)),
            _ => return Err(Ended::OutOfTurn("no challenge first")),
        };
        // A signature is never given to someone who is not our controller.
        if challenge.controller != identity.card.controller {
            return Err(Ended::Stranger {
                expected: identity.card.controller.clone(),
                actual: plain(&challenge.controller).chars().take(80).collect(),
            });
        }
        let held = held().await.ok_or(Ended::Left)?;
        let hello = hello(identity, &challenge, pipe, held);
        let mut message = Vec::new();
        encode(&mut message, &ToController::Hello(Box::new(hello)))
            .map_err(|_| Ended::OutOfTurn("a challenge that cannot be answered"))?;
        socket.send(Message::Binary(message.into())).await?;
        match first_frame(&mut socket).await? {
            ToRunner::Welcome {
                session,
                heartbeat_ms,
                warnings,
                group,
                ..
            } => {
                let ours = &identity.card.group;
                if group != *ours {
                    return Err(Ended::OtherGroup {
                        expected: ours.to_string(),
                        actual: group.to_string(),
                    });
                }
                let (least, most) = HEARTBEATS;
                let heartbeat = Duration::from_millis(heartbeat_ms.clamp(least, most));
                Ok(Self {
                    socket,
                    welcome: Welcome {
                        session,
                        heartbeat,
                        warnings: warnings.iter().take(WARNINGS).map(|w| plain(w)).collect(),
                    },
                })
            }
            ToRunner::Goodbye { reason, retry } => Err(goodbye(&reason, retry)),
            _ => Err(Ended::OutOfTurn("no welcome after the hello")),
        }
    }

    /// Serves the connection until it ends. `next` gives messages until there will be none any
    /// more; dropping its future must lose nothing. `take` gets each message's frames.
    pub(crate) async fn serve<N, T>(
        self,
        mut next: impl FnMut() -> N,
        mut take: impl FnMut(Vec<ToRunner>) -> T,
        stop: &CancellationToken,
    ) -> Ended
    where
        N: Future<Output = Option<Vec<u8>>>,
        T: Future<Output = ()>,
    {
        let (mut sink, mut stream) = self.socket.split();
        // A peer that vanished is noticed: pings are answered, or nothing is.
        let mut ping = interval(self.welcome.heartbeat);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let silence = self.welcome.heartbeat * 3 + Duration::from_millis(500);
        let write = async {
            loop {
                let message = tokio::select! {
                    biased;
                    _ = ping.tick() => {
                        if let Err(error) = sink.send(Message::Ping(Bytes::new())).await {
                            return Ended::from(error);
                        }
                        continue;
                    }
                    message = next() => message,
                };
                let Some(message) = message else {
                    let _ = timeout(FAREWELL, sink.close()).await;
                    // The other side reads what is under way, and then answers the close.
                    tokio::time::sleep(FAREWELL).await;
                    return Ended::Left;
                };
                if let Err(error) = sink.send(Message::Binary(message.into())).await {
                    return Ended::from(error);
                }
            }
        };
        let read = async {
            loop {
                let message = match timeout(silence, stream.next()).await {
                    Err(_) => return Ended::Silent,
                    Ok(None) => return Ended::Closed,
                    Ok(Some(Err(error))) => return Ended::from(error),
                    Ok(Some(Ok(message))) => message,
                };
                let frames = match message {
                    Message::Binary(bytes) => match decode::<ToRunner>(&bytes) {
                        Ok(frames) => frames,
                        Err(error) => return Ended::Malformed(error),
                    },
                    Message::Ping(_) | Message::Pong(_) => continue,
                    Message::Close(_) => return Ended::Closed,
                    Message::Text(_) => return Ended::OutOfTurn("text"),
                    Message::Frame(_) => return Ended::OutOfTurn("a raw frame"),
                };
                for frame in &frames {
                    match frame {
                        ToRunner::Goodbye { reason, retry } => {
                            return goodbye(reason, *retry);
                        }
                        ToRunner::Challenge(_) => return Ended::OutOfTurn("a second challenge"),
                        ToRunner::Welcome { .. } => return Ended::OutOfTurn("a second welcome"),
                        _ => {}
                    }
                }
                take(frames).await;
            }
        };
        tokio::select! {
            ended = write => ended,
            ended = read => ended,
            () = stop.cancelled() => Ended::Left,
        }
    }
}

fn goodbye(reason: &str, retry: bool) -> Ended {
    let reason = plain(reason);
    Ended::Goodbye { reason, retry }
}

/// A controller's words for people: short, and nothing that a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .take(WORDS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

async fn first_frame(socket: &mut Socket) -> Result<ToRunner, Ended> {
    loop {
        let message = match timeout(HANDSHAKE, socket.next()).await {
            Err(_) => return Err(Ended::Silent),
            Ok(None) => return Err(Ended::Closed),
            Ok(Some(message)) => message?,
        };
        match message {
            Message::Binary(bytes) => {
                let mut frames = decode::<ToRunner>(&bytes)?;
                return match (frames.pop(), frames.is_empty()) {
                    (Some(frame), true) => Ok(frame),
                    _ => Err(Ended::OutOfTurn("several frames in the handshake")),
                };
            }
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return Err(Ended::Closed),
            Message::Text(_) | Message::Frame(_) => return Err(Ended::OutOfTurn("text")),
        }
    }
}

fn hello(identity: &Identity, challenge: &Challenge, pipe: Pipe, held: Held) -> Hello {
    Hello {
        protocol: PROTOCOL,
        runner: identity.card.runner,
        boot: identity.boot,
        pipe,
        signature: ByteBuf::from(identity.answer(challenge, pipe)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        platform: platform(),
        host: host_name(),
        plugins: held.plugins,
        running: held.running,
        journaled: held.journaled,
    }
}

/// Operating system and architecture, such as `linux/x86_64`.
pub(crate) fn platform() -> String {
    format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The name of this machine, for people.
pub(crate) fn host_name() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .unwrap_or_default();
    let name: String = name.trim().chars().take(255).collect();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}
