//! The runner of the demo: this same binary, as a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::policy::GROUP;
use crate::client::Client;
use crate::commands::rows;
use crate::exit::{Context, Exit, Failure, Result};

/// A runner that has dialled in.
pub(super) struct Runner {
    process: Child,
    id: String,
}

impl Runner {
    pub(super) async fn start(
        client: &Client,
        controller: &str,
        data: &Path,
        policy: &Path,
    ) -> Result<Self> {
        let wharf = std::env::current_exe()
            .or_exit(Exit::Usage, "this program does not know where it is")?;
        let state = data.join("runner");
        let log_file = data.join("runner.log");
        let log = std::fs::File::create(&log_file).or_exit(
            Exit::Usage,
            format_args!("cannot write {}", log_file.display()),
        )?;
        let log_of =
            |log: &std::fs::File| log.try_clone().map_or_else(|_| Stdio::null(), Stdio::from);

        if !state.join("runner.json").is_file() {
            let request = json!({ "kind": "enrolment", "group": GROUP, "ttl_s": 60 });
            let token: Value = client.post("/v1/tokens", &request).await?;
            let enrolled = Command::new(&wharf)
                .args(["runner", "enroll", "--controller", controller, "--state"])
                .arg(&state)
                .env("WHARF_TOKEN", token["token"].as_str().unwrap_or_default())
                .stderr(log_of(&log))
                .stdout(log_of(&log))
                .status()
                .await
                .or_exit(Exit::Unreachable, "the runner cannot be started")?;
            if !enrolled.success() {
                return Err(failed(&log_file, "the runner could not enrol"));
            }
        }
        let mut process = Command::new(&wharf)
            .args(["-v", "runner", "start", "--state"])
            .arg(&state)
            .arg("--policy")
            .arg(policy)
            .stdin(Stdio::null())
            .stdout(log_of(&log))
            .stderr(log_of(&log))
            .kill_on_drop(true)
            .spawn()
            .or_exit(Exit::Unreachable, "the runner cannot be started")?;
        for _ in 0..600 {
            let runners: Value = client.get("/v1/runners").await?;
            if let Some(online) = rows(&runners).find(|runner| runner["state"] == "online") {
                let id = crate::terminal::cell(&online["id"]);
                return Ok(Self { process, id });
            }
            if process.try_wait().is_ok_and(|status| status.is_some()) {
                return Err(failed(&log_file, "the runner has ended"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(failed(&log_file, "the runner did not dial in within 30 s"))
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Lets it drain, as SIGTERM does everywhere.
    pub(super) async fn stop(mut self) {
        if let Some(pid) = self
            .process
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = tokio::time::timeout(Duration::from_secs(10), self.process.wait()).await;
    }
}

fn failed(log: &Path, what: &str) -> Failure {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    Failure::unreachable(format!("{what}; it said:\n{}", said.trim_end()))
}
