//! `wharf grant suggest`: from an audit record to a grant.
//!
//! A run that is refused says what it wanted, so a record of refused runs is enough: grant what is
//! suggested, run again, and the next suggestion goes as far as the run then came.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};
use wharf_audit::Record;
use wharf_policy::{ActionName, Observed, Policy, Rung};

use super::Plugin;
use crate::exit::{Context, Exit, Failure, Result};
use crate::{local, terminal};

/// The most different things of a record that are looked at: so many that runs did, and so many that are
/// known of where they led to.
const MOST: usize = 100_000;

#[derive(Debug, Args)]
pub(crate) struct Suggest {
    /// A packed plugin; its signature is expected beside it
    plugin: PathBuf,
    /// The action that was run
    #[arg(long)]
    action: ActionName,
    /// A record of runs of it: of a runner, or of `wharf run --audit`
    #[arg(long, value_name = "PATH")]
    audit: PathBuf,
    /// Only what this execution did [default: all of this action of this very component]
    #[arg(long, value_name = "ID")]
    execution: Option<String>,
    /// Whom to trust, and which secrets there are
    #[arg(long, env = "WHARF_POLICY", value_name = "FILE")]
    policy: PathBuf,
}

impl Suggest {
    pub(super) fn run(self) -> Result<Exit> {
        let (policy, trust) = local::load_policy(&self.policy)?;
        let plugin = Plugin::read(&self.plugin, &trust)?;
        plugin.known(&self.action)?;
        if let Some(why) = &plugin.distrust {
            return Err(Failure::refused(why)
                .help("what is not trusted does not run, whatever it is granted"));
        }
        let digest = plugin.digest.to_string();
        let mut observed = Seen::default();
        let mut lines = 0;
        wharf_audit::read(&self.audit, |record| {
            if self.is_about(&record, &digest) {
                lines += 1;
                seen(&record.event, &record.members)
                    .into_iter()
                    .for_each(|one| observed.add(one));
            } else if is_folded(&record) {
                observed.add(Observed::Untold);
            }
        })
        .or_exit(Exit::Refused, "the record does not hold")?;
        let suggestion = self.suggestion(&plugin, &policy, &observed);
        terminal::print(suggestion.trim_end());
        terminal::note(format_args!(
            "from {lines} lines about {} of {}; read it before you paste it, and see what `wharf grant check` says of it",
            self.action, plugin.manifest.name
        ));
        Ok(Exit::Done)
    }

    fn suggestion(&self, plugin: &Plugin, policy: &Policy, observed: &Seen) -> String {
        let subject = plugin.subject(&self.action);
        let mut suggestion = wharf_policy::suggest(&subject, policy, &observed.all);
        if observed.more > 0 {
            suggestion.notes.push(format!(
                "the record tells of more than {MOST} things, and {} times of one that is left out here: name one run with --execution",
                observed.more
            ));
        }
        suggestion.to_toml()
    }

    /// Whether a line is of a run of this action of this component.
    fn is_about(&self, record: &Record, digest: &str) -> bool {
        let action = Some(self.action.as_str());
        let ran = record.text("digest") == Some(digest) && record.text("action") == action;
        let wanted = self.execution.as_deref();
        ran && wanted.is_none_or(|execution| record.text("execution") == Some(execution))
    }
}

/// What a record tells, each thing once and no more than can be looked at.
#[derive(Debug, Default)]
struct Seen {
    all: Vec<Observed>,
    known: HashSet<Observed>,
    wanted: usize,
    addresses: usize,
    /// How often there was something beyond that.
    more: usize,
}

impl Seen {
    fn add(&mut self, one: Observed) {
        if self.known.contains(&one) {
            return;
        }
        // What is not to be suggested takes part, however much else there is.
        let count = match one {
            Observed::Address { .. } | Observed::Untold => &mut self.addresses,
            _ => &mut self.wanted,
        };
        if *count == MOST {
            self.more += 1;
            return;
        }
        *count += 1;
        self.known.insert(one.clone());
        self.all.push(one);
    }
}

