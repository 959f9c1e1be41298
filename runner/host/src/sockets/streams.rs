//! What goes through a connection, counted against the limits of the run.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use super::refuse;
use crate::egress::EgressError;
use crate::run::Run;

/// Counts what is received.
pub(super) struct Received {
    pub(super) inner: DynInputStream,
    pub(super) run: Arc<Run>,
}

/// Counts what is sent.
pub(super) struct Sent {
    pub(super) inner: DynOutputStream,
    pub(super) run: Arc<Run>,
}

/// A limit that is reached, as the end of a stream.
fn ended(run: &Run, error: &EgressError) -> StreamError {
    refuse(run, "TCP", "more bytes", &error.to_string());
    StreamError::LastOperationFailed(wasmtime::format_err!("{error}"))
}

#[async_trait::async_trait]
impl Pollable for Received {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl InputStream for Received {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self.inner.read(size)?;
        match self.run.traffic.received(bytes.len() as u64) {
            Ok(()) => Ok(bytes),
            Err(error) => Err(ended(&self.run, &error)),
        }
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[async_trait::async_trait]
impl Pollable for Sent {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl OutputStream for Sent {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match self.run.traffic.sent(bytes.len() as u64) {
            Ok(()) => self.inner.write(bytes),
            Err(error) => Err(ended(&self.run, &error)),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
