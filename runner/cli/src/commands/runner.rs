//! `wharf runner`: the process that runs actions.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;
use wharf_agent::{Agent, AgentConfig, EnrolRequest, Link, Status};
use wharf_policy::{ByteSize, Moment, Period};
use wharf_stores::RunnerKey;

use super::group::rows;
use crate::client::{Client, Connection};
use crate::exit::{Context, Exit, Failure, Result};
use crate::{harden, home, local, terminal};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Join a group: makes this runner's key and registers it
    Enroll(Enroll),
    /// Start the runner: dials out to its controller and takes work until a signal
    Start(Start),
    /// Show what the runner of this machine is doing
    Status {
        /// Where the runner keeps its key, journal and cache
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the runners of a controller
    List {
        /// Only those of this group
        #[arg(long)]
        group: Option<wharf_protocol::GroupName>,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// The controller's URL
    #[arg(long, env = "WHARF_CONTROLLER", value_name = "URL", default_value_t = format!("http://{}", home::LISTEN))]
    controller: String,
    /// A file that holds the enrolment token; WHARF_TOKEN holds the token itself
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where the runner keeps its key, journal and cache
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// A PEM file of authorities to trust beside the system's
    #[arg(long, env = "WHARF_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// What it trusts, which secrets it has, and what it grants
    #[arg(long, env = "WHARF_POLICY", value_name = "FILE")]
    policy: PathBuf,
    /// Where the runner keeps its key, journal and cache
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How many attempts it holds at a time [default: 16 for each core, at least 32]
    #[arg(long, env = "WHARF_SLOTS")]
    slots: Option<usize>,
    /// How long it may take to finish after SIGTERM
    #[arg(long, default_value = "5m")]
    drain_timeout: Period,
    /// A PEM file of authorities to trust beside the system's
    #[arg(long, env = "WHARF_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Where it serves /metrics (Prometheus) and /healthz to anyone who asks: best on loopback
    #[arg(long, env = "WHARF_METRICS", value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// How much compiled code it keeps on disk, such as 512MiB [default: 2GiB]
    #[arg(long, value_name = "SIZE")]
    cache_size: Option<ByteSize>,
    /// How long it keeps compiled code that it does not load [default: 30d]
    #[arg(long, value_name = "TIME")]
    cache_age: Option<Period>,
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        matches!(
            self,
            Self::List { json: true, .. } | Self::Status { json: true, .. }
        )
    }

    pub(crate) async fn run(self) -> Result<Exit> {
        match self {
            Self::Enroll(enroll) => enroll.run().await,
            Self::Start(start) => start.run().await,
            Self::Status { state, json } => status(state, json),
            Self::List {
                group,
                json,
                connection,
            } => {
                let query = group
                    .map(|group| format!("?group={group}"))
                    .unwrap_or_default();
                let mut listing: Value = Client::connect(&connection)?
                    .get(&format!("/v1/runners{query}"))
                    .await?;
                fingerprint(&mut listing);
                if json {
                    terminal::print_json(&listing);
                } else {
                    let columns = [
                        "id", "group", "host", "version", "platform", "state", "running", "credits",
                    ];
                    terminal::print(terminal::table(&columns, rows(&listing)));
                }
                Ok(Exit::Done)
            }
        }
    }
}

impl Enroll {
    async fn run(self) -> Result<Exit> {
        let token = match (&self.token_file, std::env::var("WHARF_TOKEN")) {
            (Some(file), _) => local::read_token(file)
                .or_exit(Exit::Usage, format_args!("cannot read {}", file.display()))?,
            (None, Ok(token)) => token.trim().to_owned(),
            (None, Err(_)) => {
                return Err(Failure::usage("no enrolment token").help(
                    "set WHARF_TOKEN or name a file with --token-file; on the controller's side `wharf token create --group NAME` makes one",
                ));
            }
        };
        let enrolled = wharf_agent::enrol(EnrolRequest {
            url: self.controller,
            token,
            state_dir: state_folder(self.state)?,
            ca_bundle: self.ca_file,
        })
        .await
        .or_exit(Exit::Unreachable, "the runner is not enrolled")?;
        terminal::print(enrolled.runner);
        terminal::note(format_args!(
            "enrolled in group {} with the key {}; start it with `wharf runner start --policy FILE`",
            enrolled.group, enrolled.key
        ));
        Ok(Exit::Done)
    }
}

