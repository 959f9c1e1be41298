//! `wharf secret put|list|remove`: secrets that the controller keeps and cannot open.
//!
//! Sealing is done here, so that the value leaves this machine only as what the group's runners alone
//! can open. Which keys those are is the controller's word: they are shown, and can be pinned.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wharf_bundle::SigningKey;
use wharf_policy::{Digest, SecretName};
use wharf_protocol::GroupName;
use wharf_stores::{Label, PutAt, RunnerKey, SecretValue, put_at, recipients, seal};

use super::group::rows;
use super::keys::password;
use crate::client::{Client, Connection};
use crate::exit::{Context, Exit, Failure, Result};
use crate::{harden, terminal};

/// Which group, on which controller
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// Whose runners can open it
    #[arg(long, env = "WHARF_GROUP")]
    group: GroupName,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Seal a secret to the runners of a group and give it to the controller, which cannot open it
#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The name; a runner's policy says `from = "STORE:NAME"`
    name: SecretName,
    /// A file that holds the value, or - for stdin; asked for if left out
    #[arg(long, value_name = "FILE")]
    value: Option<PathBuf>,
    /// The key that signs it; runners open only what a key of their `[store.NAME]` has signed
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Seal to runners with these fingerprints only, as `wharf runner enroll` printed them; to all that
    /// the controller names if left out
    #[arg(long = "to", value_name = "FINGERPRINT")]
    to: Vec<String>,
    #[command(flatten)]
    at: Where,
}

impl Put {
    pub(crate) async fn run(self) -> Result<Exit> {
        harden::no_core_files();
        harden::private_memory();
        let client = Client::connect(&self.at.connection)?;
        let runners = self.runners(&client).await?;
        let value = self.value()?;
        let key = SigningKey::load(&self.key, &password("password of the key: ", false)?).or_exit(
            Exit::Usage,
            format_args!("cannot use {}", self.key.display()),
        )?;
        let label = Label {
            group: self.at.group.to_string(),
            name: self.name.clone(),
        };
        let (put, there) = self.later_than_what_is_there(&client, &label).await?;
        let sealed = seal(&label, put, &value, &runners).or_exit(Exit::Usage, "cannot seal it")?;
        let signature = wharf_bundle::sign(&sealed, &key).or_exit(Exit::Usage, "cannot sign it")?;
        let signature: Box<RawValue> =
            serde_json::from_slice(&signature).or_exit(Exit::Usage, "cannot sign it")?;
        let body = json!({ "sealed": STANDARD.encode(&sealed), "signature": signature });
        // Another `put` at the same time: each would take its value for the newer one.
        let there = there.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        let path = path(&self.at.group, Some(&self.name)) + "?replaces=" + &there;
        let body = body.to_string().into_bytes();
        let _: Value = client.put(&path, "application/json", body).await?;

        let fingerprints: Vec<_> = runners.iter().map(RunnerKey::to_string).collect();
        if self.at.json {
            terminal::print_json(
                &json!({ "name": self.name, "group": self.at.group, "sealed_to": fingerprints }),
            );
        } else {
            terminal::print(format_args!(
                "{} is sealed to {} runner(s) of group {}:",
                self.name,
                fingerprints.len(),
                self.at.group
            ));
            fingerprints.iter().for_each(terminal::print);
            terminal::note("a runner that joins later cannot open it: put it again then");
        }
        Ok(Exit::Done)
    }

    /// The keys to seal to: those that the controller names, all of which must be pinned if any is.
    async fn runners(&self, client: &Client) -> Result<Vec<RunnerKey>> {
        let listed: Value = client
            .get(&format!("/v1/runners?group={}", self.at.group))
            .await?;
        let keys = rows(&listed)
            .map(|runner| RunnerKey::from_base64(runner["public_key"].as_str().unwrap_or_default()))
            .collect::<Result<Vec<_>, _>>()
            .or_exit(
                Exit::Refused,
                "the controller lists a runner without a sound key",
            )?;
        if self.to.is_empty() {
            return Ok(keys);
        }
        let mut pinned: BTreeSet<&str> = self.to.iter().map(String::as_str).collect();
        let chosen: Vec<_> = keys
            .into_iter()
            .filter(|key| pinned.remove(key.to_string().as_str()))
            .collect();
        match pinned.first() {
            None => Ok(chosen),
            Some(missing) => Err(Failure::refused(format!(
                "the controller knows no runner of group {} with the key {missing}",
                self.at.group
            ))
            .help("compare with what `wharf runner enroll` printed on the runner")),
        }
    }

