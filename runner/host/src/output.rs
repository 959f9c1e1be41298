//! `wharf:plugin/output`: the document, chunk by chunk, scrubbed across the borders of chunks.

use std::sync::Arc;

use bytes::Bytes;

use crate::bindings::output::{Host, OutputError};
use crate::run::Run;
use crate::{State, StreamScrubber};

/// The chunks so far. Bounded by the output limit, which counts what the guest wrote.
#[derive(Default)]
pub(crate) struct Output {
    open: Option<Open>,
    bytes: Vec<u8>,
}

struct Open {
    stream: StreamScrubber,
    room: u64,
}

impl Output {
    pub(crate) fn bind(&mut self, run: &Arc<Run>) {
        self.open = Some(Open {
            stream: run.scrubber().stream(),
            room: run.limits().output.get(),
        });
    }

    fn write(&mut self, chunk: Vec<u8>) -> Result<(), OutputError> {
        let Some(open) = &mut self.open else {
            return Err(OutputError::Denied);
        };
        match open.room.checked_sub(chunk.len() as u64) {
            Some(room) => open.room = room,
            None => {
                // Whatever follows would leave a hole.
                open.room = 0;
                return Err(OutputError::TooLarge);
            }
        }
        self.bytes
            .extend_from_slice(&open.stream.push(chunk.into()));
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> Bytes {
        if let Some(open) = &mut self.open.take() {
            self.bytes.extend_from_slice(&open.stream.finish());
        }
        std::mem::take(&mut self.bytes).into()
    }
}

impl Host for State {
    fn write(&mut self, chunk: Vec<u8>) -> wasmtime::Result<Result<(), OutputError>> {
        if let Some(run) = &self.run {
            run.carries(chunk.len())?;
        }
        Ok(self.output.write(chunk))
    }
}
