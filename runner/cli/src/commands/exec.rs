//! `wharf exec`: executions on a controller.

use std::time::Duration;

use clap::{Args, Subcommand};
use futures_util::StreamExt;
use serde_json::{Value, json};
use wharf_policy::{CallRights, LimitRequest, Period};
use wharf_protocol::{ExecutionId, GroupName};

use super::group::rows;
use crate::client::{Client, Connection};
use crate::exit::{Exit, Failure, Result};
use crate::terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an action on a group of runners; waits for the result and prints its output
    Submit(Submit),
    /// Show one execution
    Get {
        id: ExecutionId,
        #[command(flatten)]
        common: Common,
    },
    /// List executions, newest first
    List {
        /// Only those of this group
        #[arg(long)]
        group: Option<GroupName>,
        /// Only those in this state: queued, running, finished
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Show what an execution logged
    Logs {
        id: ExecutionId,
        /// Go on until it is finished
        #[arg(short, long)]
        follow: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Ask an execution to stop; it is ended after the grace
    Cancel {
        id: ExecutionId,
        /// Why, for the record
        #[arg(long, default_value = "asked for on the command line")]
        reason: String,
        /// How long it may take to stop by itself
        #[arg(long, default_value = "10s")]
        grace: Period,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// NAME, NAME@VERSION or sha256:DIGEST of a published plugin
    plugin: String,
    /// Which of its actions
    action: String,
    /// Which group runs it
    #[arg(long, env = "WHARF_GROUP")]
    group: GroupName,
    /// The input: JSON, @FILE, or - for stdin
    #[arg(long, default_value = "{}")]
    input: String,
    /// Stop it after this long; never longer than its grant allows
    #[arg(long, value_name = "PERIOD")]
    timeout: Option<Period>,
    /// Submitting the same key again gives the same execution
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print the id and do not wait
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    common: Common,
}

impl Command {
    fn common(&self) -> &Common {
        match self {
            Self::Submit(submit) => &submit.common,
            Self::Get { common, .. }
            | Self::List { common, .. }
            | Self::Logs { common, .. }
            | Self::Cancel { common, .. } => common,
        }
    }

    pub(crate) fn wants_json(&self) -> bool {
        self.common().json
    }

    pub(crate) async fn run(self) -> Result<Exit> {
        let client = Client::connect(&self.common().connection)?;
        let json = self.common().json;
        match self {
            Self::Submit(submit) => submit.run(&client).await,
            Self::Get { id, .. } => {
                let execution: Value = client.get(&format!("/v1/executions/{id}")).await?;
                if json {
                    terminal::print_json(&execution);
                } else {
                    describe(&execution);
                }
                Ok(Exit::Done)
            }
            Self::List {
                group,
                state,
                limit,
                ..
            } => {
                let mut path = format!("/v1/executions?limit={limit}");
                for (name, value) in [("group", group.map(String::from)), ("state", state)] {
                    if let Some(value) = value {
                        let value: String =
                            url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                        path.push_str(&format!("&{name}={value}"));
                    }
                }
                let listing: Value = client.get(&path).await?;
                if json {
                    terminal::print_json(&listing);
                } else {
                    let columns = [
                        "id", "group", "plugin", "version", "action", "state", "outcome", "ran_ms",
                    ];
                    terminal::print(terminal::table(&columns, rows(&listing)));
                }
                Ok(Exit::Done)
            }
            Self::Logs {
                id, follow: true, ..
            } => follow(&client, id, json).await,
            Self::Logs { id, .. } => {
                let logs: Value = client.get(&format!("/v1/executions/{id}/logs")).await?;
                if json {
                    terminal::print_json(&logs);
                } else {
                    rows(&logs).for_each(print_line);
                    if let Some(dropped) = logs["dropped"].as_u64().filter(|dropped| *dropped > 0) {
                        terminal::note(format_args!(
                            "{dropped} lines were over the budget and are not kept"
                        ));
                    }
                }
                Ok(Exit::Done)
            }
            Self::Cancel {
                id, reason, grace, ..
            } => {
                let body = json!({ "reason": reason, "grace_ms": grace.as_millis() });
                let execution: Value = client
                    .post(&format!("/v1/executions/{id}/cancel"), &body)
                    .await?;
                if json {
                    terminal::print_json(&execution);
                } else {
                    terminal::print(format_args!("{id} is asked to stop"));
                }
                Ok(Exit::Done)
            }
        }
    }
}

impl Submit {
    async fn run(self, client: &Client) -> Result<Exit> {
        let json = self.common.json;
        let rights = CallRights {
            limits: LimitRequest {
                deadline: self.timeout,
                ..LimitRequest::default()
            },
            ..CallRights::default()
        };
        let mut request = json!({
            "group": self.group,
            "plugin": self.plugin,
            "action": self.action,
            "input": super::run::read_json(&self.input)?,
            "rights": rights,
        });
        if let Some(key) = self.idempotency_key {
            request["idempotency_key"] = key.into();
        }
        let wait = if self.detach { "" } else { "?wait_ms=5000" };
        let mut execution: Value = client
            .post(&format!("/v1/executions{wait}"), &request)
            .await?;
        if self.detach {
            if json {
                terminal::print_json(&execution);
            } else {
                terminal::print(terminal::cell(&execution["id"]));
            }
            return Ok(Exit::Done);
        }
        let id = terminal::cell(&execution["id"]);
        let mut told = String::new();
        while execution["state"] != "finished" {
            let state = standing(&execution);
            if state != told {
                terminal::note(format_args!("{id} {state}"));
                told = state;
            }
            execution = client
                .get(&format!("/v1/executions/{id}?wait_ms=5000"))
                .await?;
        }
        if json {
            terminal::print_json(&execution);
        } else {
            conclude(&execution);
        }
        Ok(outcome_exit(&execution))
    }
}

/// Where an unfinished execution stands, and why it waits.
fn standing(execution: &Value) -> String {
    let mut text = terminal::cell(&execution["state"]);
    for part in [&execution["reason"], &execution["progress"]["message"]] {
        if let Some(part) = part.as_str() {
            text.push_str(": ");
            text.push_str(part);
        }
    }
    text
}

/// The exit code of a finished execution.
pub(crate) fn outcome_exit(execution: &Value) -> Exit {
    match execution["outcome"].as_str() {
        Some("done") => Exit::Done,
        Some("refused") => Exit::Refused,
        Some("stopped") => Exit::Stopped,
        Some("lost") => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

/// The output on stdout, or what went wrong on stderr.
fn conclude(execution: &Value) {
    if execution["outcome"] == "done" {
        terminal::print_json(&execution["output"]);
    } else {
        let error = &execution["error"];
        let message = format!(
            "{}: {}",
            terminal::cell(&execution["outcome"]),
            terminal::cell(&error["message"])
        );
        let id = terminal::cell(&execution["id"]);
        terminal::error(
            &message,
            Some(&format!("`wharf exec logs {id}` shows what it logged")),
        );
    }
}

/// The members of an object, one a line.
pub(super) fn describe(object: &Value) {
    let Some(members) = object.as_object() else {
        return;
    };
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        terminal::print(format_args!(
            "{:14} {}",
            name.replace('_', " "),
            terminal::cell(value)
        ));
    }
}

fn print_line(entry: &Value) {
    let fields = entry["fields"].as_array().into_iter().flatten();
    let fields: String = fields
        .map(|field| {
            format!(
                " {}={}",
                terminal::cell(&field[0]),
                terminal::cell(&field[1])
            )
        })
        .collect();
    terminal::print(format_args!(
        "{:5} {}{fields}",
        terminal::cell(&entry["level"]),
        terminal::cell(&entry["message"])
    ));
}

/// Prints events as they come. With `json`, one JSON array when the execution is finished.
async fn follow(client: &Client, id: ExecutionId, json: bool) -> Result<Exit> {
    let mut entries = Vec::new();
    let mut parser = EventParser::default();
    let mut attempts = 0;
    loop {
        let from = parser.last_id.map_or(0, |last| last + 1);
        let response = client
            .events(&format!("/v1/executions/{id}/logs?from={from}"))
            .await?;
        let mut body = response.bytes_stream();
        while let Some(Ok(chunk)) = body.next().await {
            attempts = 0;
            for (event, data) in parser.feed(&chunk) {
                match event.as_str() {
                    "end" => {
                        if json {
                            terminal::print_json(&json!({ "entries": entries }));
                        }
                        return Ok(Exit::Done);
                    }
                    "log" if json => entries.push(data),
                    "log" => print_line(&data),
                    _ => {}
                }
            }
        }
        attempts += 1;
        if attempts > 10 {
            return Err(
                Failure::unreachable("the controller keeps ending the stream of logs")
                    .help("run the command again to go on"),
            );
        }
        tokio::time::sleep(Duration::from_millis(200 * attempts)).await;
    }
}

/// Server-sent events (WHATWG HTML, section 9.2) out of chunks that end anywhere.
#[derive(Default)]
struct EventParser {
    buffer: Vec<u8>,
    last_id: Option<u64>,
}

impl EventParser {
    fn feed(&mut self, chunk: &[u8]) -> Vec<(String, Value)> {
        self.buffer.extend_from_slice(chunk);
        let mut events = Vec::new();
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let (mut name, mut data) = (String::new(), String::new());
            for line in String::from_utf8_lossy(&block).lines() {
                match line
                    .split_once(':')
                    .map(|(field, value)| (field, value.trim_start()))
                {
                    Some(("event", value)) => name = value.to_owned(),
                    Some(("data", value)) => data.push_str(value),
                    Some(("id", value)) => self.last_id = value.parse().ok().or(self.last_id),
                    _ => {}
                }
            }
            if let Ok(data) = serde_json::from_str(if data.is_empty() { "null" } else { &data }) {
                events.push((name, data));
            }
        }
        events
    }
}

/// Waits for an execution and gives its document.
pub(crate) async fn submit_and_wait(client: &Client, request: &Value) -> Result<Value> {
    let mut execution: Value = client.post("/v1/executions?wait_ms=10000", request).await?;
    let id = terminal::cell(&execution["id"]);
    for _ in 0..30 {
        if execution["state"] == "finished" {
            return Ok(execution);
        }
        execution = client
            .get(&format!("/v1/executions/{id}?wait_ms=10000"))
            .await?;
    }
    Err(Failure::new(
        Exit::Stopped,
        format!(
            "{id} is not finished after minutes: {}",
            standing(&execution)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_whole_however_the_stream_is_cut() {
        let stream =
            b"event: log\nid: 7\ndata: {\"message\":\"a\"}\n\n: ping\n\nevent: end\ndata: {}\n\n";
        for cut in 0..stream.len() {
            let mut parser = EventParser::default();
            let mut events = parser.feed(&stream[..cut]);
            events.extend(parser.feed(&stream[cut..]));
            let names: Vec<_> = events
                .iter()
                .map(|(name, _)| name.as_str())
                .filter(|name| !name.is_empty())
                .collect();
            assert_eq!(names, ["log", "end"], "cut at {cut}");
            assert_eq!(parser.last_id, Some(7));
        }
    }

    #[test]
    fn every_outcome_has_its_exit_code() {
        for (outcome, exit) in [
            ("done", Exit::Done),
            ("failed", Exit::Failed),
            ("cancelled", Exit::Failed),
            ("refused", Exit::Refused),
            ("stopped", Exit::Stopped),
            ("lost", Exit::Unreachable),
        ] {
            assert_eq!(outcome_exit(&json!({ "outcome": outcome })), exit);
        }
    }
}
