//! What the demo shows: a line as each step ends, a table at the end, or one JSON document.

use comfy_table::{Cell, Color, Table, presets};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::bundles::{Bundle, short};
use super::runner::Runner;
use crate::commands::spinner;
use crate::terminal;

/// Tells what happens while it happens, on stderr.
pub(super) struct Teller {
    bar: ProgressBar,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self { bar: spinner() }
    }

    /// A step begins.
    pub(super) fn step(&self, title: &str) {
        self.bar.set_prefix(title.to_owned());
        self.bar.set_message("");
        if self.bar.is_hidden() {
            terminal::note(format_args!("… {title}"));
        }
    }

    /// What the step is doing.
    pub(super) fn detail(&self, line: &str) {
        self.bar.set_message(line.to_owned());
    }

    /// A step has ended well.
    pub(super) fn done(&self, what: &str) {
        self.bar
            .suspend(|| terminal::note(format_args!("✓ {what}")));
    }

    /// A step has ended in this.
    pub(super) fn entry(&self, entry: &Entry) {
        let mark = if entry.as_expected { "✓" } else { "✗" };
        let mut text = format!("{mark} {}: {}", entry.title, entry.word());
        if let Some(message) = entry.execution["error"]["message"].as_str() {
            text.push_str(&format!("\n    {}", message.replace('\n', "\n    ")));
        }
        self.bar.suspend(|| terminal::note(text));
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// One execution of the demo and what became of it.
pub(super) struct Entry {
    pub(super) title: &'static str,
    pub(super) bundle: Bundle,
    pub(super) action: &'static str,
    pub(super) execution: Value,
    pub(super) as_expected: bool,
}

impl Entry {
    fn word(&self) -> String {
        let outcome = terminal::cell(&self.execution["outcome"]);
        match self.execution["error"]["limit"].as_str() {
            Some(limit) => format!("{outcome} at {limit}"),
            None => outcome,
        }
    }

    fn plugin(&self) -> String {
        format!("{}@{}", self.bundle.name, self.bundle.version)
    }

    fn json(&self) -> Value {
        json!({
            "step": self.title,
            "plugin": self.plugin(),
            "action": self.action,
            "digest": self.bundle.digest,
            "signer": self.bundle.signer,
            "runner": self.execution["runner"],
            "queued_ms": self.execution["queued_ms"],
            "ran_ms": self.execution["ran_ms"],
            "outcome": self.execution["outcome"],
            "output": self.execution["output"],
            "error": self.execution["error"],
            "execution": self.execution["id"],
            "as_expected": self.as_expected,
        })
    }
}

/// Everything that was run.
#[derive(Default)]
pub(super) struct Account {
    pub(super) executions: Vec<Entry>,
    pub(super) refusals: Vec<Entry>,
}

impl Account {
    fn all(&self) -> impl Iterator<Item = &Entry> {
        self.executions.iter().chain(&self.refusals)
    }

    /// Whether every step came out as it should.
    pub(super) fn ok(&self) -> bool {
        self.all().all(|entry| entry.as_expected)
    }

    pub(super) fn json(&self, runner: &Runner) -> Value {
        let list = |entries: &[Entry]| entries.iter().map(Entry::json).collect::<Vec<_>>();
        json!({
            "runner": runner.id(),
            "executions": list(&self.executions),
            "refusals": list(&self.refusals),
            "ok": self.ok(),
        })
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new();
        table
            .load_preset(presets::UTF8_HORIZONTAL_ONLY)
            .set_header([
                "step",
                "plugin@version",
                "digest",
                "signer",
                "runner",
                "queued ms",
                "ran ms",
                "outcome",
            ]);
        for entry in self.all() {
            let milliseconds = |name: &str| {
                entry.execution[name]
                    .as_f64()
                    .map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
            };
            let runner = terminal::cell(&entry.execution["runner"]);
            // The end of a ULID is its random part, and tells runners apart.
            let runner = runner
                .get(runner.len().saturating_sub(6)..)
                .unwrap_or(&runner);
            let color = if entry.as_expected {
                Color::Green
            } else {
                Color::Red
            };
            table.add_row([
                Cell::new(entry.title),
                Cell::new(entry.plugin()),
                Cell::new(short(&entry.bundle.digest)),
                Cell::new(&entry.bundle.signer),
                Cell::new(runner),
                Cell::new(milliseconds("queued_ms")),
                Cell::new(milliseconds("ran_ms")),
                Cell::new(entry.word()).fg(color),
            ]);
        }
        table
    }

    pub(super) fn summary(&self) -> String {
        let wrong = self.all().filter(|entry| !entry.as_expected).count();
        let (done, refused) = (self.executions.len(), self.refusals.len());
        if wrong == 0 {
            format!("all {done} actions done, all {refused} attacks and mistakes refused")
        } else {
            format!(
                "{wrong} of {} steps did not come out as they should",
                done + refused
            )
        }
    }
}
