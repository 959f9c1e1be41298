//! `wharf audit`: is a record whole, and what does it say?

use std::collections::VecDeque;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wharf_audit::{AuditError, Head, Record};

use crate::exit::{Context, Exit, Failure, Result};
use crate::{home, terminal};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that no line of a record was changed, taken out or put in
    Verify {
        /// A file or folder [default: the record of the runner on this machine]
        path: Option<PathBuf>,
        /// A head that is known from elsewhere, as NUMBER:HASH: its line must be in the record
        #[arg(long)]
        head: Option<Head>,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the lines of a record
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A file or folder [default: the record of the runner on this machine]
    path: Option<PathBuf>,
    /// Only those of this execution
    #[arg(long, value_name = "ID")]
    execution: Option<String>,
    /// Only those about this secret
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// Only those of this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Only what was refused
    #[arg(long)]
    refused: bool,
    /// At most so many, the last ones
    #[arg(long, value_name = "N", default_value_t = 1000)]
    last: usize,
    /// Print them as a JSON array
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Verify { json, .. } => *json,
            Self::Show(show) => show.json,
        }
    }

    pub(crate) fn run(self) -> Result<Exit> {
        match self {
            Self::Verify { path, head, json } => verify(path, head, json),
            Self::Show(show) => show.run(),
        }
    }
}

/// The record that is named, or the one of the runner here.
fn record(path: Option<PathBuf>) -> Result<PathBuf> {
    path.map_or_else(|| home::runner_state().map(|state| state.join("audit")), Ok)
}

fn verify(path: Option<PathBuf>, head: Option<Head>, json: bool) -> Result<Exit> {
    let path = record(path)?;
    let found = wharf_audit::verify(&path, head).map_err(|error| {
        let message = format!("the record does not hold: {error}");
        match error {
            AuditError::File { .. } | AuditError::None(_) => Failure::usage(error),
            _ => Failure::refused(message).help(
                "keep the files as they are, and compare them with what was shipped elsewhere",
            ),
        }
    })?;
    if json {
        terminal::print_json(&json!({
            "ok": true,
            "files": found.files,
            "lines": found.lines,
            "first": found.first,
            "head": found.head.to_string(),
        }));
    } else {
        terminal::print(format_args!(
            "{} lines in {} files hold; the first is number {}",
            found.lines, found.files, found.first
        ));
        terminal::print(format_args!("head {}", found.head));
        if found.first > 0 && path.is_file() {
            terminal::note(
                "this is one file of a record: whether those before it are there shows when the folder is checked",
            );
        }
        if head.is_none() {
            terminal::note(
                "whoever can write the files can write all of them anew: compare the head with one from elsewhere (--head), such as the one that the controller shows for the runner",
            );
        }
    }
    Ok(Exit::Done)
}

impl Show {
    fn run(self) -> Result<Exit> {
        let path = record(self.path.clone())?;
        let mut kept = VecDeque::new();
        let read = wharf_audit::read(&path, |record| {
            if self.wants(&record) {
                if kept.len() >= self.last {
                    kept.pop_front();
                }
                kept.push_back(record);
            }
        });
        if self.json {
            let members: Vec<_> = kept.iter().map(|record| &record.members).collect();
            terminal::print_json(&members);
        } else {
            for record in &kept {
                terminal::print(line(record));
            }
        }
        // What comes before a line that does not hold was shown; what comes behind is nobody's word.
        read.or_exit(Exit::Refused, "the record does not hold")?;
        Ok(Exit::Done)
    }

    fn wants(&self, record: &Record) -> bool {
        let is = |wanted: &Option<String>, member: &str| {
            wanted
                .as_deref()
                .is_none_or(|wanted| record.text(member) == Some(wanted))
        };
        is(&self.execution, "execution")
            && is(&self.plugin, "plugin")
            && self
                .secret
                .as_deref()
                .is_none_or(|name| about(record, name))
            && (!self.refused || record.event.ends_with("-refused"))
    }
}

/// Whether a line is about a secret: by itself, or as a credential of a request.
fn about(record: &Record, secret: &str) -> bool {
    let credentials = record.members.get("credentials").and_then(Value::as_array);
    record.text("secret") == Some(secret)
        || credentials
            .into_iter()
            .flatten()
            .any(|credential| credential["secret"] == secret)
}

/// A line for people: what every line has first, then the rest.
fn line(record: &Record) -> String {
    const COMMON: [&str; 11] = [
        "seq",
        "time",
        "prev",
        "event",
        "runner",
        "execution",
        "attempt",
        "plugin",
        "version",
        "digest",
        "action",
    ];
    let rest: String = record
        .members
        .iter()
        .filter(|(name, _)| !COMMON.contains(&name.as_str()))
        .map(|(name, value)| format!(" {name}={}", terminal::cell(value).escape_debug()))
        .collect();
    let word = |name| record.text(name).unwrap_or("-");
    format!(
        "{:>7} {} {} {} {}{rest}",
        record.head.seq,
        word("time"),
        record.event,
        word("execution"),
        word("plugin"),
    )
}
