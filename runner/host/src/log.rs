//! `wharf:plugin/log`: lines of this execution, scrubbed and within the budget.

use crate::bindings::log::{Host, Level as WitLevel};
use crate::run::line_size;
use crate::{Level, LogSource, State};

impl Host for State {
    fn log(
        &mut self,
        level: WitLevel,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let Some(run) = &self.run else {
            self.ignored = self.ignored.saturating_add(1);
            return Ok(());
        };
        let bytes = line_size(&message, &fields);
        run.carries(bytes)?;
        if bytes as u64 > run.limits().log_bytes.get() {
            // Never fits: do not search it for secrets first.
            run.budget.drop_line();
            return Ok(());
        }
        let scrub = |text: String| match run.scrubber().scrub(&text) {
            std::borrow::Cow::Borrowed(_) => text,
            std::borrow::Cow::Owned(clean) => clean,
        };
        let message = scrub(message);
        let fields = fields
            .into_iter()
            .map(|(name, value)| (scrub(name), scrub(value)))
            .collect();
        run.line(level.into(), LogSource::Plugin, message, fields);
        Ok(())
    }
}

impl From<WitLevel> for Level {
    fn from(level: WitLevel) -> Self {
        match level {
            WitLevel::Trace => Self::Trace,
            WitLevel::Debug => Self::Debug,
            WitLevel::Info => Self::Info,
            WitLevel::Warn => Self::Warn,
            WitLevel::Error => Self::Error,
        }
    }
}
