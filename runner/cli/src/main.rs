//! `wharf`: the one binary. Parses arguments, calls the crates below, prints. It decides nothing.

#![forbid(unsafe_code)]

mod client;
mod commands;
mod demo;
mod exit;
mod harden;
mod home;
mod local;
mod plugin_build;
mod registry;
mod replace;
mod scaffold;
mod source;
mod terminal;

use std::alloc::System;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use zeroizing_alloc::ZeroAlloc;

/// Wipes what is freed: secrets pass through the buffers of many libraries (HTTP, TLS, files, search
/// automata), and none of them wipes its own.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// How long the end waits for work that cannot be interrupted and that nobody waits for.
const LAST_WORK: Duration = Duration::from_secs(2);

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
    let ended = runtime.block_on(cli.command.run());
    // Whoever interrupts a command does not wait for what it was compiling.
    runtime.shutdown_timeout(LAST_WORK);
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(json),
    }
}
