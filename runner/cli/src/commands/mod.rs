//! The command line, one module a command. `wharf help` is its reference.

mod attest;
mod audit;
mod bundle;
mod cache;
mod controller;
mod exec;
mod grant;
mod group;
mod keys;
mod plugin;
mod policy;
mod pull;
mod push;
mod run;
mod runner;
mod sealed;
mod secret;
mod sign;
mod token;
mod verify;

use clap::{Parser, Subcommand};

pub(crate) use controller::stop_signal;
use exec::describe;
pub(crate) use exec::submit_and_wait;
pub(crate) use group::rows;
pub(crate) use keys::write_key_pair;
pub(crate) use plugin::spinner;
pub(crate) use sign::sign_file;

use crate::demo;
use crate::exit::{Exit, Result};

/// Runs automation actions as signature-verified WebAssembly plugins.
///
/// Exit codes: 0 done · 1 the action failed · 2 usage or bad input · 3 refused (signature, policy,
/// grant) · 4 stopped by a limit or deadline · 5 the controller or runner could not be reached.
/// With --json, stdout is one JSON document and nothing else.
#[derive(Debug, Parser)]
#[command(
    name = "wharf",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Show more of what happens; twice for everything. WHARF_LOG takes a finer filter.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build, sign and run everything once on this machine, and show what is refused
    Demo(demo::Args),
    /// Make, build, pack, inspect and publish plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Make a signing key: DIR/wharf.key (encrypted) and DIR/wharf.pub
    Keygen(keys::Keygen),
    Sign(sign::Sign),
    Verify(verify::Verify),
    Push(push::Push),
    Pull(pull::Pull),
    /// Carry plugins to networks without a registry
    #[command(subcommand)]
    Bundle(bundle::Command),
    /// See what a policy file means
    #[command(subcommand)]
    Policy(policy::Command),
    /// Run one action of a signed plugin here, without a controller
    Run(run::Args),
    /// Ask whether a secret is to be had here, and keep secrets sealed on the controller
    #[command(subcommand)]
    Secret(secret::Command),
    /// Start the controller
    #[command(subcommand)]
    Controller(controller::Command),
    /// Groups of runners
    #[command(subcommand)]
    Group(group::Command),
    /// Tokens to enrol runners and to use the API
    #[command(subcommand)]
    Token(token::Command),
    /// Enrol, start and list runners
    #[command(subcommand)]
    Runner(runner::Command),
    /// See what a plugin asks for and what it is granted
    #[command(subcommand)]
    Grant(grant::Command),
    /// Check and read audit records
    #[command(subcommand)]
    Audit(audit::Command),
    /// Look after the compiled code that is kept on this machine
    #[command(subcommand)]
    Cache(cache::Command),
    /// Submit executions and see what became of them
    #[command(subcommand)]
    Exec(exec::Command),
}

impl Command {
    /// Whether stdout must be one JSON document, also when the command fails.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Demo(args) => args.json,
            Self::Plugin(command) => command.wants_json(),
            Self::Keygen(args) => args.json,
            Self::Sign(args) => args.json,
            Self::Verify(args) => args.json,
            Self::Push(args) => args.json,
            Self::Pull(args) => args.json,
            Self::Bundle(command) => command.wants_json(),
            Self::Policy(command) => command.wants_json(),
            Self::Run(args) => args.json,
            Self::Secret(command) => command.wants_json(),
            Self::Controller(_) => false,
            Self::Group(command) => command.wants_json(),
            Self::Token(command) => command.wants_json(),
            Self::Runner(command) => command.wants_json(),
            Self::Grant(command) => command.wants_json(),
            Self::Audit(command) => command.wants_json(),
            Self::Cache(command) => command.wants_json(),
            Self::Exec(command) => command.wants_json(),
        }
    }

    pub(crate) async fn run(self) -> Result<Exit> {
        match self {
            Self::Demo(args) => demo::run(args).await,
            Self::Plugin(command) => command.run().await,
            Self::Keygen(args) => args.run(),
            Self::Sign(args) => args.run().await,
            Self::Verify(args) => args.run(),
            Self::Push(args) => args.run().await,
            Self::Pull(args) => args.run().await,
            Self::Bundle(command) => command.run().await,
            Self::Policy(command) => command.run(),
            Self::Run(args) => run::run(args).await,
            Self::Secret(command) => command.run().await,
            Self::Controller(command) => command.run().await,
            Self::Group(command) => command.run().await,
            Self::Token(command) => command.run().await,
            Self::Runner(command) => command.run().await,
            Self::Grant(command) => command.run(),
            Self::Audit(command) => command.run(),
            Self::Cache(command) => command.run(),
            Self::Exec(command) => command.run().await,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_has_no_contradictions() {
        use clap::CommandFactory;
        super::Cli::command().debug_assert();
    }
}
