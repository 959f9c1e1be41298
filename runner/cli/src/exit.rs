//! How a command ends: an exit code that scripts can rely on, and words for a person.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;

/// The exit codes of `wharf`. They are part of its interface and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exit {
    /// 0: it was done.
    Done,
    /// 1: the action ran and failed.
    Failed,
    /// 2: wrong usage or bad input.
    Usage,
    /// 3: refused by signature, policy or grant.
    Refused,
    /// 4: stopped by a limit or the deadline.
    Stopped,
    /// 5: the controller or a runner could not be reached.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what was asked: what happened and where, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
    help: Option<String>,
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            help: None,
        }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self::new(Exit::Refused, message)
    }

    pub(crate) fn unreachable(message: impl fmt::Display) -> Self {
        Self::new(Exit::Unreachable, message)
    }

    /// Says what to do about it.
    pub(crate) fn help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// Prints it: for people on stderr, and with `json` as one document on stdout.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        crate::terminal::error(&self.message, self.help.as_deref());
        if json {
            crate::terminal::print_json(&serde_json::json!({
                "ok": false,
                "error": { "kind": self.exit, "message": self.message, "help": self.help },
            }));
        }
        self.exit.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Adds what was being done, and how the command then ends, to an error of a crate below.
pub(crate) trait Context<T> {
    /// It ends in this exit code, with this said before the error's own words.
    fn or_exit(self, exit: Exit, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: std::error::Error> Context<T> for Result<T, E> {
    fn or_exit(self, exit: Exit, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| {
            let mut message = format!("{doing}: {error}");
            // Errors that already tell their source are not told twice.
            let mut source = error.source();
            while let Some(inner) = source {
                let text = inner.to_string();
                if !message.contains(&text) {
                    message.push_str(": ");
                    message.push_str(&text);
                }
                source = inner.source();
            }
            Failure::new(exit, message)
        })
    }
}
