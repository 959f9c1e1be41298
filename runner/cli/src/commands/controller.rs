//! `wharf controller`: accepts work, keeps it, hands it out.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use wharf_controller::{Config, Controller, Tls};
use wharf_policy::Period;

use crate::exit::{Context, Exit, Failure, Result};
use crate::{home, terminal};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the controller and serve until a signal
    Start(Start),
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Where it keeps its database, bundles and admin token
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address to listen on; anything but loopback needs TLS
    #[arg(long, value_name = "ADDR", default_value = home::LISTEN)]
    listen: SocketAddr,
    /// The server's certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// How long an attempt is a runner's without a heartbeat
    #[arg(long, default_value = "30s")]
    lease: Period,
    /// How often runners send a heartbeat
    #[arg(long, default_value = "5s")]
    heartbeat: Period,
}

impl Command {
    pub(crate) async fn run(self) -> Result<Exit> {
        let Self::Start(start) = self;
        let data = match start.data {
            Some(data) => data,
            None => home::controller_data()?,
        };
        let tls = match (start.tls_cert, start.tls_key) {
            (Some(cert), Some(key)) => Tls::Files { cert, key },
            _ => Tls::LoopbackOnly,
        };
        let scheme = match &tls {
            Tls::Files { .. } => "https",
            Tls::LoopbackOnly => "http",
        };
        let config = Config {
            tls,
            lease: start.lease.duration(),
            heartbeat: start.heartbeat.duration(),
            ..Config::new(data.clone(), start.listen)
        };
        let running = Controller::start(config)
            .await
            .or_exit(Exit::Usage, "the controller does not start")?;
        terminal::note(format_args!("controller on {scheme}://{}", running.addr()));
        terminal::note(format_args!(
            "data in {}, admin token in admin.token there",
            data.display()
        ));
        stop_signal().await?;
        terminal::note("stopping");
        running.shutdown().await;
        Ok(Exit::Done)
    }
}

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn stop_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind).map_err(|error| Failure::usage(format!("cannot listen for signals: {error}")))
    };
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
