//! The one thread that moves every engine clock. It starts with the engine, whatever limits are
//! set, and ends with it: a deadline must never depend on whether somebody configured another.

use std::thread;
use std::time::Duration;

use crate::EngineError;

/// Starts the ticker of this engine.
pub(crate) fn start(engine: &wasmtime::Engine, tick: Duration) -> Result<(), EngineError> {
    let engine = engine.weak();
    thread::Builder::new()
        .name("wharf-ticker".to_owned())
        .spawn(move || {
            loop {
                thread::sleep(tick);
                // Nothing but this belongs here: what could block or panic would stop the clock.
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        })
        .map(drop)
        .map_err(|error| EngineError::Start(format!("no thread for its clock: {error}")))
}
