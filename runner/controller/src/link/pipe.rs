//! Frames over a WebSocket: both directions at once, bounded, with a watch on silence.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{MissedTickBehavior, interval, timeout};
use wharf_protocol::{ToController, ToRunner, decode, encode};

use super::End;
use crate::driver::Inbox;

/// A message is closed when it has reached this size: far below the limit of a message, and large
/// enough that frames share the cost of one.
const COALESCE: usize = 128 << 10;

/// The most frames that are taken from the queue at a time.
const MOST_FRAMES: usize = 512;

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// What is done with the frames of a message.
pub(super) trait Receiver: Send {
    /// Takes in the frames of one message.
    fn receive(
        &mut self,
        frames: Vec<ToController>,
    ) -> impl Future<Output = Result<(), End>> + Send;
}

/// Runs a pipe until it ends.
pub(super) async fn run(
    socket: &mut WebSocket,
    inbox: &mut Inbox,
    receiver: &mut impl Receiver,
    (heartbeat, lease): (Duration, Duration),
) {
    let (mut sink, mut stream) = socket.split();
    let end = tokio::select! {
        end = read(&mut stream, receiver, lease) => end,
        end = write(&mut sink, inbox, heartbeat, lease) => end,
    };
    drop((sink, stream));
    say_goodbye(socket, end).await;
}

async fn read(
    stream: &mut SplitStream<&mut WebSocket>,
    receiver: &mut impl Receiver,
    patience: Duration,
) -> End {
    loop {
        let message = match timeout(patience, stream.next()).await {
            Err(_) => {
                return End::come_again(
                    "nothing came for the length of a lease, not even the answer to a ping",
                );
            }
            Ok(Some(Ok(message))) => message,
            Ok(None) => return End::Gone,
            Ok(Some(Err(error))) => {
                return End::come_again(format!("the connection failed: {error}"));
            }
        };
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return End::Gone,
            Message::Text(_) => return End::refuse("frames travel in binary messages"),
        };
        let frames = match decode::<ToController>(&bytes) {
            Ok(frames) => frames,
            Err(error) => return End::refuse(error),
        };
        if let Err(end) = receiver.receive(frames).await {
            return end;
        }
    }
}

async fn write(
    sink: &mut SplitSink<&mut WebSocket, Message>,
    inbox: &mut Inbox,
    heartbeat: Duration,
    patience: Duration,
) -> End {
    let mut frames = Vec::new();
    let mut pings = interval(heartbeat);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sending = tokio::select! {
            count = inbox.take(&mut frames, MOST_FRAMES) => {
                if count == 0 {
                    return End::Gone;
                }
                timeout(patience, send_all(sink, &mut frames)).await
            }
            _ = pings.tick() => timeout(patience, sink.send(Message::Ping(Bytes::new()))).await,
        };
        match sending {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Gone,
            Err(_) => {
                tracing::warn!("a runner reads nothing: its connection is ended");
                return End::Gone;
            }
        }
    }
}

async fn send_all(
    sink: &mut SplitSink<&mut WebSocket, Message>,
    frames: &mut Vec<ToRunner>,
) -> Result<(), axum::Error> {
    let mut message = Vec::new();
    for frame in frames.drain(..) {
        encode(&mut message, &frame).map_err(axum::Error::new)?;
        if message.len() >= COALESCE {
            sink.feed(Message::Binary(std::mem::take(&mut message).into()))
                .await?;
        }
    }
    if !message.is_empty() {
        sink.feed(Message::Binary(message.into())).await?;
    }
    sink.flush().await
}

/// Sends a few frames as one message.
pub(super) async fn send(socket: &mut WebSocket, frames: &[ToRunner]) -> Result<(), axum::Error> {
    let mut message = Vec::new();
    for frame in frames {
        encode(&mut message, frame).map_err(axum::Error::new)?;
    }
    socket.send(Message::Binary(message.into())).await
}

/// Ends a connection, in order if the other side still listens.
pub(super) async fn say_goodbye(socket: &mut WebSocket, end: End) {
    let farewell = async {
        if let End::Goodbye { reason, retry } = end {
            // Whoever does not listen any more misses nothing that it could use.
            let _ = send(socket, &[ToRunner::Goodbye { reason, retry }]).await;
        }
        let _ = socket.send(Message::Close(None)).await;
        // Until the other side has closed as well, so that nothing unread turns the end into a reset
        // that overtakes the goodbye.
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let _ = timeout(GOODBYE, farewell).await;
}
