//! `wharf`: the one binary. Parses arguments, calls the crates below, prints. It decides nothing.

#![forbid(unsafe_code)]

mod client;
mod commands;
mod demo;
mod exit;
mod home;
mod local;
mod plugin_build;
mod scaffold;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = commands::Cli::parse();
    terminal::init_tracing(cli.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return exit::Failure::usage(format!("cannot start the async runtime: {error}"))
                .report(false);
        }
    };
    let json = cli.command.wants_json();
    match runtime.block_on(cli.command.run()) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(json),
    }
}
