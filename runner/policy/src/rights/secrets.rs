//! Who lets a plugin use a secret, who said no, and what would allow it.
//!
//! A refusal never tells whether there is a secret of some name that is not granted.

use serde::Serialize;

use super::refusal::{Says, places};
use crate::check::as_toml;
use crate::{Denied, Operation, Rung, SecretAsk, SecretBinding, SecretGrant, SecretName};

/// The longest name that is told of a secret that is not granted, in bytes: any that a secret can
/// have.
const NAME: usize = 128;

/// What manifest, grants and call each say of secrets: kept apart, so that a refusal can tell which
/// of them said no.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(super) struct Said {
    pub(super) asked: Vec<SecretAsk>,
    pub(super) granted: Vec<SecretGrant>,
    /// None where the call does not restrict itself.
    pub(super) called: Option<Vec<SecretName>>,
}

impl Said {
    /// What all three allow to be done with it, in order.
    pub(super) fn rungs(&self, name: &SecretName) -> Vec<Rung> {
        let mut rungs: Vec<Rung> = self
            .granted
            .iter()
            .filter(|secret| secret.name == *name)
            .flat_map(|secret| secret.rungs.iter().copied())
            .filter(|rung| self.asks(name, *rung) && self.calls(name))
            .collect();
        rungs.sort();
        rungs.dedup();
        rungs
    }

    fn asks(&self, name: &SecretName, rung: Rung) -> bool {
        self.asked.iter().any(|ask| ask.covers(name, rung))
    }

    fn grants(&self, name: &SecretName, rung: Rung) -> bool {
        let grants = |secret: &SecretGrant| secret.name == *name && secret.rungs.contains(&rung);
        self.granted.iter().any(grants)
    }

    fn calls(&self, name: &SecretName) -> bool {
        self.called
            .as_ref()
            .is_none_or(|names| names.contains(name))
    }

    /// The refusal of a secret that not all three allow.
    pub(super) fn refusal(&self, name: &str, rung: Rung) -> Denied {
        // The plugin's word, and as long as it likes. Whole or not at all, as a path.
        let shown = match name.len() {
            0..=NAME => name.escape_default().to_string(),
            long => format!("… ({long} bytes)"),
        };
        let (why, hint) = match name.parse::<SecretName>() {
            Ok(name) => (self.why(&name, rung), self.hint(&name, rung)),
            Err(_) => (
                "no secret has such a name",
                "no line of a policy allows it".to_owned(),
            ),
        };
        Denied {
            what: format!("to {rung} the secret `{shown}`"),
            why: why.to_owned(),
            hint,
            address: None,
        }
    }

    /// The first of the three that said no.
    fn why(&self, name: &SecretName, rung: Rung) -> &'static str {
        if !self.asks(name, rung) {
            "the plugin's manifest does not ask for it"
        } else if !self.grants(name, rung) {
            "no grant allows it"
        } else {
            "the call restricts itself to other secrets"
        }
    }

    /// Everything that is missing, because with less it would be refused again.
    fn hint(&self, name: &SecretName, rung: Rung) -> String {
        let asked = Says::of(&self.asked, |ask| ask.covers(name, rung));
        let grants = self.grants(name, rung);
        let mut needs = Vec::new();
        // What the call says of secrets is another line.
        let places = places(&asked, grants, &Says::ANYTHING);
        if !places.is_empty() {
            needs.push(format!(
                "{places} secrets = [{{ name = \"{name}\", rungs = [\"{rung}\"] }}]"
            ));
        }
        if !grants {
            needs.push(match rung {
                Rung::Inject | Rung::Attach => {
                    "with a [[secret]] block of that name that has `to`".to_owned()
                }
                Rung::Operate => {
                    "with a [[secret]] block of that name that lists the operation in `operations`"
                        .to_owned()
                }
                Rung::Reveal => "with a [[secret]] block of that name".to_owned(),
            });
        }
        if !self.calls(name) {
            needs.push(format!(
                "in the call's rights secrets = [\"{name}\"] beside those that it has"
            ));
        }
        format!("{} would allow it", needs.join(", "))
    }
}

/// The refusal of an operation that the block of a secret does not list.
pub(super) fn unlisted(binding: &SecretBinding, operation: Operation) -> Denied {
    let forges = matches!(operation, Operation::Hmac | Operation::Sign);
    let hint = if forges && !binding.jwt.is_open() {
        // Beside them the rules for tokens would not hold, and no policy that says both is taken.
        format!(
            "with it any token could be made, whatever `jwt` says there: bind the key again under another name, in a [[secret]] block without `jwt` where operations = [\"{operation}\"], and grant that one to a plugin that may make any"
        )
    } else {
        let mut all = binding.operations.clone();
        all.push(operation);
        let to = if operation.needs_destination() && binding.to.is_empty() {
            ", with `to` for where it may go,"
        } else {
            ""
        };
        format!("there operations = {}{to} would allow it", as_toml(&all))
    };
    Denied {
        what: format!("{operation} with the secret `{}`", binding.name),
        why: "its [[secret]] block does not list it".to_owned(),
        hint,
        address: None,
    }
}
