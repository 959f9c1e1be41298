//! `wharf policy`: what a policy file says, read as a runner reads it.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde_json::json;
use wharf_bundle::{KeySummary, RuleSummary, TrustPolicy};
use wharf_policy::{Digest, Moment, Policy, TrustRule, TrustedIdentity, TrustedKey};

use crate::exit::{Exit, Failure, Result};
use crate::{local, terminal};

/// How long before its end something is warned of: 30 days.
const SOON: i64 = 30 * 24 * 60 * 60;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read a policy with every key and trusted root that it names, and say what it means
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The policy
    #[arg(value_name = "FILE")]
    policy: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        let Self::Check(check) = self;
        check.json
    }

    pub(crate) fn run(self) -> Result<Exit> {
        let Self::Check(check) = self;
        check.run()
    }
}

impl Check {
    fn run(self) -> Result<Exit> {
        let (policy, trust) = local::load_policy(&self.policy).map_err(|mut failure| {
            // Here it is what was asked about, and nothing that it would let in is refused.
            failure.exit = Exit::Usage;
            failure
        })?;
        let warnings = warnings(&policy, &trust, now()?);
        let rules: Vec<RuleSummary> = trust.rules().collect();
        if self.json {
            terminal::print_json(&json!({
                "ok": true,
                "file": self.policy,
                "trust": rules,
                "grants": policy.grants.len(),
                "secrets": policy.secrets.len(),
                "warnings": warnings,
            }));
            return Ok(Exit::Done);
        }
        for rule in &rules {
            terminal::print(describe(rule));
        }
        terminal::print(format_args!(
            "{} grants, {} secrets",
            policy.grants.len(),
            policy.secrets.len()
        ));
        for warning in warnings {
            terminal::note(warning);
        }
        Ok(Exit::Done)
    }
}

fn now() -> Result<Moment> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .and_then(|seconds| Moment::from_unix(seconds).ok())
        .ok_or_else(|| Failure::usage("the clock of this machine is out of range"))
}

fn describe(rule: &RuleSummary) -> String {
    let mut lines = vec![format!(
        "{}: {} of these signers, trusted root {}",
        rule.plugins.join(", "),
        rule.require,
        rule.trusted_root
    )];
    lines.extend(signers("  ", &rule.keys, &rule.identities));
    for wanted in &rule.attestations {
        lines.push(format!("  attested  {}, by one of", wanted.predicate_type));
        lines.extend(signers("    ", &wanted.keys, &wanted.identities));
    }
    let evidence = rule
        .evidence
        .unwrap_or("a log entry of identities, nothing of keys");
    lines.push(format!("  evidence  {evidence}"));
    if let Some(minimum) = &rule.minimum_version {
        lines.push(format!("  version   {minimum} or newer"));
    }
    if rule.allow_older {
        lines.push("  older     than what was run before is let in".to_owned());
    }
    lines.extend(digests("pinned", &rule.pinned_digests));
    lines.extend(digests("denied", &rule.denied_digests));
    if let Some(until) = rule.valid_until {
        lines.push(format!("  ends      {until}"));
    }
    lines.join("\n")
}

fn signers(indent: &str, keys: &[KeySummary], identities: &[TrustedIdentity]) -> Vec<String> {
    let keys = keys.iter().map(|key| {
        let bound = |word: &str, moment: Option<Moment>| match moment {
            Some(moment) => format!("  {word} {moment}"),
            None => String::new(),
        };
        format!(
            "{indent}key       {}  {}{}{}",
            key.path,
            key.fingerprint,
            bound("from", key.not_before),
            bound("until", key.not_after)
        )
    });
    let identities = identities.iter().map(|identity| {
        let TrustedIdentity { issuer, subject } = identity;
        format!("{indent}identity  {subject}  by {issuer}")
    });
    keys.chain(identities).collect()
}

fn digests<'a>(word: &'a str, digests: &'a [Digest]) -> impl Iterator<Item = String> + 'a {
    let line = move |digest| format!("  {word}    {digest}");
    digests.iter().map(line)
}

/// What is right today and may surprise tomorrow.
fn warnings(policy: &Policy, trust: &TrustPolicy, now: Moment) -> Vec<String> {
    let mut warnings = Vec::new();
    if trust.rules().next().is_none() {
        warnings.push("it trusts nobody: no plugin will run under it".to_owned());
    }
    warnings.extend(ways_around(policy));
    for rule in &policy.trust {
        let plugins = rule.named();
        if let Some(until) = rule.valid_until {
            if until <= now {
                warnings.push(format!("the block for {plugins} ended at {until}"));
            } else if until <= now.plus(SOON) {
                warnings.push(format!("the block for {plugins} ends soon, at {until}"));
            }
        }
        let attesters = rule.attestations.iter().flat_map(|wanted| &wanted.keys);
        let keys = rule.keys.iter().chain(attesters);
        warnings.extend(keys.filter_map(|key| about_key(key, now)));
        for wanted in &rule.attestations {
            let (keys, identities) = match wanted.is_by_signers_of_the_block() {
                true => (&rule.keys, &rule.identities),
                false => (&wanted.keys, &wanted.identities),
            };
            if identities.is_empty() && !keys.iter().any(|key| key.is_trusted_at(now)) {
                warnings.push(format!(
                    "the block for {plugins} wants {} attested, and no key for that is trusted today",
                    wanted.predicate_type
                ));
            }
        }
        let usable = rule
            .keys
            .iter()
            .filter(|key| key.is_trusted_at(now))
            .count();
        if usable + rule.identities.len() < rule.require.get() as usize {
            warnings.push(format!(
                "the block for {plugins} asks for {} signers, and {} are trusted today",
                rule.require,
                usable + rule.identities.len()
            ));
        }
    }
    warnings
}

/// What is to be said of a key that is not simply trusted.
fn about_key(key: &TrustedKey, now: Moment) -> Option<String> {
    match (key.not_before, key.not_after) {
        (_, Some(end)) if end < now => {
            Some(format!("the key `{}` was trusted until {end}", key.path))
        }
        (_, Some(end)) if end <= now.plus(SOON) => Some(format!(
            "the key `{}` is trusted until {end} only",
            key.path
        )),
        (Some(start), _) if now < start => {
            Some(format!("the key `{}` is trusted from {start} on", key.path))
        }
        _ => None,
    }
}

/// Blocks that let in, without it, what another block wants attested.
fn ways_around(policy: &Policy) -> Vec<String> {
    let overlap = |one: &TrustRule, two: &TrustRule| {
        let pairs = one
            .plugins
            .iter()
            .flat_map(|a| two.plugins.iter().map(move |b| (a, b)));
        pairs.into_iter().any(|(a, b)| a.overlaps(b))
    };
    let mut ways = Vec::new();
    for strict in &policy.trust {
        for wanted in strict.attestations.iter().map(|a| &a.predicate_type) {
            for other in &policy.trust {
                let asks = other
                    .attestations
                    .iter()
                    .any(|a| a.predicate_type == *wanted);
                if !asks && overlap(strict, other) {
                    ways.push(format!(
                        "the block for {} lets in without the attestation {wanted}, which the block for {} asks for: ask for it in both, unless that is meant",
                        other.named(),
                        strict.named()
                    ));
                }
            }
        }
    }
    ways
}
