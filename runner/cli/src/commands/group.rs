//! `wharf group`: what work is assigned to.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::{Client, Connection};
use crate::exit::{Exit, Result};
use crate::terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a group
    Create {
        /// Lower-case letters, digits and `-`
        name: wharf_protocol::GroupName,
        /// Forget a runner after 10 minutes without a heartbeat, as for runners that come and go
        #[arg(long)]
        ephemeral: bool,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the groups
    List {
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Create { json, .. } | Self::List { json, .. } => *json,
        }
    }

    pub(crate) async fn run(self) -> Result<Exit> {
        match self {
            Self::Create {
                name,
                ephemeral,
                json,
                connection,
            } => {
                let kind = if ephemeral { "ephemeral" } else { "persistent" };
                let group: Value = Client::connect(&connection)?
                    .post("/v1/groups", &json!({ "name": name, "kind": kind }))
                    .await?;
                if json {
                    terminal::print_json(&group);
                } else {
                    terminal::print(format_args!(
                        "group {name} is there; let a runner join it with `wharf token create --group {name}`"
                    ));
                }
            }
            Self::List { json, connection } => {
                let groups: Value = Client::connect(&connection)?.get("/v1/groups").await?;
                if json {
                    terminal::print_json(&groups);
                } else {
                    let columns = ["name", "kind"];
                    terminal::print(terminal::table(&columns, rows(&groups)));
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// The objects of a listing, whether it is an array or has one.
pub(crate) fn rows(listing: &Value) -> impl Iterator<Item = &Value> {
    listing
        .as_array()
        .or_else(|| listing.as_object()?.values().find_map(Value::as_array))
        .into_iter()
        .flatten()
}