    /// Now, unless that is before what is there was put: runners take nothing older than what they took. With
    /// it the digest of what is there.
    async fn later_than_what_is_there(
        &self,
        client: &Client,
        label: &Label,
    ) -> Result<(PutAt, Option<Digest>)> {
        let listed: Value = client.get(&path(&self.at.group, None)).await?;
        let now = PutAt::now();
        if !rows(&listed).any(|secret| secret["name"] == self.name.as_str()) {
            return Ok((now, None));
        }
        let there = kept(client, &self.at.group, &self.name).await?;
        let digest = wharf_bundle::digest(&there);
        let put = match put_at(label, &there) {
            Ok(there) => {
                if there.is_far_ahead_of(now) {
                    terminal::note(format_args!(
                        "what the controller has for {label} says that it was put at {there}: no runner uses that, and it is passed over"
                    ));
                }
                later(label, there, now)?
            }
            // What cannot be read is nothing that a runner took.
            Err(_) => now,
        };
        Ok((put, Some(digest)))
    }

    fn value(&self) -> Result<SecretValue> {
        let bytes = match &self.value {
            Some(file) if file.as_os_str() != "-" => crate::local::read(file)?,
            None if std::io::stdin().is_terminal() => {
                let typed = rpassword::prompt_password(format!("value of {}: ", self.name));
                typed.or_exit(Exit::Usage, "no value")?.into_bytes()
            }
            _ => {
                let mut bytes = Vec::new();
                let mut stdin = std::io::stdin()
                    .lock()
                    .take(wharf_stores::LARGEST as u64 + 3);
                stdin
                    .read_to_end(&mut bytes)
                    .or_exit(Exit::Usage, "cannot read stdin")?;
                bytes
            }
        };
        let value = without_line_end(bytes);
        if value.len() < wharf_host::SHORTEST {
            return Err(Failure::usage(format!(
                "the value has {} bytes, and no run uses a secret of fewer than {}: it would be found in ordinary text",
                value.len(),
                wharf_host::SHORTEST
            )));
        }
        Ok(SecretValue::new(value))
    }
}

/// Editors and `echo` end a file with a line end that is not part of the secret.
fn without_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    for end in b"\n\r" {
        if bytes.last() == Some(end) {
            bytes.pop();
        }
    }
    bytes
}

/// List the sealed secrets of a group, and how many of its runners can open each
pub(crate) async fn list(at: Where) -> Result<Exit> {
    let client = Client::connect(&at.connection)?;
    let listed: Value = client.get(&path(&at.group, None)).await?;
    let runners: Value = client
        .get(&format!("/v1/runners?group={}", at.group))
        .await?;
    let mut secrets = Vec::new();
    for secret in rows(&listed) {
        let name: SecretName = secret["name"]
            .as_str()
            .unwrap_or_default()
            .parse()
            .or_exit(
                Exit::Unreachable,
                "the controller lists a secret without a name",
            )?;
        let sealed = kept(&client, &at.group, &name).await?;
        let label = Label {
            group: at.group.to_string(),
            name: name.clone(),
        };
        // What cannot be read, or says no time, no runner opens.
        let sealed_to = recipients(&label, &sealed).unwrap_or_else(|error| {
            terminal::note(format_args!("{error}"));
            Vec::new()
        });
        let sealed_to: BTreeSet<String> = sealed_to.iter().map(RunnerKey::to_string).collect();
        let without: Vec<&str> = rows(&runners)
            .filter(|runner| {
                RunnerKey::from_base64(runner["public_key"].as_str().unwrap_or_default())
                    .is_ok_and(|key| !sealed_to.contains(&key.to_string()))
            })
            .filter_map(|runner| runner["id"].as_str())
            .collect();
        secrets.push(json!({
            "name": name,
            "put_ms": secret["put_ms"],
            "sealed_to": sealed_to.len(),
            "runners_without": without.join(", "),
        }));
    }
    if at.json {
        terminal::print_json(&json!({ "secrets": secrets }));
    } else {
        let columns = ["name", "sealed_to", "runners_without"];
        terminal::print(terminal::table(&columns, secrets.iter()));
    }
    Ok(Exit::Done)
}

