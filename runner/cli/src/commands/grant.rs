//! `wharf grant`: what a plugin asks for and what it is granted, before anything runs.

mod suggest;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;
use wharf_bundle::{Manifest, TrustPolicy};
use wharf_policy::{ActionName, Digest, Finding, PluginName, Row, Subject};

use crate::exit::{Context, Exit, Failure, Result};
use crate::local::{self, Papers};
use crate::terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare what a plugin asks for with what a policy grants it
    Check(Check),
    /// Write the smallest grant for what a run used, or wanted and was refused
    Suggest(suggest::Suggest),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A packed plugin; its signature is expected beside it
    plugin: PathBuf,
    /// The policy that a runner would have
    #[arg(long, env = "WHARF_POLICY", value_name = "FILE")]
    policy: PathBuf,
    /// Grants and secrets, in place of those of the policy
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
    /// Only this action
    #[arg(long)]
    action: Option<ActionName>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Check(check) => check.json,
            Self::Suggest(_) => false,
        }
    }

    pub(crate) fn run(self) -> Result<Exit> {
        match self {
            Self::Check(check) => check.run(),
            Self::Suggest(suggest) => suggest.run(),
        }
    }
}

/// A plugin as its file tells, and whether a policy trusts it.
struct Plugin {
    manifest: Manifest,
    digest: Digest,
    imports: Vec<String>,
    /// Why it is not trusted, if it is not.
    distrust: Option<String>,
}

impl Plugin {
    fn read(file: &Path, trust: &TrustPolicy) -> Result<Self> {
        let bytes: Arc<[u8]> = local::read(file)?.into();
        let manifest = Manifest::read(&bytes).or_exit(Exit::Usage, file.display())?;
        let shape = wharf_bundle::shape(&bytes).or_exit(Exit::Usage, file.display())?;
        let papers = Papers::beside(file)?;
        let digest = wharf_bundle::digest(&bytes);
        let verified = trust.verify_with(bytes, papers.as_beside());
        Ok(Self {
            manifest,
            digest,
            imports: shape.imports,
            distrust: verified.err().map(|why| why.to_string()),
        })
    }

    /// One of its actions.
    fn known<'a>(&self, action: &'a ActionName) -> Result<&'a ActionName> {
        let known = &self.manifest.actions;
        if known.contains_key(action) {
            return Ok(action);
        }
        let names: Vec<_> = known.keys().map(ActionName::as_str).collect();
        Err(
            Failure::usage(format!("{} has no action `{action}`", self.manifest.name))
                .help(format!("it has: {}", names.join(", "))),
        )
    }

    fn subject<'a>(&'a self, action: &'a ActionName) -> Subject<'a> {
        Subject {
            plugin: &self.manifest.name,
            action,
            asks: &self.manifest.capabilities,
            needs: &self.manifest.limits,
            imports: &self.imports,
        }
    }
}

/// Actions that stand alike, and how.
type Group<'a> = (Vec<&'a ActionName>, Vec<Row>);

impl Check {
    fn run(self) -> Result<Exit> {
        let (mut policy, trust) = local::load_policy(&self.policy)?;
        if let Some(file) = &self.grant {
            policy = policy.with_grants_of(local::load_grants(file)?);
        }
        let plugin = Plugin::read(&self.plugin, &trust)?;
        let actions: Vec<&ActionName> = match &self.action {
            Some(action) => vec![plugin.known(action)?],
            None => plugin.manifest.actions.keys().collect(),
        };
        let Some(first) = actions.first() else {
            return Err(Failure::usage("the plugin has no actions"));
        };
        let subject = plugin.subject(first);
        let groups = wharf_policy::check_each(&subject, actions.iter().copied(), &policy);
        let can_run =
            plugin.distrust.is_none() && groups.iter().all(|(_, rows)| wharf_policy::can_run(rows));
        if self.json {
            terminal::print_json(&Document::new(&plugin, &groups, can_run));
        } else {
            print(&plugin, groups, can_run);
        }
        Ok(if can_run { Exit::Done } else { Exit::Refused })
    }
}

/// The answer as JSON. It borrows the rows, which actions that stand alike have in common.
#[derive(Serialize)]
struct Document<'a> {
    ok: bool,
    plugin: &'a PluginName,
    version: String,
    digest: &'a Digest,
    trusted: bool,
    distrust: Option<&'a str>,
    actions: Vec<Answer<'a>>,
}

#[derive(Serialize)]
struct Answer<'a> {
    action: &'a ActionName,
    can_run: bool,
    rows: &'a [Row],
}

impl<'a> Document<'a> {
    fn new(plugin: &'a Plugin, groups: &'a [Group<'_>], can_run: bool) -> Self {
        let answer = |(names, rows): &'a Group<'_>| {
            let can_run = wharf_policy::can_run(rows);
            names.iter().map(move |action| Answer {
                action,
                can_run,
                rows,
            })
        };
        let mut actions: Vec<Answer<'_>> = groups.iter().flat_map(answer).collect();
        actions.sort_by_key(|answer| answer.action);
        Self {
            ok: can_run,
            plugin: &plugin.manifest.name,
            version: plugin.manifest.version.to_string(),
            digest: &plugin.digest,
            trusted: plugin.distrust.is_none(),
            distrust: plugin.distrust.as_deref(),
            actions,
        }
    }
}

fn print(plugin: &Plugin, mut groups: Vec<Group<'_>>, can_run: bool) {
    let manifest = &plugin.manifest;
    terminal::print(format_args!(
        "{}@{} {}",
        manifest.name, manifest.version, plugin.digest
    ));
    if let Some(why) = &plugin.distrust {
        terminal::print(format_args!("NOT TRUSTED  {why}"));
    }
    groups.sort_by_key(|(names, _)| names.first().copied());
    // Those that other grants cover may stand alike as well.
    let mut told: Vec<Group<'_>> = Vec::new();
    for (names, rows) in groups {
        match told.iter_mut().find(|(_, known)| *known == rows) {
            Some((known, _)) => known.extend(names),
            None => told.push((names, rows)),
        }
    }
    for (mut names, rows) in told {
        names.sort();
        let names: Vec<&str> = names.into_iter().map(ActionName::as_str).collect();
        terminal::print(format_args!("\naction {}", names.join(", ")));
        if rows.is_empty() {
            terminal::print("asks for nothing and is granted nothing");
            continue;
        }
        let mut table = comfy_table::Table::new();
        table
            .load_preset(comfy_table::presets::NOTHING)
            .set_content_arrangement(comfy_table::ContentArrangement::Dynamic)
            .set_header(["", "about", "asked", "granted", "note"]);
        for row in rows {
            let kind = terminal::cell(&serde_json::to_value(row.kind).unwrap_or_default());
            table.add_row([
                word(row.finding),
                kind.as_str(),
                row.asked.as_deref().unwrap_or("-"),
                row.granted.as_deref().unwrap_or("-"),
                row.note.as_str(),
            ]);
        }
        terminal::print(table);
    }
    terminal::note(if can_run {
        "it can run under this policy"
    } else {
        "it cannot run, or not do its work, under this policy: see what is MISSING"
    });
}

const fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Missing => "MISSING",
        Finding::Wider => "WIDER",
        Finding::Unused => "no effect",
        Finding::Partly => "in part",
        Finding::Granted => "granted",
        Finding::Optional => "not granted",
    }
}
