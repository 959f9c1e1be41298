//! What a runner tells a monitoring system: counts and states, and whether it could run something.
//!
//! Only that: no name that a plugin or a caller chose, nothing of an input or an output, and
//! nothing can be changed here. Nobody is asked who they are, so it is for loopback or a network
//! that is trusted.

mod serve;
mod text;

use std::sync::Arc;

use tokio::sync::watch;

use crate::execute::Execute;
use crate::status::{Link, Status};
use crate::tally::Tally;
pub(crate) use serve::Listener;
use text::{Kind, Text};

/// Where the numbers come from.
pub(crate) struct Metrics {
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) execute: Arc<dyn Execute>,
}

impl Metrics {
    /// Everything, as text.
    fn text(&self) -> String {
        let status = self.status.borrow().clone();
        let (tally, cache) = (&self.tally, self.execute.cache_counts());
        let mut text = Text::default();
        text.family(
            "wharf_runner_info",
            Kind::Gauge,
            "Which runner this is.",
            [(
                [
                    ("runner", status.runner.to_string().as_str()),
                    ("group", status.group.as_str()),
                    ("version", &status.version),
                ],
                1,
            )],
        );
        let connected = matches!(status.link, Link::Connected { .. });
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let gauges = [
            (
                "wharf_runner_start_time_seconds",
                "When it started, since the Unix epoch.",
                status.started_ms / 1000,
            ),
            (
                "wharf_runner_connected",
                "Whether it is connected to its controller.",
                connected.into(),
            ),
            (
                "wharf_runner_healthy",
                "Whether it could run something now.",
                status.healthy().is_ok().into(),
            ),
            (
                "wharf_runner_draining",
                "Whether it takes no more work.",
                status.draining.into(),
            ),
            (
                "wharf_runner_slots",
                "Attempts that it can hold.",
                count(status.slots),
            ),
            (
                "wharf_runner_running",
                "Attempts without a result.",
                count(status.running),
            ),
            (
                "wharf_runner_credits",
                "Credits that the controller holds.",
                count(status.credits),
            ),
            (
                "wharf_runner_journaled",
                "Results that wait for the controller.",
                count(status.journaled),
            ),
        ];
        for (name, help, value) in gauges {
            text.single(name, Kind::Gauge, help, value);
        }
        let counters = [
            (
                "wharf_runner_results_delivered_total",
                "Results that the controller has taken.",
                status.delivered,
            ),
            (
                "wharf_runner_log_lines_lost_total",
                "Log lines of plugins that were given up.",
                status.log_lines_lost,
            ),
        ];
        for (name, help, value) in counters {
            text.single(name, Kind::Counter, help, value);
        }
        let mut by = |name, help, label: &'static str, counts: Vec<(&'static str, u64)>| {
            let samples = counts
                .into_iter()
                .map(|(word, value)| ([(label, word)], value));
            text.family(name, Kind::Counter, help, samples);
        };
        by(
            "wharf_runner_attempts_total",
            "Attempts at executions that have ended here.",
            "outcome",
            tally.outcomes().collect(),
        );
        by(
            "wharf_runner_refusals_total",
            "Attempts that were refused before anything of the plugin ran.",
            "kind",
            tally.refusals().collect(),
        );
        by(
            "wharf_runner_denials_total",
            "Requests and secrets that plugins asked for and did not get.",
            "what",
            tally.denials().into(),
        );
        by(
            "wharf_runner_secret_uses_total",
            "Uses of secrets.",
            "rung",
            tally.secret_uses().collect(),
        );
        by(
            "wharf_runner_code_cache_total",
            "Compiled code looked for on disk.",
            "result",
            vec![
                ("hit", cache.hits),
                ("miss", cache.misses),
                ("rejected", cache.rejected),
            ],
        );
        text.finish()
    }
}
