//! The one way out. Every request of every interface goes through [`send`].
//!
//! The order of its steps is the point: parse, check the rule, count, check the address, tell the
//! auditor, and only then add the credential. It follows no redirect, uses no proxy, decodes no
//! compression, and connects to no address that was not checked.

mod body;
mod client;
mod connections;
mod elsewhere;
mod error;
mod headers;
mod inject;
mod parse;
mod resolve;
mod traffic;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, IF_RANGE, RANGE};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use tokio::time::Instant;
use url::{Host, Url};
use wasmtime_wasi_http::WasiBody;
use wharf_policy::{AddressClass, Granted, Target, classify};

use crate::run::Run;
use crate::{AuditEvent, SecretUse};

pub(crate) use body::Body;
pub(crate) use client::Egress;
pub(crate) use connections::Open;
pub(crate) use error::EgressError;
pub(crate) use inject::{AwsCredentials, Guest, Manner};
pub(crate) use parse::url;
pub(crate) use resolve::Share;
pub use resolve::{Lookup, SystemLookup};
pub(crate) use traffic::Traffic;

use connections::To;
use inject::Planned;

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
    /// How long between parts of the response; as long as the limits allow if none.
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
    guest: Guest<'_>,
) -> Result<Incoming, EgressError> {
    if run.is_over() {
        return Err(EgressError::Denied("the execution is over".to_owned()));
    }
    run.traffic.request()?;
    let verb = request.method.clone();
    let method = verb.as_str();
    let told = told_method(run, &verb);
    let target = Target::of(&request.url).map_err(|error| {
        let why = run.name_scrubber().scrub(&error.to_string()).into_owned();
        run.refused(AuditEvent::RequestDenied {
            method: told.clone(),
            destination: "a URL that cannot be used".to_owned(),
            why: why.clone(),
        });
        EgressError::Invalid(why)
    })?;
    let destination = shown(run, &target);
    let allowed = check(run, &request.method, &target).and_then(|granted| {
        let plan = inject::plan(&run.rights, method, &target, guest)?;
        elsewhere::check(&run.rights, method, &request.url, &plan, &request.headers)?;
        Ok((granted, plan))
    });
    let (granted, plan) = match allowed {
        Ok(allowed) => allowed,
        Err(error) => {
            let error = error.scrubbed(run.name_scrubber());
            run.refused(AuditEvent::RequestDenied {
                method: told.clone(),
                destination,
                why: error.to_string(),
            });
            return Err(error);
        }
    };
    let place = run.traffic.open()?;
    let uses = plan.iter().map(|planned| SecretUse {
        secret: planned.binding.name.clone(),
        rung: planned.rung,
    });
    run.events
        .audit(AuditEvent::Request {
            method: told.clone(),
            destination: destination.clone(),
            credentials: uses.collect(),
        })
        .map_err(|error| EgressError::Denied(error.to_string()))?;
    let way = Way {
        target: &target,
        granted: &granted,
        plan: &plan,
    };
    dispatch(run, request, &way, place).await.map_err(|error| {
        if let EgressError::Prohibited(why) = &error {
            run.refused(AuditEvent::RequestDenied {
                method: told.clone(),
                destination: destination.clone(),
                why: run.name_scrubber().scrub(why).into_owned(),
            });
        }
        error
            .about(&format!("{told} {destination}"))
            .scrubbed(run.name_scrubber())
    })
}

/// What was decided about a request: where it goes, by which grant, and with what.
struct Way<'a> {
    target: &'a Target,
    granted: &'a Granted<'a>,
    plan: &'a [Planned<'a>],
}

/// Whether it may be sent, as far as can be told without looking up a name, and by which grant.
fn check<'r>(run: &'r Run, method: &Method, target: &Target) -> Result<Granted<'r>, EgressError> {
    parse::method(method)?;
    let granted = run
        .rights
        .check_request(method.as_str(), target)
        .map_err(|denied| EgressError::Denied(denied.to_string()))?;
    let literal = match target.host() {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Domain(_) => None,
    };
    if let Some(address) = literal {
        let what = || format!("{method} {}", shown(run, target));
        granted
            .check(target.host(), address, what)
            .map_err(|denied| EgressError::Prohibited(denied.to_string()))?;
    }
    Ok(granted)
}

/// The method as it is told: it may be any word of the guest's.
fn told_method(run: &Run, method: &Method) -> String {
    match parse::method(method) {
        Ok(()) => run.scrubber().scrub(method.as_str()).into_owned(),
        Err(_) => "an unusable method".to_owned(),
    }
}