/// What a line tells of what was used or wanted.
fn seen(event: &str, members: &Map<String, Value>) -> Vec<Observed> {
    let member = |name: &str| members.get(name);
    let text = |name| {
        member(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match event {
        "request" | "request-refused" => {
            let (method, destination) = (text("method"), text("destination"));
            // A request may have a method of that name; a connection has no scheme.
            let (wanted, place) = match method.as_str() {
                "TCP" if !destination.contains("://") => {
                    let place = format!("tcp://{destination}");
                    (Observed::Connection { destination }, place)
                }
                _ => {
                    let place = destination.clone();
                    let wanted = Observed::Request {
                        method,
                        destination,
                    };
                    (wanted, place)
                }
            };
            let mut all = vec![wanted.clone()];
            // A member of its own: words of a refusal may be the plugin's.
            all.extend(
                text("address")
                    .parse()
                    .ok()
                    .map(|address| Observed::Address {
                        destination: place,
                        address,
                    }),
            );
            let credentials = member("credentials").and_then(Value::as_array);
            for credential in credentials.into_iter().flatten() {
                let Some(used) = secret(&credential["secret"], &credential["rung"]) else {
                    continue;
                };
                if let (
                    Observed::Secret(secret, _),
                    Observed::Request {
                        method,
                        destination,
                    },
                ) = (&used, &wanted)
                {
                    all.push(Observed::Carried {
                        secret: secret.clone(),
                        method: method.clone(),
                        destination: destination.clone(),
                    });
                }
                all.push(used);
            }
            all
        }
        "special-address" => {
            let destination = text("origin");
            let address = text("address").parse();
            let led_to = |address| Observed::Address {
                destination,
                address,
            };
            address.map(led_to).into_iter().collect()
        }
        "secret-opened" | "secret-refused" | "secret-operated" => {
            let (name, rung) = (member("secret"), member("rung"));
            let both = name.zip(rung).and_then(|(name, rung)| secret(name, rung));
            both.into_iter().collect()
        }
        "secret-revealed" => {
            let rung = serde_json::to_value(Rung::Reveal).unwrap_or_default();
            let one = member("secret").and_then(|name| secret(name, &rung));
            one.into_iter().collect()
        }
        "refusals-untold" => vec![Observed::Untold],
        _ => Vec::new(),
    }
}

/// Whether a line counts refusals in runs that have no line of their own, of whatever run.
fn is_folded(record: &Record) -> bool {
    let of = record.text("of").unwrap_or_default();
    record.event == "refusals-folded"
        && ["request-refused", "secret-refused", "refusals-untold"].contains(&of)
}

fn secret(name: &Value, rung: &Value) -> Option<Observed> {
    let name = name.as_str()?.parse().ok()?;
    let rung = serde_json::from_value(rung.clone()).ok()?;
    Some(Observed::Secret(name, rung))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(event: &str, members: Value) -> Vec<Observed> {
        seen(event, members.as_object().unwrap())
    }

    #[test]
    fn a_connection_is_not_taken_for_a_request_and_its_refusal_tells_the_address_as_well() {
        let why = "db.internal resolves to 10.0.0.7: in the [[grant]] that has tcp = [{ host = \"db.internal\", ports = [1] }] the line networks = [\"10.0.0.7/32\"] would allow the address";
        let refused = json!({ "method": "TCP", "destination": "db.internal", "why": why, "address": "10.0.0.7" });
        let destination = "db.internal".to_owned();
        let wanted = [
            Observed::Connection { destination },
            Observed::Address {
                destination: "tcp://db.internal".to_owned(),
                address: "10.0.0.7".parse().unwrap(),
            },
        ];
        assert_eq!(of("request-refused", refused), wanted);
        let reached = json!({ "origin": "tcp://db.internal:5432", "address": "10.0.0.7" });
        let wanted = Observed::Address {
            destination: "tcp://db.internal:5432".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
        };
        assert_eq!(of("special-address", reached), [wanted]);
        let made = json!({ "method": "TCP", "destination": "db.internal:5432", "credentials": [] });
        let destination = "db.internal:5432".to_owned();
        assert_eq!(of("request", made), [Observed::Connection { destination }]);
    }

    #[test]
    fn no_words_of_a_refusal_are_taken_for_an_address() {
        let why =
            "GET https://a.test/networks = [\"10.0.0.7/32\"] is not allowed: no grant allows it";
        let destination = "https://a.test/".to_owned();
        let refused = json!({ "method": "GET", "destination": destination, "why": why });
        let method = "GET".to_owned();
        let wanted = Observed::Request {
            method,
            destination,
        };
        assert_eq!(of("request-refused", refused), [wanted]);
    }

    #[test]
    fn a_request_with_the_method_tcp_is_not_taken_for_a_connection() {
        let sent = json!({ "method": "TCP", "destination": "https://a.test/x", "credentials": [] });
        let wanted = Observed::Request {
            method: "TCP".to_owned(),
            destination: "https://a.test/x".to_owned(),
        };
        assert_eq!(of("request", sent), [wanted]);
    }

    #[test]
    fn a_request_tells_which_secrets_it_carried() {
        let credentials = [json!({ "secret": "token", "rung": "inject" })];
        let sent = json!({ "method": "GET", "destination": "https://a.test/x", "credentials": credentials });
        let told = of("request", sent);
        let carried = Observed::Carried {
            secret: "token".parse().unwrap(),
            method: "GET".to_owned(),
            destination: "https://a.test/x".to_owned(),
        };
        let used = Observed::Secret("token".parse().unwrap(), Rung::Inject);
        assert_eq!(told[1..], [carried, used]);
    }

    #[test]
    fn what_a_record_tells_again_is_looked_at_once_and_no_more_of_it_than_there_is_a_limit_for() {
        let request = |n: usize| Observed::Request {
            method: "GET".to_owned(),
            destination: format!("https://a.test/{n}"),
        };
        let mut seen = Seen::default();
        for n in (0..MOST).chain(0..MOST) {
            seen.add(request(n));
        }
        assert_eq!((seen.all.len(), seen.more), (MOST, 0));
        seen.add(request(MOST));
        seen.add(request(0));
        assert_eq!((seen.all.len(), seen.more), (MOST, 1));
        // Where they led to has room of its own.
        let destination = "https://a.test/0".to_owned();
        let address = "169.254.169.254".parse().unwrap();
        seen.add(Observed::Address {
            destination,
            address,
        });
        assert_eq!((seen.all.len(), seen.more), (MOST + 1, 1));
    }

    #[test]
    fn refusals_that_are_only_counted_are_seen() {
        let untold = json!({ "count": 7 });
        assert_eq!(of("refusals-untold", untold), [Observed::Untold]);
    }

    #[test]
    fn what_is_computed_with_a_secret_needs_its_rung() {
        let computed = json!({ "secret": "key", "rung": "operate", "operation": "hmac" });
        let wanted = [Observed::Secret("key".parse().unwrap(), Rung::Operate)];
        assert_eq!(of("secret-operated", computed), wanted);
    }
}
