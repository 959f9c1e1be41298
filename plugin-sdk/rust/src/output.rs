//! Outputs too large to hold in the guest: written piece by piece as the host takes them. The
//! pieces together must be the JSON document that the schema promises.

use std::fmt;
use std::io;
use std::marker::PhantomData;

use serde::Serialize;

use crate::error::Error;
use crate::host;

/// Pieces smaller than this are collected before they go to the host.
const CHUNK: usize = 64 * 1024;

/// Why a piece was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputError {
    /// The output limit is reached.
    TooLarge,
    /// The call is not bound to an execution.
    Denied,
}

/// The output of an action that wrote its document, a `T`, through a [`Writer`].
#[derive(Debug)]
pub struct Streamed<T> {
    document: PhantomData<fn() -> T>,
}

/// Writes the JSON document of an output piece by piece. `T` is the type that the document has
/// as a whole: only its schema is used.
///
/// ```
/// use std::io::Write;
/// use wharf_plugin::output::{Streamed, Writer};
///
/// fn numbers(count: u64) -> Result<Streamed<Vec<u64>>, wharf_plugin::Error> {
///     let mut out = Writer::new();
///     out.write_all(b"[")?;
///     for n in 0..count {
///         if n > 0 {
///             out.write_all(b",")?;
///         }
///         out.json(&n)?;
///     }
///     out.write_all(b"]")?;
///     out.finish()
/// }
/// # let host = wharf_plugin::testing::Host::new().install();
/// # numbers(3).unwrap();
/// # assert_eq!(host.output(), b"[0,1,2]");
/// ```
#[derive(Debug)]
pub struct Writer<T> {
    buffer: Vec<u8>,
    document: PhantomData<fn() -> T>,
}

/// Appends a piece as it is. [`Writer`] is easier and sends fewer, larger pieces.
pub fn write(piece: &[u8]) -> Result<(), OutputError> {
    host::output_write(piece)
}

impl<T> Writer<T> {
    /// A writer of an empty document.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            document: PhantomData,
        }
    }

    /// Appends a value as JSON.
    pub fn json(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        serde_json::to_writer(&mut *self, value).map_err(|e| match e.io_error_kind() {
            Some(_) => io::Error::from(e).into(),
            None => e.into(),
        })
    }

    /// Hands over what is left. The document is complete.
    pub fn finish(mut self) -> Result<Streamed<T>, Error> {
        self.hand_over()?;
        Ok(Streamed {
            document: PhantomData,
        })
    }

    fn hand_over(&mut self) -> Result<(), OutputError> {
        if !self.buffer.is_empty() {
            write(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

impl<T> Default for Writer<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> io::Write for Writer<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.hand_over().map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over().map_err(io::Error::other)
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the output is larger than the limit; ask for less or raise `output` in the grant's limits",
            Self::Denied => "no execution takes an output now",
        })
    }
}

impl std::error::Error for OutputError {}

impl From<OutputError> for Error {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::TooLarge => Self::failed("output-too-large", error),
            OutputError::Denied => Self::denied(error.to_string()),
        }
    }
}