impl Start {
    async fn run(self) -> Result<Exit> {
        harden::no_core_files();
        let mut config = AgentConfig::new(state_folder(self.state)?, self.policy);
        config.slots = self.slots.unwrap_or(config.slots);
        config.drain_timeout = self.drain_timeout.duration();
        config.ca_bundle = self.ca_file;
        config.metrics = self.metrics;
        let engine = &mut config.engine;
        engine.cache_size = self.cache_size.unwrap_or(engine.cache_size);
        engine.cache_age = self.cache_age.map_or(engine.cache_age, Period::duration);
        let running = Agent::start(config).or_exit(Exit::Refused, "the runner does not start")?;
        harden::private_memory();
        let status = running.status().borrow().clone();
        terminal::note(format_args!(
            "runner {} of group {}, {} slots, controller {}",
            status.runner, status.group, status.slots, status.controller
        ));
        if let Some(address) = running.metrics() {
            terminal::note(format_args!("metrics at http://{address}/metrics"));
            if !address.ip().is_loopback() {
                terminal::note(
                    "whoever can reach that address can read them: nobody is asked who they are",
                );
            }
        }
        let left = running
            .wait_with_signals()
            .await
            .or_exit(Exit::Unreachable, "the runner has stopped")?;
        if left.undelivered > 0 {
            terminal::note(format_args!(
                "{} results are in the journal and are delivered by the next start",
                left.undelivered
            ));
        }
        Ok(Exit::Done)
    }
}

/// Adds to each runner the fingerprint of its key, as `wharf runner enroll` printed it.
fn fingerprint(listing: &mut Value) {
    for runner in listing["runners"].as_array_mut().into_iter().flatten() {
        let key = RunnerKey::from_base64(runner["public_key"].as_str().unwrap_or_default());
        runner["key"] = key.map_or(Value::Null, |key| key.to_string().into());
    }
}

/// What the runner of a state folder wrote down last.
fn status(state: Option<PathBuf>, json: bool) -> Result<Exit> {
    let status = Status::read(&state_folder(state)?).or_exit(Exit::Unreachable, "no status")?;
    let mut shown = serde_json::to_value(&status).or_exit(Exit::Usage, "the status")?;
    if json {
        terminal::print_json(&shown);
    } else {
        let refusals = for_people(&status, &mut shown);
        super::describe(&shown);
        last_refusals(refusals.as_ref());
    }
    Ok(Exit::Done)
}

/// Puts what is written for programs into words. What was refused is taken out: it comes at the end.
fn for_people(status: &Status, shown: &mut Value) -> Option<Value> {
    let all = shown.as_object_mut()?;
    all.insert("link".to_owned(), link(&status.link).into());
    if let Some(started) = all.remove("started_ms") {
        all.insert("started".to_owned(), moment(&started).into());
    }
    if let Some(head) = &status.audit {
        all.insert("audit".to_owned(), head.to_string().into());
    }
    all.remove("refusals")
}

fn link(link: &Link) -> String {
    // Reasons and warnings are the controller's words.
    let words = |state: &str, reason: &str| match reason {
        "" => state.to_owned(),
        reason => format!("{state}: {}", reason.escape_debug()),
    };
    match link {
        Link::Connecting { reason } => words("connecting", reason),
        Link::Rejected { reason } => words("rejected", reason),
        Link::Stopped => "stopped".to_owned(),
        Link::Connected { since_ms, warnings } => {
            let since = moment(&(*since_ms).into());
            words(&format!("connected since {since}"), &warnings.join("; "))
        }
    }
}

/// What was refused last, the newest first: when, what, and why.
fn last_refusals(refusals: Option<&Value>) {
    let refusals = refusals
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    if refusals.is_empty() {
        return;
    }
    terminal::print("\nrefused last");
    for refusal in refusals {
        // What was asked for is the controller's word.
        let plugin = terminal::cell(&refusal["plugin"])
            .escape_debug()
            .to_string();
        terminal::print(format_args!(
            "{}  {}  {plugin}  {}\n    {}",
            moment(&refusal["time_ms"]),
            terminal::cell(&refusal["kind"]),
            terminal::cell(&refusal["digest"]),
            terminal::cell(&refusal["reason"]).escape_debug(),
        ));
    }
}

fn moment(milliseconds: &Value) -> String {
    let seconds = milliseconds
        .as_i64()
        .map(|milliseconds| milliseconds / 1000);
    seconds
        .and_then(|seconds| Moment::from_unix(seconds).ok())
        .map_or_else(|| "-".to_owned(), |moment| moment.to_string())
}

fn state_folder(named: Option<PathBuf>) -> Result<PathBuf> {
    named.map_or_else(home::runner_state, Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_runner_stands_with_its_controller_is_said_in_words_of_one_line() {
        let connected = |warnings: &[&str]| Link::Connected {
            since_ms: 1_763_800_000_000,
            warnings: warnings.iter().map(|&text| text.to_owned()).collect(),
        };
        let since = "connected since 2025-11-22T08:26:40Z";
        let reason = "no\u{1b}[2J\nroute".to_owned();
        for (is, says) in [
            (connected(&[]), since.to_owned()),
            (connected(&["old", "slow"]), format!("{since}: old; slow")),
            (
                Link::Connecting {
                    reason: String::new(),
                },
                "connecting".to_owned(),
            ),
            (
                Link::Rejected { reason },
                "rejected: no\\u{1b}[2J\\nroute".to_owned(),
            ),
            (Link::Stopped, "stopped".to_owned()),
        ] {
            assert_eq!(link(&is), says);
        }
    }
}