/// Take a sealed secret from the controller
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Which
    name: SecretName,
    #[command(flatten)]
    pub(crate) at: Where,
}

impl Remove {
    pub(crate) async fn run(self) -> Result<Exit> {
        let client = Client::connect(&self.at.connection)?;
        client
            .delete(&path(&self.at.group, Some(&self.name)))
            .await?;
        if self.at.json {
            terminal::print_json(&json!({ "removed": self.name }));
        } else {
            terminal::print(format_args!("{} is removed", self.name));
        }
        Ok(Exit::Done)
    }
}

impl Put {
    pub(crate) const fn wants_json(&self) -> bool {
        self.at.json
    }
}

/// When something is put in the place of what says that it was put at that time. That is the
/// controller's word: a clock is never to be set after it.
fn later(label: &Label, there: PutAt, now: PutAt) -> Result<PutAt> {
    // What is too far ahead no runner has used, so nothing has to be newer than it.
    if now > there || there.is_far_ahead_of(now) {
        return Ok(now);
    }
    Err(Failure::refused(format!(
        "what the controller has for {label} says that it was put at {there}, and here it is only {now}: runners that have used it would not take this as the newer one"
    ))
    .help(
        "nothing has verified that time: ask whoever put it last when that was, and if it was not then, ask whoever runs the controller; or put it again when that time is over",
    ))
}

/// What the controller keeps under a name.
async fn kept(client: &Client, group: &GroupName, name: &SecretName) -> Result<Vec<u8>> {
    let kept: Value = client.get(&path(group, Some(name))).await?;
    let sealed = kept["sealed"].as_str().unwrap_or_default();
    Ok(STANDARD.decode(sealed).unwrap_or_default())
}

/// The API's path of a group's secrets, or of one. Names have namespaces; a path segment has none.
fn path(group: &GroupName, name: Option<&SecretName>) -> String {
    let name = name.map(|name| format!("/{}", name.as_str().replace('/', "%2F")));
    format!("/v1/groups/{group}/secrets{}", name.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_of_whatever_system_is_no_part_of_a_value() {
        for (given, value) in [
            ("value", "value"),
            ("value\n", "value"),
            ("value\r\n", "value"),
            ("value\n\n", "value\n"),
            ("value\r\n\r\n", "value\r\n"),
            ("\n", ""),
            ("", ""),
        ] {
            let left = without_line_end(given.into());
            assert_eq!(left, value.as_bytes(), "{given:?}");
        }
    }

    #[test]
    fn nothing_is_put_with_a_time_that_runners_would_take_for_an_older_one() {
        let label = Label {
            group: "production".to_owned(),
            name: "db".parse().unwrap(),
        };
        let [there, before, after] = [1_000, 999, 1_001].map(PutAt::from_millis);
        assert!(later(&label, there, after).is_ok_and(|put| put == after));
        for now in [before, there] {
            let refused = format!("{:?}", later(&label, there, now).unwrap_err());
            for says in ["`db`", "00:00:01Z", "00:00:0", "ask whoever"] {
                assert!(refused.contains(says), "{says}: {refused}");
            }
            // A controller could have written that time so that somebody sets theirs after it.
            assert!(!refused.contains("clock"), "{refused}");
        }
    }

    #[test]
    fn a_time_that_no_runner_takes_keeps_nothing_from_being_put() {
        let label = Label {
            group: "production".to_owned(),
            name: "db".parse().unwrap(),
        };
        let day = 24 * 60 * 60 * 1000;
        let now = PutAt::from_millis(1_795_337_060_123);
        for ahead in [1_795_337_060_124 + day, 4_070_908_800_000, u64::MAX] {
            let put = later(&label, PutAt::from_millis(ahead), now);
            assert_eq!(put.unwrap(), now);
        }
        let within = PutAt::from_millis(1_795_337_060_123 + day);
        assert!(later(&label, within, now).is_err());
    }
}