/// The destination as it is told: without query, scrubbed, and not too long.
fn shown(run: &Run, target: &Target) -> String {
    let text = format!("{}{}", target.origin(), target.path());
    let mut text = run.name_scrubber().scrub(&text).into_owned();
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
    way: &Way<'_>,
    place: Open,
) -> Result<Incoming, EgressError> {
    let &Way {
        target, granted, ..
    } = way;
    // A server that has had a credential of this run may give it back in any answer.
    let entrusted = !way.plan.is_empty() || run.rights.entrusts(target);
    let mut request = request;
    request.url = client::destination(request.url, target)?;
    // Without what the host adds: the plugin can read this number, and must not learn from it how
    // long a credential is.
    let size = headers::size(&request.headers) + request.url.as_str().len() as u64;
    let length = headers::prepare(&mut request.headers)?;
    run.traffic.sent(size)?;
    if entrusted {
        // A compressed answer, or a part of one, could not be searched for the credential.
        let identity = HeaderValue::from_static("identity");
        request.headers.insert(ACCEPT_ENCODING, identity);
        request.headers.remove(RANGE);
        request.headers.remove(IF_RANGE);
    }
    // Last, because a signature covers all the rest.
    inject::apply(run, &mut request, way.plan).await?;

    let mut outgoing = reqwest::Request::new(request.method.clone(), request.url);
    *outgoing.headers_mut() = request.headers;
    let (place, broken) = (Arc::new(place), Arc::default());
    *outgoing.body_mut() = body::request(request.body, length, &run.traffic, &place, &broken)?;

    let by = run
        .traffic
        .connections()
        .take(place, To::new(target, granted.networks()), || {
            run.services.egress.client(granted.networks(), &run.lookups)
        })?;
    let begin = request
        .first_byte
        .and_then(|wait| Instant::now().checked_add(wait))
        .map_or(run.deadline, |at| at.min(run.deadline));
    let answered = tokio::time::timeout_at(begin, by.client().execute(outgoing)).await;
    let answered = match answered {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(match broken.get() {
            Some(limit) => limit.clone(),
            None => EgressError::of(&error, target, granted),
        }),
        Err(_) if Instant::now() < run.deadline => Err(EgressError::request_timed_out()),
        Err(_) => Err(EgressError::deadline(run.limits())),
    };
    let response = answered.inspect_err(|_| may_have_reached(run, target))?;
    if let Some(peer) = response.remote_addr() {
        // The connector checked it. If it ever did not, nothing comes back.
        granted
            .check(target.host(), peer.ip(), || "the request".to_owned())
            .map_err(|denied| EgressError::Prohibited(denied.to_string()))?;
        if classify(peer.ip()) != AddressClass::Public {
            run.reached(&target.origin(), peer.ip());
        }
    }

    let (parts, body) = ::http::Response::<reqwest::Body>::from(response).into_parts();
    searchable(parts.status, &parts.headers, entrusted)?;
    let mut headers = parts.headers;
    headers::strip_response(&mut headers);
    run.traffic.received(headers::size(&headers))?;
    headers::scrub(&mut headers, run);
    if !run.scrubber().is_empty() && request.method != Method::HEAD {
        // What is removed changes the length of what comes.
        headers.remove(CONTENT_LENGTH);
    }
    let most = run.limits().between_bytes.duration();
    let wait = request.between_bytes.map_or(most, |wait| wait.min(most));
    Ok(Incoming {
        status: parts.status,
        headers,
        body: Body::new(run, body, by, wait),
    })
}

/// Tells of the places that are not public and that a request may have come to, though no answer did.
fn may_have_reached(run: &Run, target: &Target) {
    let addresses = match target.host() {
        Host::Ipv4(address) => BTreeSet::from([IpAddr::from(*address)]),
        Host::Ipv6(address) => BTreeSet::from([IpAddr::from(*address)]),
        Host::Domain(name) => run.lookups.led_to(name),
    };
    for address in addresses {
        if classify(address) != AddressClass::Public {
            run.reached(&target.origin(), address);
        }
    }
}

/// Whether an answer can be passed on: it is HTTP, and where it may hold a credential it is whole
/// and plain, so that it can be searched.
fn searchable(status: StatusCode, headers: &HeaderMap, entrusted: bool) -> Result<(), EgressError> {
    let refused = |why: &str| Err(EgressError::Protocol(why.to_owned()));
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return refused("the server changes the protocol");
    }
    if entrusted && headers::is_encoded(headers) {
        return refused(
            "the server answered compressed although it was asked not to, and such an answer cannot be searched for the credential",
        );
    }
    if entrusted && status == StatusCode::PARTIAL_CONTENT {
        return refused(
            "the server answered with a part although it was asked for the whole, and a part cannot be searched for the credential",
        );
    }
    Ok(())
}
