//! `wharf run`: one action of a signed plugin, here and now, without a controller.
//!
//! The same verification, grants, limits and sandbox as on a runner.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use wharf_agent::{Asked, By, RunAudit, Who};
use wharf_audit::Audit;
use wharf_bundle::{MAX_COMPONENT, Verified};
use wharf_engine::{Call, Cancel, Engine, EngineConfig, Outcome, Plugin, Report};
use wharf_host::{
    AuditEvent, AuditUnavailable, Events, LogLine, Progress, RunSecrets, SecretError, Services,
    ServicesConfig,
};
use wharf_policy::{ActionName, CallRights, LimitRequest, Period, Rights};
use wharf_protocol::{FailureKind, Verdict};
use wharf_stores::Stores;

use crate::exit::{Context, Exit, Failure, Result};
use crate::registry::Reach;
use crate::source::{Found, Source};
use crate::{harden, home, local, terminal};

/// Run one action of a signed plugin here, without a controller
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A packed plugin, its signature beside it; or oci://REFERENCE, in a registry
    #[arg(value_name = "FILE")]
    plugin: Source,
    /// Which of its actions
    action: ActionName,
    /// The input: JSON, @FILE, or - for stdin
    #[arg(long, default_value = "{}")]
    input: String,
    /// Grants and secrets, in place of those of the policy
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
    /// Who may sign; and the grants and secrets, unless --grant is given
    #[arg(long, env = "WHARF_POLICY", value_name = "FILE")]
    policy: PathBuf,
    /// Write what it does with secrets and the network, and what it is refused, into this record
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Stop it after this long; never longer than its grant allows
    #[arg(long, value_name = "PERIOD")]
    timeout: Option<Period>,
    #[command(flatten)]
    reach: Reach,
    /// Print the answer, with logs and usage, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How long the end waits for what stores lent to be given back.
const LAST_LEASES: Duration = Duration::from_secs(10);

/// The JSON that an `--input` names.
pub(super) fn read_json(input: &str) -> Result<Value> {
    let text = match input {
        "-" => {
            let most = MAX_COMPONENT as u64;
            let mut text = String::new();
            let read = std::io::stdin()
                .take(most + 1)
                .read_to_string(&mut text)
                .or_exit(Exit::Usage, "cannot read stdin")?;
            if read as u64 > most {
                return Err(Failure::usage(format!(
                    "cannot read stdin: it has more than {most} bytes"
                )));
            }
            text
        }
        input => match input.strip_prefix('@') {
            Some(file) => local::read_text(file.as_ref())?,
            None => input.to_owned(),
        },
    };
    serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!("the input is not JSON: {error}"))
            .help("give a JSON document, @FILE, or - for stdin")
    })
}

/// Shows lines as they come, or keeps them for the document.
struct Listener {
    kept: Option<Mutex<Vec<Value>>>,
    audit: Option<RunAudit>,
}

#[async_trait]
impl Events for Listener {
    fn log(&self, line: LogLine) {
        let level = format!("{:?}", line.level).to_lowercase();
        match &self.kept {
            Some(kept) => {
                let entry =
                    json!({ "level": level, "message": line.message, "fields": line.fields });
                if let Ok(mut kept) = kept.lock() {
                    kept.push(entry);
                }
            }
            None => {
                let fields: String = line
                    .fields
                    .iter()
                    .map(|(name, value)| format!(" {name}={value}"))
                    .collect();
                terminal::note(format_args!("{level:5} {}{fields}", line.message));
            }
        }
    }

    fn progress(&self, progress: Progress) {
        if self.kept.is_none() {
            let percent = progress
                .fraction
                .map(|fraction| format!("{:.0}% ", fraction * 100.0))
                .unwrap_or_default();
            terminal::note(format_args!("{percent}{}", progress.message));
        }
    }

    fn audit(&self, event: AuditEvent) -> Result<(), AuditUnavailable> {
        match &self.audit {
            Some(audit) => audit.audit(&event),
            None => {
                tracing::info!(?event, "audit");
                Ok(())
            }
        }
    }

