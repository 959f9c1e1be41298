//! `wharf token`: what lets a runner enrol, and what lets a program use the API.

use clap::{ArgGroup, Subcommand, ValueEnum};
use serde_json::{Value, json};
use wharf_policy::Period;

use crate::client::{Client, Connection};
use crate::exit::{Exit, Result};
use crate::terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token: for runners of a group to enrol with, or for the API
    #[command(group(ArgGroup::new("what").required(true).args(["group", "role"])))]
    Create {
        /// Let runners join this group
        #[arg(long)]
        group: Option<wharf_protocol::GroupName>,
        /// Let a program use the API in this role
        #[arg(long)]
        role: Option<Role>,
        /// How long it is good, such as 30m [default: 1h for runners, for ever for the API]
        #[arg(long, value_name = "PERIOD")]
        ttl: Option<Period>,
        /// What it is for, to know it again
        #[arg(long, default_value = "")]
        note: String,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

/// What an API token may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Everything
    Admin,
    /// Publish, submit, cancel and read
    Operator,
    /// Read
    Reader,
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        let Self::Create { json, .. } = self;
        *json
    }

    pub(crate) async fn run(self) -> Result<Exit> {
        let Self::Create {
            group,
            role,
            ttl,
            note,
            json,
            connection,
        } = self;
        let ttl_s = ttl.map(|ttl| ttl.as_millis().div_ceil(1000));
        let request = match (&group, role) {
            (Some(group), _) => {
                json!({ "kind": "enrolment", "group": group, "ttl_s": ttl_s.unwrap_or(3600) })
            }
            (None, role) => {
                let role = role.and_then(|role| role.to_possible_value());
                let role = role.as_ref().map_or("reader", |role| role.get_name());
                json!({ "kind": "api", "role": role, "ttl_s": ttl_s, "note": note })
            }
        };
        let made: Value = Client::connect(&connection)?
            .post("/v1/tokens", &request)
            .await?;
        if json {
            terminal::print_json(&made);
        } else {
            terminal::print(terminal::cell(&made["token"]));
            if group.is_some() {
                terminal::note(
                    "on the runner's machine: WHARF_TOKEN=… wharf runner enroll --controller URL",
                );
            }
        }
        Ok(Exit::Done)
    }
}
