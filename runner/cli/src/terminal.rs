//! What a person sees. Words go to stderr, documents to stdout.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;

/// What nobody minds waiting without a word.
const A_MOMENT: Duration = Duration::from_millis(200);

/// Sends the program's own log lines to stderr; `WHARF_LOG` filters them, `-v` shows more.
pub(crate) fn init_tracing(verbose: u8) {
    let default = match verbose {
        // AWS's library repeats there what its servers say in words.
        0 => "warn,aws_config=off",
        1 => "info,wharf=debug,aws_config=off",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("WHARF_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    if std::io::stderr().is_terminal() {
        lines.init();
    } else {
        lines.with_ansi(false).init();
    }
}

fn style(code: &str, text: &str) -> String {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// Says what went wrong and what to do.
pub(crate) fn error(message: &str, help: Option<&str>) {
    eprintln!("{} {message}", style("1;31", "error:"));
    if let Some(help) = help {
        eprintln!("  {} {help}", style("1;36", "help:"));
    }
}

/// Says something in passing.
pub(crate) fn note(message: impl std::fmt::Display) {
    eprintln!("{message}");
}

/// Waits for something, and shows on a terminal that it goes on, if it takes longer than a moment.
pub(crate) async fn waiting<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(A_MOMENT) => {}
    }
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
    }
    spinner.set_message(what);
    spinner.enable_steady_tick(A_MOMENT);
    let done = work.await;
    spinner.finish_and_clear();
    done
}

/// One JSON document on stdout. A closed pipe is not an error: the reader has seen enough.
pub(crate) fn print_json(document: &impl serde::Serialize) {
    let mut out = std::io::stdout().lock();
    if serde_json::to_writer_pretty(&mut out, document).is_ok() {
        let _ = writeln!(out);
    }
}

/// Lines on stdout.
pub(crate) fn print(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A table of the named members of JSON objects.
pub(crate) fn table<'a>(
    columns: &[&str],
    rows: impl IntoIterator<Item = &'a serde_json::Value>,
) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table
        .load_preset(comfy_table::presets::NOTHING)
        .set_header(columns.iter().map(|name| name.replace('_', " ")));
    for row in rows {
        table.add_row(columns.iter().map(|name| cell(&row[*name])));
    }
    table
}

/// A JSON value as a person reads it.
pub(crate) fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
