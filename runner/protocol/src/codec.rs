//! Messages to bytes and back, bounded.

use std::io::Cursor;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most bytes of a document that travels inside a frame. Larger ones go by reference.
pub const MAX_INLINE: usize = 256 << 10;

/// The most bytes of a message. A peer that sends more is cut off before it is read.
pub const MAX_MESSAGE: usize = 1 << 20;

/// The most frames of a message.
const MAX_FRAMES: usize = 4096;

/// A message that is not one.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Larger than [`MAX_MESSAGE`].
    #[error("a message of {0} bytes is over the limit of {MAX_MESSAGE} bytes")]
    TooLarge(usize),
    /// More frames than one message may have.
    #[error("a message holds more than {MAX_FRAMES} frames")]
    TooMany,
    /// No frame at all.
    #[error("an empty message")]
    Empty,
    /// Not MessagePack, or not a frame that this version knows.
    #[error("frame {index} of a message is malformed: {reason}")]
    Malformed {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Appends a frame to a message.
///
/// # Errors
/// Never for the frames of this crate; the signature is that of the encoder.
pub fn encode<F: Serialize>(
    message: &mut Vec<u8>,
    frame: &F,
) -> Result<(), rmp_serde::encode::Error> {
    rmp_serde::encode::write_named(message, frame)
}

/// Reads the frames of a message.
///
/// # Errors
/// Anything that is not wholly a message: no frame of it is used then.
pub fn decode<F: DeserializeOwned>(message: &[u8]) -> Result<Vec<F>, DecodeError> {
    if message.len() > MAX_MESSAGE {
        return Err(DecodeError::TooLarge(message.len()));
    }
    if message.is_empty() {
        return Err(DecodeError::Empty);
    }
    let mut reader = rmp_serde::Deserializer::new(Cursor::new(message));
    // Frames nest a few levels; a message that nests deeper only wants to exhaust the stack.
    reader.set_max_depth(32);
    let mut frames = Vec::new();
    while reader.position() < message.len() as u64 {
        if frames.len() == MAX_FRAMES {
            return Err(DecodeError::TooMany);
        }
        let frame = F::deserialize(&mut reader).map_err(|error| DecodeError::Malformed {
            index: frames.len(),
            reason: error.to_string(),
        })?;
        frames.push(frame);
    }
    Ok(frames)
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
