//! Standard output and error: captured, scrubbed, within the budgets. The process's own are never
//! touched.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::run::Run;
use crate::{CommandIo, Level, LimitHit, LimitKind, LogSource, StreamScrubber};

/// The longest line; what is longer becomes several.
const LINE: usize = 8 * 1024;

/// What may be written at a time.
const PERMIT: usize = 64 * 1024;

/// Both streams of one instance. The handles stay the same when it is bound.
#[derive(Default)]
pub(crate) struct Stdio {
    stdout: Pipe,
    stderr: Pipe,
}

impl Stdio {
    pub(crate) fn stdout(&self) -> Pipe {
        self.stdout.clone()
    }

    pub(crate) fn stderr(&self) -> Pipe {
        self.stderr.clone()
    }

    /// From here on standard error is log; standard output is a command's document, or log too.
    pub(crate) fn bind(&self, run: &Arc<Run>, command: Option<&CommandIo>) {
        self.stderr.lock().sink = Sink::lines(run, LogSource::Stderr);
        self.stdout.lock().sink = match command {
            Some(_) => Sink::Document {
                run: run.clone(),
                stream: run.scrubber().stream(),
                bytes: Vec::new(),
                written: 0,
            },
            None => Sink::lines(run, LogSource::Stdout),
        };
    }

    /// Ends both streams and gives what a command wrote to standard output.
    pub(crate) fn finish(&self) -> Bytes {
        self.stderr.lock().finish();
        self.stdout.lock().finish()
    }

    /// Writes from before binding, which went nowhere.
    pub(crate) fn ignored(&self) -> u32 {
        let (out, err) = (self.stdout.lock().ignored, self.stderr.lock().ignored);
        out.saturating_add(err)
    }
}

/// One stream; clones write to the same place.
#[derive(Clone, Default)]
pub(crate) struct Pipe(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    sink: Sink,
    ignored: u32,
}

#[derive(Default)]
enum Sink {
    #[default]
    Nowhere,
    Lines {
        run: Arc<Run>,
        source: LogSource,
        stream: StreamScrubber,
        line: Vec<u8>,
    },
    Document {
        run: Arc<Run>,
        stream: StreamScrubber,
        bytes: Vec<u8>,
        written: u64,
    },
}

impl Sink {
    fn lines(run: &Arc<Run>, source: LogSource) -> Self {
        Self::Lines {
            run: run.clone(),
            source,
            stream: run.scrubber().stream(),
            line: Vec::new(),
        }
    }
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write(&mut self, chunk: Bytes) -> Result<(), LimitHit> {
        match &mut self.sink {
            Sink::Nowhere => self.ignored = self.ignored.saturating_add(1),
            Sink::Lines {
                run,
                source,
                stream,
                line,
            } => split(run, *source, line, &stream.push(chunk)),
            Sink::Document {
                run,
                stream,
                bytes,
                written,
            } => {
                let allowed = run.limits().output.get();
                *written = written.saturating_add(chunk.len() as u64);
                if *written > allowed {
                    return Err(run.stop(LimitKind::Output, allowed));
                }
                bytes.extend_from_slice(&stream.push(chunk));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Bytes {
        match std::mem::take(&mut self.sink) {
            Sink::Nowhere => Bytes::new(),
            Sink::Lines {
                run,
                source,
                mut stream,
                mut line,
            } => {
                split(&run, source, &mut line, &stream.finish());
                if !line.is_empty() {
                    tell(&run, source, &line);
                }
                Bytes::new()
            }
            Sink::Document {
                mut stream,
                mut bytes,
                ..
            } => {
                bytes.extend_from_slice(&stream.finish());
                bytes.into()
            }
        }
    }
}

/// Adds scrubbed bytes to the line that is being written, and tells each one that is whole.
fn split(run: &Run, source: LogSource, line: &mut Vec<u8>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let room = LINE - line.len();
        let reach = &bytes[..bytes.len().min(room)];
        let end = reach.iter().position(|byte| *byte == b'\n');
        let (part, used) = match end {
            Some(at) => (&bytes[..at], at + 1),
            None => (reach, reach.len()),
        };
        line.extend_from_slice(part);
        bytes = &bytes[used..];
        if end.is_some() || line.len() == LINE {
            tell(run, source, line);
            line.clear();
        }
    }
}

fn tell(run: &Run, source: LogSource, line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    run.line(Level::Info, source, text.to_owned(), Vec::new());
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.lock()
            .write(bytes)
            .map_err(|hit| StreamError::Trap(hit.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let part = &bytes[..bytes.len().min(PERMIT)];
        Poll::Ready(
            self.lock()
                .write(Bytes::copy_from_slice(part))
                .map(|()| part.len())
                .map_err(io::Error::other),
        )
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
