//! `wharf secret`: whether this machine would get what a policy binds, and what the controller keeps
//! sealed. Never shows a value.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;
use wharf_policy::{SecretName, StoreConfig};
use wharf_stores::{Presence, Stores};

use super::sealed::{Put, Remove, Where, list};
use crate::exit::{Context, Exit, Failure, Result};
use crate::{harden, local, terminal};

/// How long the end waits for what stores lent to be given back.
const LAST_LEASES: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whether a secret is present (exit code 0), absent (1) or denied (3), and nothing else
    ///
    /// Where the store does not say, this prints no answer but an error, and ends with another exit code:
    /// the store does not answer (5), something has to be mended first, as the error says (3), or what is
    /// asked cannot be tested (2): a name that the policy does not bind, or a secret that is sealed on the
    /// controller, which only a running runner gets.
    Test(Test),
    Put(Put),
    /// List the sealed secrets of a group, and the runners that cannot open them
    List(Where),
    Remove(Remove),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// The name of a `[[secret]]` block
    name: SecretName,
    /// The policy that binds it and says where its store is
    #[arg(long, env = "WHARF_POLICY", value_name = "FILE")]
    policy: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Test(test) => test.json,
            Self::Put(put) => put.wants_json(),
            Self::List(at) => at.json,
            Self::Remove(remove) => remove.at.json,
        }
    }

    pub(crate) async fn run(self) -> Result<Exit> {
        match self {
            Self::Test(test) => test.run().await,
            Self::Put(put) => put.run().await,
            Self::List(at) => list(at).await,
            Self::Remove(remove) => remove.run().await,
        }
    }
}

impl Test {
    async fn run(self) -> Result<Exit> {
        harden::no_core_files();
        harden::private_memory();
        let mut policy = local::load_grants(&self.policy)?;
        // What the others need has nothing to do with this one.
        policy.secrets.retain(|binding| binding.name == self.name);
        let binding = policy.secrets.first().cloned().ok_or_else(|| {
            Failure::usage(format!(
                "{} binds no secret `{}`",
                self.policy.display(),
                self.name
            ))
            .help("the names are those of its [[secret]] blocks")
        })?;
        let store = binding.from.store();
        policy.stores.retain(|name, _| name.as_str() == store);
        if policy.stores.values().any(is_on_the_controller) {
            return Err(Failure::usage(format!(
                "`{}` is sealed on the controller, which gives it to a running runner of the group: it cannot be tested here",
                self.name
            ))
            .help(
                "`wharf secret list --group GROUP` names the runners that cannot open it; whether one uses it shows in an execution there",
            ));
        }
        let folder = self.policy.parent().unwrap_or(Path::new(""));
        let stores =
            Stores::open(&policy, folder, None).or_exit(Exit::Refused, self.policy.display())?;
        let answer = tokio::select! {
            answer = wharf_host::test(&binding, &stores) => Ok(answer),
            signal = super::stop_signal() => {
                signal.and_then(|()| Err(Failure::new(Exit::Failed, "interrupted")))
            }
        };
        // However it ended.
        stores.finish(LAST_LEASES).await;
        let presence = answer?.map_err(|error| {
            let exit = match error.may_pass() {
                true => Exit::Unreachable,
                false => Exit::Refused,
            };
            Failure::new(exit, error)
        })?;
        let (word, exit) = match presence {
            Presence::Present => ("present", Exit::Done),
            Presence::Absent => ("absent", Exit::Failed),
            Presence::Denied => ("denied", Exit::Refused),
        };
        if self.json {
            terminal::print_json(&json!({ "secret": self.name, "answer": word }));
        } else {
            terminal::print(word);
        }
        Ok(exit)
    }
}

fn is_on_the_controller(store: &StoreConfig) -> bool {
    matches!(store, StoreConfig::Controller(_))
}
