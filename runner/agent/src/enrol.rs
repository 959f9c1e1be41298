//! Enrolment: a short-lived token, once, for a public key that the runner has just made.

use std::path::PathBuf;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use wharf_protocol::{GroupName, RunnerId};
use wharf_stores::{RunnerKey, why_it_failed};

use crate::AgentError;
use crate::connection::{host_name, platform};
use crate::controller::{client, error_message};
use crate::endpoint::Endpoint;
use crate::identity::{Card, key_of, read_card, write_card};
use crate::private_file::{lock, private_folder};
use crate::tls;

/// The largest answer that is read.
const ANSWER: usize = 64 << 10;

/// What enrolment needs.
#[derive(Clone)]
pub struct EnrolRequest {
    /// Where the controller is: `https://HOST[:PORT]`, or `http` on this machine.
    pub url: String,
    /// The enrolment token of a group.
    pub token: String,
    /// Where the runner keeps what it is and has.
    pub state_dir: PathBuf,
    /// Certificate roots (PEM) beside those of the system.
    pub ca_bundle: Option<PathBuf>,
}

/// A runner that has been enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Its id.
    pub runner: RunnerId,
    /// Its group.
    pub group: GroupName,
    /// The controller's own id.
    pub controller: String,
    /// The key that the runner made for itself: what secrets are sealed to.
    pub key: RunnerKey,
}

#[derive(Serialize)]
struct Ask<'a> {
    token: &'a str,
    public_key: String,
    host: String,
    platform: String,
    version: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    runner: RunnerId,
    group: GroupName,
    controller: String,
}

/// Makes this folder a runner of the token's group. The private key never leaves it.
///
/// # Errors
/// The folder already is a runner, the address is not safe, or the controller says no.
pub async fn enrol(request: EnrolRequest) -> Result<Enrolled, AgentError> {
    let endpoint = Endpoint::parse(&request.url)?;
    let tls = match (endpoint.secure(), &request.ca_bundle) {
        (true, extra) => Some(tls::client(extra.as_deref())?),
        (false, _) => None,
    };
    private_folder(&request.state_dir)?;
    let _lock = lock(&request.state_dir)?;
    if let Some(card) = read_card(&request.state_dir)? {
        return Err(AgentError::AlreadyEnrolled {
            folder: request.state_dir,
            runner: card.runner.to_string(),
        });
    }
    let key = key_of(&request.state_dir)?;
    let ask = Ask {
        token: &request.token,
        public_key: base64::engine::general_purpose::STANDARD
            .encode(key.verifying_key().as_bytes()),
        host: host_name(),
        platform: platform(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let unreachable = |reason: String| AgentError::Unreachable {
        url: endpoint.shown().to_owned(),
        reason,
    };
    let mut response = client(&endpoint, tls.as_deref())?
        .post(endpoint.http("v1/runners/enrol"))
        .json(&ask)
        .send()
        .await
        .map_err(|error| unreachable(why_it_failed(&error)))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response
        .chunk()
        .await
        .map_err(|error| unreachable(why_it_failed(&error)))?
    {
        if body.len() + part.len() > ANSWER {
            return Err(unreachable("its answer is too long".to_owned()));
        }
        body.extend_from_slice(&part);
    }
    if !status.is_success() {
        return Err(AgentError::Rejected(format!(
            "{status}: {}",
            error_message(&body)
        )));
    }
    let answer: Answer = serde_json::from_slice(&body)
        .map_err(|error| unreachable(format!("its answer is not one: {error}")))?;
    let card = Card {
        runner: answer.runner,
        group: answer.group,
        controller: answer.controller,
        url: request.url,
    };
    write_card(&request.state_dir, &card)?;
    Ok(Enrolled {
        runner: card.runner,
        group: card.group,
        controller: card.controller,
        key: RunnerKey::of(&key),
    })
}