    async fn audit_synced(&self) -> Result<(), AuditUnavailable> {
        match &self.audit {
            Some(audit) => audit.synced().await,
            None => Ok(()),
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    harden::no_core_files();
    let input = read_json(&args.input)?;
    let (mut policy, trust) = local::load_policy(&args.policy)?;
    if let Some(file) = &args.grant {
        policy = policy.with_grants_of(local::load_grants(file)?);
    }
    let Found { bytes, papers } = args.plugin.read(&args.reach, args.json).await?;
    let record = match &args.audit {
        Some(file) => Some(Audit::file(file, "local").or_exit(Exit::Usage, "no audit record")?),
        None => None,
    };
    let execution = ulid::Ulid::generate().to_string();
    let asked = Asked {
        plugin: args.plugin.to_string(),
        digest: wharf_bundle::digest(&bytes),
        action: args.action.to_string(),
    };
    let by = By {
        execution: execution.clone(),
        attempt: 1,
        ..By::default()
    };
    // Says in the record, if there is one, that it is not begun.
    let audited = |by: &By, failure: Failure| {
        if let Some(record) = &record {
            RunAudit::new(record.clone(), by.clone()).not_begun(&asked, &failure.to_string());
        }
        failure
    };
    let verified = trust
        .verify_with(bytes, papers.as_beside())
        .or_exit(Exit::Refused, format_args!("{} is refused", &args.plugin))
        .map_err(|failure| audited(&by, failure))?;

    let manifest = verified.manifest();
    if !manifest.actions.contains_key(&args.action) {
        let known: Vec<_> = manifest.actions.keys().map(ActionName::as_str).collect();
        return Err(
            Failure::usage(format!("{} has no action `{}`", manifest.name, args.action))
                .help(format!("it has: {}", known.join(", "))),
        );
    }
    let by = By {
        who: Some(Arc::new(Who::of(&verified, &args.action))),
        ..by
    };
    let narrowed = CallRights {
        limits: LimitRequest {
            deadline: args.timeout,
            ..LimitRequest::default()
        },
        ..CallRights::default()
    };
    let rights = Rights::effective(
        &manifest.name,
        &args.action,
        &manifest.capabilities,
        &manifest.limits,
        &policy,
        &narrowed,
    );
    let stores = Stores::open(&policy, &policy_folder(&args), None)
        .or_exit(Exit::Refused, "the secrets cannot be used")?;
    let listener = Arc::new(Listener {
        kept: args.json.then(Mutex::default),
        audit: record
            .clone()
            .map(|record| RunAudit::new(record, by.clone())),
    });
    let verified = &verified;
    let ran = async {
        let mut stopped = std::pin::pin!(super::stop_signal());
        let prepare = async {
            let lent = wharf_host::resolve(&rights, &stores)
                .await
                .map_err(no_secret)
                .map_err(|failure| audited(&by, failure))?;
            let (engine, plugin) = compiled(&args, verified).await?;
            let prepared = engine
                .prepare(&plugin, &args.action, rights)
                .or_exit(Exit::Refused, format_args!("{} is refused", &args.plugin))
                .map_err(|failure| audited(&by, failure))?;
            let services = Services::new(&ServicesConfig::default())
                .or_exit(Exit::Usage, "cannot set up TLS")?;
            Ok((lent, prepared, services))
        };
        let (
            RunSecrets {
                secrets,
                leases: _lent,
                ..
            },
            prepared,
            services,
        ) = tokio::select! {
            prepared = prepare => prepared?,
            signal = &mut stopped => {
                signal?;
                return Err(Failure::new(Exit::Failed, "interrupted: nothing was run"));
            }
        };
        let cancel = Cancel::new();
        let call = Call {
            execution,
            attempt: 1,
            input: (&input).into(),
            cancel: cancel.clone(),
            events: Arc::clone(&listener) as Arc<dyn Events>,
            services: Arc::new(services),
            secrets,
        };
        let mut running = std::pin::pin!(prepared.run(call));
        tokio::select! {
            report = &mut running => Ok(report),
            signal = &mut stopped => {
                signal?;
                cancel.kill();
                Ok(running.await)
            }
        }
    };
    let ran = ran.await;
    // However it ended.
    stores.finish(LAST_LEASES).await;
    answer(ran?, &listener, args.json)
}

/// The plugin as it can be called, and the engine that calls it.
async fn compiled(args: &Args, verified: &Verified) -> Result<(Engine, Plugin)> {
    let engine = Engine::new(EngineConfig {
        cache: wharf_engine::CacheDir::At(home::cache()?),
        ..EngineConfig::for_one_run()
    })
    .or_exit(Exit::Usage, "the engine does not start")?;
    harden::private_memory();
    let compiling = "compiling, this once: compiled code is kept";
    let plugin = terminal::waiting(compiling, engine.load(verified))
        .await
        .or_exit(Exit::Usage, &args.plugin)?;
    Ok((engine, plugin))
}

/// Says what came of it.
fn answer(report: Report, listener: &Listener, as_json: bool) -> Result<Exit> {
    let output: Option<Value> = match &report.outcome {
        Outcome::Done(output) => serde_json::from_str(output).ok(),
        _ => None,
    };
    let said = said(&report.outcome);
    let (verdict, usage, timings) = wharf_agent::verdict_of(report);
    let exit = match &verdict {
        Verdict::Done { .. } => Exit::Done,
        Verdict::Failed(failure) if failure.kind == FailureKind::InvalidInput => Exit::Usage,
        Verdict::Failed(_) | Verdict::Cancelled { .. } => Exit::Failed,
        Verdict::Refused { .. } => Exit::Refused,
        Verdict::Stopped { .. } => Exit::Stopped,
        Verdict::Lost { .. } => Exit::Unreachable,
    };
    if as_json {
        let mut document = serde_json::to_value(&verdict).unwrap_or_default();
        document["ok"] = (exit == Exit::Done).into();
        document["output"] = output.into();
        document["usage"] = serde_json::to_value(usage).unwrap_or_default();
        document["timings"] = serde_json::to_value(timings).unwrap_or_default();
        let logs = listener
            .kept
            .as_ref()
            .and_then(|kept| kept.lock().ok().map(|mut kept| std::mem::take(&mut *kept)));
        document["logs"] = logs.into();
        terminal::print_json(&document);
    } else {
        match output {
            Some(output) => terminal::print_json(&output),
            None => terminal::error(&said, None),
        }
    }
    Ok(exit)
}

/// A store that does not answer is as a runner that does not.
fn no_secret(error: SecretError) -> Failure {
    let exit = match error.may_pass() {
        true => Exit::Unreachable,
        false => Exit::Refused,
    };
    Failure::new(exit, format_args!("a secret is not to be had: {error}"))
}

/// Secrets are named relative to the file that names them.
fn policy_folder(args: &Args) -> PathBuf {
    let file = args.grant.as_ref().unwrap_or(&args.policy);
    file.parent().unwrap_or(Path::new("")).to_owned()
}

/// What a person reads of a run that gave no output.
fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(_) => "done".to_owned(),
        Outcome::Failed(error) => error.to_string(),
        Outcome::Refused(refused) => refused.to_string(),
        Outcome::Stopped(stop) => stop.to_string(),
        Outcome::Cancelled => "cancelled".to_owned(),
    }
}
