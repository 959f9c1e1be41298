//! `wharf:plugin/control`: whether to go on, and for how long.

use tokio::time::Instant;

use crate::State;
use crate::bindings::control::Host;

impl Host for State {
    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.bound("control.cancelled")?.cancel.is_cancelled())
    }

    fn remaining(&mut self) -> wasmtime::Result<u64> {
        let deadline = self.bound("control.remaining")?.deadline;
        let left = deadline.saturating_duration_since(Instant::now());
        Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }
}
