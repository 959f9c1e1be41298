//! What the imports of a component need to be linked at all.

use super::NOWHERE;
use super::notes::{About, Notes};
use super::requests::narrowest;
use super::secrets::Secrets;
use crate::{HttpRule, Interface, Policy, Rung, SecretPattern, Subject};

/// What an import needs to be linked, where nothing that was observed does that, and what is to be
/// said of it.
pub(super) fn link(
    import: &str,
    subject: &Subject<'_>,
    policy: &Policy,
    rules: &mut Vec<HttpRule>,
    secrets: &mut Secrets,
    notes: &mut Notes,
) {
    let (sends, rung) = match Interface::of_import(import) {
        None => {
            notes.add(About::Import, format!(
                "no grant links {import}: this host offers it to no plugin, or not in that version"
            ));
            return;
        }
        Some(Interface::Config) => return settings(import, subject, policy, notes),
        Some(Interface::Http | Interface::WasiHttp) => (true, None),
        Some(Interface::HttpCredentials) => (true, Some(Rung::Attach)),
        Some(Interface::SignedHttp) => (true, Some(Rung::Operate)),
        Some(Interface::Secrets) => (false, Some(Rung::Operate)),
        Some(Interface::Reveal) => (false, Some(Rung::Reveal)),
        Some(_) => return,
    };
    if sends && subject.asks.http.is_empty() {
        notes.add(About::Import, unlinked(import, "for `http`"));
    } else if sends && rules.is_empty() {
        notes.add(About::Import, format!(
            "it was not seen to send anything that can be suggested: the rule for {NOWHERE} only links {import}; run it again to see where it goes"
        ));
        rules.extend(narrowest("GET", NOWHERE).map(|wanted| wanted.rule).ok());
    }
    if let Some(rung) = rung {
        secret(import, rung, subject, secrets, notes);
    }
}

fn unlinked(import: &str, ask: &str) -> String {
    format!("no grant links {import}: the manifest does not ask {ask} in its [capabilities]")
}

/// The settings are the operator's words, and no record has them.
fn settings(import: &str, subject: &Subject<'_>, policy: &Policy, notes: &mut Notes) {
    let there = |grant: &crate::Grant| {
        !grant.config.is_empty() && grant.covers(subject.plugin, subject.action)
    };
    if !subject.asks.config {
        notes.add(About::Import, unlinked(import, "for `config`"));
    } else if !policy.grants.iter().any(there) {
        notes.add(About::Import, format!(
            "{import} needs settings to be linked, and they are yours to choose: add `config = {{ name = \"value\" }}` to a [[grant]], with those that the plugin reads"
        ));
    }
}

/// A secret on a rung, without which the import is not linked.
fn secret(
    import: &str,
    rung: Rung,
    subject: &Subject<'_>,
    secrets: &mut Secrets,
    notes: &mut Notes,
) {
    if secrets.has(rung) {
        return;
    }
    let asks = subject.asks.secrets.iter();
    let asks = asks.filter(|ask| ask.rungs.contains(&rung));
    let names: Vec<&SecretPattern> = asks.map(|ask| &ask.name).collect();
    let named = names.iter().find_map(|name| match name {
        SecretPattern::Exactly(name) => Some(name),
        SecretPattern::Any => None,
    });
    match named {
        Some(name) => {
            notes.add(About::Import, format!("{import} needs a secret to be linked: `{name}` is the one that the manifest asks for"));
            secrets.add(name, rung);
        }
        None if names.is_empty() => {
            notes.add(About::Import, unlinked(import, &format!("for a secret with rung `{rung}`")));
        }
        None => notes.add(About::Import, format!(
            "{import} needs a secret to be linked, and the manifest leaves to you which: grant one with rungs = [\"{rung}\"]"
        )),
    }
}
