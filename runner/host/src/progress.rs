//! `wharf:plugin/progress`: how far along the action is.

use crate::bindings::progress::Host;
use crate::{Progress, State};

/// The longest message that is kept, in bytes; what is longer is cut.
const LONGEST: usize = 1024;

impl Host for State {
    fn report(&mut self, fraction: Option<f32>, message: String) -> wasmtime::Result<()> {
        let Some(run) = &self.run else {
            self.ignored = self.ignored.saturating_add(1);
            return Ok(());
        };
        run.carries(message.len())?;
        // Scrub before cutting: a cut secret is not recognised.
        let mut message = run.scrubber().scrub(&message).into_owned();
        if message.len() > LONGEST {
            message.truncate(message.floor_char_boundary(LONGEST));
            message.push('…');
        }
        run.events.progress(Progress {
            fraction: fraction
                .filter(|fraction| fraction.is_finite())
                .map(|fraction| fraction.clamp(0.0, 1.0)),
            message,
        });
        Ok(())
    }
}
