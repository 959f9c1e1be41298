//! Log lines of this execution. Bounded by the host: past the budget, lines are counted and
//! dropped. Known secrets are removed by the host; do not rely on it.

use std::fmt::Display;

use crate::host;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For someone who debugs this plugin.
    Trace,
    /// For someone who debugs this execution.
    Debug,
    /// What happened.
    Info,
    /// What someone should look at.
    Warn,
    /// What went wrong.
    Error,
}

/// The fields of a line: a name, and anything that can be displayed.
pub type Fields<'a> = &'a [(&'a str, &'a dyn Display)];

/// Appends one line.
///
/// ```
/// use wharf_plugin::log;
/// log::info("sent", &[("status", &200), ("host", &"api.example.com")]);
/// log::debug("no fields here", &[]);
/// ```
pub fn log(level: Level, message: &str, fields: Fields<'_>) {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_string()));
    host::log(level, message, fields.collect());
}

/// Appends a line for someone who debugs this plugin.
pub fn trace(message: &str, fields: Fields<'_>) {
    log(Level::Trace, message, fields);
}

/// Appends a line for someone who debugs this execution.
pub fn debug(message: &str, fields: Fields<'_>) {
    log(Level::Debug, message, fields);
}

/// Appends a line that says what happened.
pub fn info(message: &str, fields: Fields<'_>) {
    log(Level::Info, message, fields);
}

/// Appends a line that someone should look at.
pub fn warn(message: &str, fields: Fields<'_>) {
    log(Level::Warn, message, fields);
}

/// Appends a line about what went wrong.
pub fn error(message: &str, fields: Fields<'_>) {
    log(Level::Error, message, fields);
}
