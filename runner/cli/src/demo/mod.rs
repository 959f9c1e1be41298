//! `wharf demo`: everything once, for real, on this machine.
//!
//! It builds and signs the first-party plugins, starts a controller and a runner in a process of
//! its own, submits work, and shows what is refused. It uses the same crates and the same API as
//! everybody else, and exits 0 only if every step came out as it should.

mod bundles;
mod internal_api;
mod policy;
mod report;
mod runner;
mod steps;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wharf_controller::{Config, Controller};

use crate::client::Client;
use crate::exit::{Context, Exit, Failure, Result};
use crate::terminal;

/// Build, sign and run everything once on this machine, and show what is refused.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON document instead of the account
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave the controller and the runner running, and print the address and a token
    #[arg(long)]
    keep: bool,
    /// Keep the state in this folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The checkout of Wharf, whose plugins are built
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
}

/// The folders of one demo.
struct Place {
    data: PathBuf,
    /// Removed at the end where nobody asked to keep it.
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn new(data: Option<PathBuf>) -> Result<Self> {
        let (data, temporary) = match data {
            Some(data) => (data, None),
            None => {
                let folder = tempfile::Builder::new()
                    .prefix("wharf-demo-")
                    .tempdir()
                    .or_exit(Exit::Usage, "cannot make a temporary folder")?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        std::fs::create_dir_all(&data)
            .or_exit(Exit::Usage, format_args!("cannot make {}", data.display()))?;
        let data = data.canonicalize().or_exit(Exit::Usage, data.display())?;
        Ok(Self {
            data,
            _temporary: temporary,
        })
    }
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let source = match &args.source {
        Some(source) => source.clone(),
        None => find_source()?,
    };
    let place = Place::new(args.data.clone())?;
    let tell = report::Teller::new();

    let bundles = bundles::build_and_sign(&source, &place.data, &tell).await?;
    let api = internal_api::InternalApi::start().await?;
    let policy_file = policy::write(&place.data, &api)?;

    tell.step("starting the controller");
    let any_port = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let controller = Controller::start(Config::new(place.data.join("controller"), any_port))
        .await
        .or_exit(Exit::Usage, "the controller does not start")?;
    let url = format!("http://{}", controller.addr());
    let client = Client::new(
        reqwest::Client::new(),
        &url,
        controller.admin_token().to_owned(),
    );
    let _: Value = client
        .post(
            "/v1/groups",
            &json!({ "name": policy::GROUP, "kind": "persistent" }),
        )
        .await?;

    tell.step("enrolling and starting a runner in a process of its own");
    let runner = runner::Runner::start(&client, &url, &place.data, &policy_file).await?;
    tell.done(&format!(
        "controller on {}, runner {} dialled in",
        url,
        runner.id()
    ));

    tell.step("publishing the bundles");
    bundles.publish(&client).await?;
    let account = steps::run_all(&client, &bundles, &api, &tell).await?;

    let ok = account.ok();
    if args.json {
        terminal::print_json(&account.json(&runner));
    } else {
        terminal::print(account.table());
        terminal::print(account.summary());
    }
    if args.keep {
        terminal::note(format_args!(
            "\nstill running; stop it with Ctrl-C\n  export WHARF_CONTROLLER={} WHARF_TOKEN_FILE={}\n  wharf exec list --group {}\n  the token is {}",
            url,
            place.data.join("controller/admin.token").display(),
            policy::GROUP,
            controller.admin_token(),
        ));
        crate::commands::stop_signal().await?;
    }
    runner.stop().await;
    controller.shutdown().await;
    if ok {
        Ok(Exit::Done)
    } else {
        Err(Failure::new(
            Exit::Failed,
            "not every step came out as it should",
        ))
    }
}

/// The nearest folder upwards that holds the plugins' sources.
fn find_source() -> Result<PathBuf> {
    let here = std::env::current_dir().or_exit(Exit::Usage, "no current folder")?;
    here.ancestors()
        .find(|folder| folder.join("plugins/http/plugin.toml").is_file())
        .map(Path::to_owned)
        .ok_or_else(|| {
            Failure::usage("the demo builds Wharf's own plugins and finds no checkout of it here")
                .help("run it in the checkout, or name the checkout with --source")
        })
}
