//! A suggestion as text to read and to paste.

use std::fmt::Write as _;

use super::{NOWHERE, Suggestion, Unbound};
use crate::check::as_toml;
use crate::{Grant, Rung};

impl Suggestion {
    /// As a policy file has it, with the notes as comments.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for note in &self.notes {
            let _ = writeln!(text, "# {}", note.replace(char::is_control, " "));
        }
        for Unbound { name, to } in &self.unbound {
            let (say, to) = match &to[..] {
                [] => (
                    ", and where it may go",
                    format!("[{{ origin = \"{NOWHERE}\" }}]"),
                ),
                to => (
                    ", and what it is on a request, if no bearer token (`as`); it went where `to` says",
                    as_toml(&to),
                ),
            };
            let _ = writeln!(
                text,
                "# Say where the value of `{name}` is{say}.\n[[secret]]\nname = \"{name}\"\nfrom = \"file:{}.secret\"\nto = {to}",
                name.as_str().replace('/', "-")
            );
            let mut granted = self.grants.iter().flat_map(|grant| &grant.secrets);
            if granted.any(|secret| secret.name == *name && secret.rungs.contains(&Rung::Operate)) {
                text.push_str(
                    "operations = []  # say what may be computed with it, such as \"hmac\"\n",
                );
            }
            text.push('\n');
        }
        let mut between = "";
        for grant in &self.grants {
            let _ = write!(text, "{between}{}", as_block(grant));
            between = "\n";
        }
        text
    }
}

/// A grant as a `[[grant]]` block.
fn as_block(grant: &Grant) -> String {
    let mut text = String::new();
    let list = |items: Vec<String>| items.join(", ");
    let quoted = |item: String| toml::Value::String(item).to_string();
    let _ = writeln!(
        text,
        "[[grant]]\nplugins = [{}]\nactions = [{}]",
        list(
            grant
                .plugins
                .iter()
                .map(|p| quoted(p.to_string()))
                .collect()
        ),
        list(
            grant
                .actions
                .iter()
                .map(|a| quoted(a.to_string()))
                .collect()
        ),
    );
    if !grant.http.is_empty() {
        let rules: String = grant
            .http
            .iter()
            .map(|rule| format!("  {},\n", as_toml(rule)))
            .collect();
        let _ = writeln!(text, "http = [\n{rules}]");
    }
    if !grant.tcp.is_empty() {
        let rules = grant.tcp.iter().map(as_toml).collect();
        let _ = writeln!(text, "tcp = [{}]", list(rules));
    }
    let networks: Vec<_> = grant
        .networks
        .iter()
        .map(|net| quoted(net.to_string()))
        .collect();
    if !networks.is_empty() {
        let _ = writeln!(text, "networks = [{}]", list(networks));
    }
    if !grant.secrets.is_empty() {
        let secrets = grant.secrets.iter().map(|secret| {
            let rungs = secret
                .rungs
                .iter()
                .map(|rung| format!("\"{rung}\""))
                .collect();
            format!(
                "{{ name = \"{}\", rungs = [{}] }}",
                secret.name,
                list(rungs)
            )
        });
        let _ = writeln!(text, "secrets = [{}]", list(secrets.collect()));
    }
    text
}
