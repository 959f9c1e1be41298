//! Refusals of destinations, of a run and of its credentials: who said no, and the line that would
//! allow it.

use std::borrow::Cow;

use url::Host;

use crate::check::as_toml;
use crate::granted::Granted;
use crate::suggest::rule_for;
use crate::{Denied, HttpRule, PathPrefix, Rung, SecretBinding, Target, ambiguous};

/// What is told of a path, at most, in bytes.
const SHOWN: usize = 256;
/// The port of a rule that only lets a name be looked up: nothing of today listens there.
pub(crate) const LOOKUP: u16 = 1;

/// A path as it is told: whole, or only its length. Whoever scrubs secrets out of a refusal knows
/// them whole, and would not find a part of one.
fn told(path: &str) -> Cow<'_, str> {
    if path.len() <= SHOWN {
        path.into()
    } else {
        format!("/… (a path of {} bytes)", path.len()).into()
    }
}

/// The narrowest rule for a request that can be told: none has a part of a path.
fn line_for(method: &str, target: &Target) -> Option<HttpRule> {
    let mut rule = rule_for(method, target)?;
    if target.path().len() > SHOWN {
        rule.path = PathPrefix::default();
    }
    Some(rule)
}

/// What a manifest or a call says of a destination.
pub(super) struct Says {
    allows: bool,
    /// Whether it names others, beside which a line for this one has to go.
    others: bool,
}

impl Says {
    pub(super) fn of<R>(rules: &[R], fits: impl Fn(&R) -> bool) -> Self {
        Self {
            allows: rules.iter().any(fits),
            others: !rules.is_empty(),
        }
    }

    /// Of a call that does not restrict itself.
    pub(super) const ANYTHING: Self = Self {
        allows: true,
        others: false,
    };
}

/// Where a line is missing: in which of manifest, grant and call.
pub(super) fn places(asked: &Says, granted: bool, called: &Says) -> String {
    let beside = |others: bool| match others {
        true => " beside those that it has",
        false => "",
    };
    let mut places = Vec::new();
    if !asked.allows {
        let beside = beside(asked.others);
        places.push(format!("in the manifest's [capabilities]{beside}"));
    }
    if !granted {
        places.push("in a [[grant]] for this plugin".to_owned());
    }
    if !called.allows {
        places.push(format!("in the call's rights{}", beside(called.others)));
    }
    places.join(" and ")
}

/// A destination that not all three of manifest, grant and call allow.
pub(super) struct Refusal {
    /// The first that does not.
    why: &'static str,
    /// All that do not: with less than all it would be refused again.
    places: String,
}

/// What is granted, if all three agree.
///
/// # Errors
/// Which do not.
pub(super) fn decide<'r>(
    asked: &Says,
    granted: Option<Granted<'r>>,
    called: &Says,
) -> Result<Granted<'r>, Refusal> {
    let places = places(asked, granted.is_some(), called);
    let why = match (asked.allows, granted, called.allows) {
        (true, Some(granted), true) => return Ok(granted),
        (false, ..) => "the plugin's manifest does not ask for it",
        (true, None, _) => "no grant allows it",
        (true, Some(_), false) => "the call restricts itself to other destinations",
    };
    Err(Refusal { why, places })
}

/// That a line allows a request with that path, and how much more where no rule can say less.
fn allows(path: &str, line: &str) -> String {
    match ambiguous(path) {
        Some(why) => format!(
            "{why}, so that a server may read another path, and it is below none but `/`: {line} would allow every path"
        ),
        None if path.len() > SHOWN => format!(
            "{line} would allow every path, and with a `path` in it that covers this one, that one"
        ),
        None => format!("{line} would allow it"),
    }
}

/// The refusal of a request that a secret is not for.
pub(crate) fn of_credential(
    binding: &SecretBinding,
    rung: Rung,
    method: &str,
    target: &Target,
) -> Denied {
    let (name, origin, path) = (&binding.name, target.origin(), target.path());
    let place = format!("in the [[secret]] block of `{name}`");
    let line = match line_for(method, target) {
        Some(rule) => format!("{place} to = [{}]", as_toml(&rule)),
        None => format!("{place} in `to` a rule for {origin}"),
    };
    // Read as a replacement it would take away from what the binding allows now.
    let beside = if binding.to.is_empty() {
        ""
    } else {
        " beside those that it has"
    };
    Denied {
        what: format!(
            "to {rung} the secret `{name}` to {method} {origin}{}",
            told(path)
        ),
        why: "its [[secret]] block names other destinations".to_owned(),
        hint: allows(path, &format!("{line}{beside}")),
        address: None,
    }
}

impl Refusal {
    pub(super) fn of_request(&self, method: &str, target: &Target) -> Denied {
        let Self { why, places } = self;
        let (origin, path) = (target.origin(), target.path());
        let line = match line_for(method, target) {
            Some(rule) => format!("{places} http = [{}]", as_toml(&rule)),
            None => format!("{places} a rule for {origin}"),
        };
        let hint = allows(path, &line);
        Denied {
            what: format!("{method} {origin}{}", told(path)),
            why: (*why).to_owned(),
            hint,
            address: None,
        }
    }

    pub(super) fn of_connection(&self, host: &Host<String>, port: Option<u16>) -> Denied {
        let Self { why, places } = self;
        let line =
            |port: u16| format!("{places} tcp = [{{ host = \"{host}\", ports = [{port}] }}]");
        let (what, hint) = match port {
            Some(port) => (
                format!("TCP to {host}:{port}"),
                format!("{} would allow it", line(port)),
            ),
            // A name is looked up for any port, and which is wanted then is not known yet.
            None => (
                format!("looking up {host} for TCP"),
                format!(
                    "{} would allow the lookup alone: write the ports that are to be connected to in place of {LOOKUP}",
                    line(LOOKUP)
                ),
            ),
        };
        Denied {
            what,
            why: (*why).to_owned(),
            hint,
            address: None,
        }
    }
}
