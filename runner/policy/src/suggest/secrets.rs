//! The secrets that were used or wanted, and what their `[[secret]]` blocks need for that.

use std::collections::{BTreeMap, BTreeSet};

use super::notes::{About, Notes, beyond};
use super::requests::{Wanted, merged};
use crate::check::as_toml;
use crate::{HttpRule, Policy, Rung, SecretBinding, SecretGrant, SecretName};

/// The most secrets. A run has far fewer, unless it guesses names.
const MOST: usize = 256;

/// A secret that the policy has no `[[secret]]` block for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbound {
    /// Its name.
    pub name: SecretName,
    /// The requests that carried it, as far as the record tells.
    pub to: Vec<HttpRule>,
}

/// Secrets, each with its rungs, and with the requests that carried it.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    rungs: BTreeMap<SecretName, BTreeSet<Rung>>,
    carried: BTreeMap<SecretName, Vec<Wanted>>,
}

impl Secrets {
    pub(super) fn add(&mut self, name: &SecretName, rung: Rung) {
        self.rungs.entry(name.clone()).or_default().insert(rung);
    }

    /// A request that carried it.
    pub(super) fn carried_by(&mut self, name: &SecretName, request: Wanted) {
        self.carried.entry(name.clone()).or_default().push(request);
    }

    /// Whether any is on that rung.
    pub(super) fn has(&self, rung: Rung) -> bool {
        self.rungs.values().any(|rungs| rungs.contains(&rung))
    }

    /// What to grant of them, and those that need a block first. What no policy would be taken with
    /// is left out, and told of.
    pub(super) fn settle(
        mut self,
        policy: &Policy,
        mut allowed: impl FnMut(Vec<Wanted>, &mut Notes) -> Vec<HttpRule>,
        notes: &mut Notes,
    ) -> (Vec<SecretGrant>, Vec<Unbound>) {
        let mut wanted: Vec<_> = self.rungs.into_iter().collect();
        // What is only guessed comes last, and takes nobody's room.
        wanted.sort_by_cached_key(|(name, _)| {
            let is_unbound = policy.secret(name).is_none();
            (is_unbound, !self.carried.contains_key(name))
        });
        if let Some(more) = beyond(wanted.len(), MOST) {
            notes.add(
                About::LeftOut,
                format!("it wanted more secrets than {MOST}, and {more} of them are left out"),
            );
            wanted.truncate(MOST);
        }
        let (mut granted, mut unbound) = (Vec::new(), Vec::new());
        for (name, mut rungs) in wanted {
            let carried = self.carried.remove(&name).unwrap_or_default();
            let who = format!("with the secret `{name}` it");
            let to = merged(allowed(carried, notes), &who, notes);
            match policy.secret(&name) {
                None => unbound.push(Unbound {
                    name: name.clone(),
                    to,
                }),
                Some(binding) if binding.to.is_empty() => {
                    without_to(binding, &mut rungs, &to, notes)
                }
                Some(binding) => elsewhere(binding, &to, notes),
            }
            if rungs.contains(&Rung::Reveal) {
                notes.add(
                    About::Secret,
                    format!(
                        "`reveal` gives the plugin the value of `{name}`, and it can do with it what it likes"
                    ),
                );
            }
            if !rungs.is_empty() {
                granted.push(SecretGrant {
                    name,
                    rungs: rungs.into_iter().collect(),
                });
            }
        }
        granted.sort_by(|one, other| one.name.cmp(&other.name));
        unbound.sort_by(|one, other| one.name.cmp(&other.name));
        (granted, unbound)
    }
}

/// Leaves out the rungs that no policy grants of a secret that may go nowhere.
fn without_to(
    binding: &SecretBinding,
    rungs: &mut BTreeSet<Rung>,
    to: &[HttpRule],
    notes: &mut Notes,
) {
    let (name, all) = (&binding.name, rungs.clone());
    rungs.retain(|rung| !binding.is_refused_without_to(*rung));
    for rung in all.difference(rungs) {
        let needed = match to {
            [] => "say there where it may go".to_owned(),
            to => format!("there to = {} is where it went", as_toml(&to)),
        };
        notes.add(
            About::Secret,
            format!(
                "`{rung}` of the secret `{name}` is left out: its [[secret]] block has no `to`, and no policy is taken that grants this without one; {needed}, and see then what is suggested"
            ),
        );
    }
}

/// Tells of requests that carried a secret and that its block does not let carry it now.
fn elsewhere(binding: &SecretBinding, to: &[HttpRule], notes: &mut Notes) {
    // Method by method: several rules of the block may cover what is one here.
    let covered = |rule: &HttpRule| binding.to.iter().any(|one| one.covers(rule));
    let uncovered = |rule: &HttpRule| {
        let mut parts = rule.by_method();
        parts.retain(|part| !covered(part));
        (!parts.is_empty()).then(|| HttpRule {
            methods: parts.into_iter().flat_map(|part| part.methods).collect(),
            ..rule.clone()
        })
    };
    let rest: Vec<HttpRule> = to.iter().filter_map(uncovered).collect();
    if !rest.is_empty() {
        notes.add(
            About::Secret,
            format!(
                "requests carried the secret `{}` that its [[secret]] block does not let carry it: there to = {} beside those that it has would allow it",
                binding.name,
                as_toml(&rest)
            ),
        );
    }
}
