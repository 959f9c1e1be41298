//! The one way out. Every request of every interface goes through [`send`].
//!
//! The order of its steps is the point: parse, check the rule, count, check the address, tell the
//! auditor, and only then add the credential. It follows no redirect, uses no proxy, decodes no
//! compression, and connects to no address that was not checked.

mod body;
mod client;
mod error;
mod headers;
mod inject;
mod resolve;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use tokio::time::Instant;
use url::{Host, Url};
use wasmtime_wasi_http::WasiBody;
use wharf_policy::{AddressClass, Rung, SecretName, Target, classify};

use crate::run::Run;
use crate::{AuditEvent, SecretUse};

pub(crate) use body::Body;
pub(crate) use client::Egress;
pub(crate) use error::EgressError;
pub use resolve::{Lookup, SystemLookup};
pub(crate) use traffic::Traffic;

/// What is told of a destination, at most, in bytes.
const SHOWN: usize = 512;

/// A request as a guest made it.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: OutBody,
    /// How long until the response begins; the deadline if none.
    pub(crate) first_byte: Option<Duration>,
    /// How long between parts of the response; the deadline if none.
    pub(crate) between_bytes: Option<Duration>,
}

/// The body of a request.
pub(crate) enum OutBody {
    None,
    Whole(Bytes),
    Stream(WasiBody),
}

/// A response, scrubbed, the body still coming.
pub(crate) struct Incoming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// Sends a request if the rights of the run allow it.
pub(crate) async fn send(
    run: &Arc<Run>,
    request: Outgoing,
    attach: Option<&SecretName>,
) -> Result<Incoming, EgressError> {
    run.traffic.request()?;
    let verb = request.method.clone();
    let method = verb.as_str();
    let target = Target::of(&request.url).map_err(|error| {
        let why = run.scrubber().scrub(&error.to_string()).into_owned();
        run.refused(AuditEvent::RequestDenied {
            method: method.to_owned(),
            destination: "a URL that cannot be used".to_owned(),
            why: why.clone(),
        });
        EgressError::Invalid(why)
    })?;
    let destination = shown(run, &target);
    let allowed = check(run, &request.method, &target)
        .and_then(|()| inject::plan(&run.rights, method, &target, attach));
    let plan = match allowed {
        Ok(plan) => plan,
        Err(error) => {
            let error = error.scrubbed(run.scrubber());
            run.refused(AuditEvent::RequestDenied {
                method: method.to_owned(),
                destination,
                why: error.to_string(),
            });
            return Err(error);
        }
    };
    let open = run.traffic.open()?;
    let uses = plan.iter().map(|binding| SecretUse {
        secret: binding.name.clone(),
        rung: if attach == Some(&binding.name) {
            Rung::Attach
        } else {
            Rung::Inject
        },
    });
    run.events
        .audit(AuditEvent::Request {
            method: method.to_owned(),
            destination: destination.clone(),
            credentials: uses.collect(),
        })
        .map_err(|error| EgressError::Denied(error.to_string()))?;
    dispatch(run, request, &target, &plan, open)
        .await
        .map_err(|error| {
            if let EgressError::Prohibited(why) = &error {
                run.refused(AuditEvent::RequestDenied {
                    method: method.to_owned(),
                    destination: destination.clone(),
                    why: run.scrubber().scrub(why).into_owned(),
                });
            }
            error
                .about(&format!("{method} {destination}"))
                .scrubbed(run.scrubber())
        })
}

/// Whether it may be sent, as far as can be told without looking up a name.
fn check(run: &Run, method: &Method, target: &Target) -> Result<(), EgressError> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return Err(EgressError::Invalid(format!(
            "{method} is a method for proxies and probes, which no plugin may use"
        )));
    }
    let literal = match target.host() {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Domain(_) => None,
    };
    if let Some(address) = literal {
        run.rights.networks().check(address).map_err(|why| {
            let what = format!("{method} {}", shown(run, target));
            EgressError::Prohibited(resolve::refusal(&what, target, address, why))
        })?;
    }
    run.rights
        .check_request(method.as_str(), target)
        .map_err(|denied| EgressError::Denied(denied.to_string()))
}

/// The destination as it is told: without query, scrubbed, and not too long.
fn shown(run: &Run, target: &Target) -> String {
    let text = format!("{}{}", target.origin(), target.path());
    let mut text = run.scrubber().scrub(&text).into_owned();
    if text.len() > SHOWN {
        text.truncate(text.floor_char_boundary(SHOWN));
        text.push('…');
    }
    text
}

/// Adds the credentials, sends, and gives the scrubbed head of the response.
async fn dispatch(
    run: &Arc<Run>,
    request: Outgoing,
    target: &Target,
    plan: &[&wharf_policy::SecretBinding],
    open: traffic::Open,
) -> Result<Incoming, EgressError> {
    let credentialed = !plan.is_empty();
    let mut headers = request.headers;
    headers::strip_request(&mut headers);
    inject::apply(&mut headers, plan, &run.secrets)?;
    if credentialed {
        // A compressed answer could not be searched for the credential.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    run.traffic
        .sent(headers::size(&headers) + request.url.as_str().len() as u64)?;

    let url = client::destination(request.url, target)?;
    let mut outgoing = reqwest::Request::new(request.method.clone(), url);
    *outgoing.headers_mut() = headers;
    *outgoing.body_mut() = body::request(request.body, &run.traffic)?;

    let client = run.services.egress.client(&run.rights)?;
    let begin = request
        .first_byte
        .and_then(|wait| Instant::now().checked_add(wait))
        .map_or(run.deadline, |at| at.min(run.deadline));
    let response = tokio::time::timeout_at(begin, client.execute(outgoing))
        .await
        .map_err(|_| EgressError::Timeout)?
        .map_err(|error| run.traffic.explain(EgressError::of(&error, target)))?;
    if let Some(peer) = response.remote_addr() {
        // The connector checked it. If it ever did not, nothing comes back.
        run.rights.networks().check(peer.ip()).map_err(|why| {
            EgressError::Prohibited(resolve::refusal("the request", target, peer.ip(), why))
        })?;
        if matches!(classify(peer.ip()), AddressClass::Special(_)) {
            run.reached(&target.origin(), peer.ip());
        }
    }

    let (parts, body) = ::http::Response::<reqwest::Body>::from(response).into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(EgressError::Protocol(
            "the server changes the protocol".to_owned(),
        ));
    }
    if credentialed && headers::is_encoded(parts.headers.get(CONTENT_ENCODING)) {
        return Err(EgressError::Protocol(
            "the server answered compressed although it was asked not to, and such an answer cannot be searched for the credential".to_owned(),
        ));
    }
    let mut headers = parts.headers;
    headers::strip_response(&mut headers);
    run.traffic.received(headers::size(&headers))?;
    headers::scrub(&mut headers, run.scrubber());
    if !run.scrubber().is_empty() && request.method != Method::HEAD {
        // What is removed changes the length of what comes.
        headers.remove(CONTENT_LENGTH);
    }
    Ok(Incoming {
        status: parts.status,
        headers,
        body: Body::new(run, body, open, request.between_bytes),
    })
}
