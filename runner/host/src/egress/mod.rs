//! The one way out. Every request of every interface goes through [`send`].
//!
//! The order of its steps is the point: parse, check the rule, count, check the address, tell the
//! auditor, and only then add the credential. It follows no redirect, uses no proxy, decodes no
//! compression, and connects to no address that was not checked.

mod body;
mod channel;
mod connections;
mod dial;
mod elsewhere;
mod error;
mod headers;
mod inject;
mod parse;
mod resolve;
mod sent;
mod tls;
mod traffic;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, IF_RANGE, RANGE};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use bytes::Bytes;
use hyper::body::{Body as _, Incoming as IncomingBody};
use tokio::time::Instant;
use url::{Host, Url};
use wasmtime_wasi_http::WasiBody;
use wharf_policy::{Granted, Target};

use crate::run::Run;
use crate::{AuditEvent, SecretUse};

pub(crate) use body::Body;
pub(crate) use connections::Open;
pub(crate) use dial::Egress;
pub(crate) use error::EgressError;
pub(crate) use inject::{AwsCredentials, Guest, Manner};
pub(crate) use parse::url;
pub use resolve::{Lookup, SystemLookup};
pub(crate) use resolve::{Share, Unresolved};
pub(crate) use traffic::Traffic;

use channel::Unanswered;
use connections::{Exchange, To};
use inject::Planned;
use sent::Sent;

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

/// Sends a request if the rights of the run allow it. A refusal is told to the auditor.
pub(crate) async fn send(
    run: &Arc<Run>,
    request: Outgoing,
    guest: Guest<'_>,
) -> Result<Incoming, EgressError> {
    if run.is_over() {
        return Err(EgressError::Denied("the execution is over".to_owned()));
    }
    let target = Target::of(&request.url);
    let told = Told {
        method: told_method(run, &request.method),
        destination: match &target {
            Ok(target) => shown(run, target),
            Err(_) => "a URL that cannot be used".to_owned(),
        },
    };
    let target = target.map_err(|error| EgressError::Invalid(error.to_string()));
    let sent = match &target {
        Ok(target) => allowed(run, request, target, guest, &told).await,
        Err(error) => run.traffic.request().and(Err(error.clone())),
    };
    sent.map_err(|error| {
        let error = error
            .about(&format!("{} {}", told.method, told.destination))
            .scrubbed(run.name_scrubber());
        told.refused(run, &error);
        error
    })
}

/// Refuses what cannot even be read as a request, and tells the auditor. It counts as one.
pub(crate) fn unreadable(run: &Run, error: EgressError) -> EgressError {
    let error = run.traffic.request().err().unwrap_or(error);
    let error = error.scrubbed(run.name_scrubber());
    let told = Told {
        method: "an unusable request".to_owned(),
        destination: "nowhere".to_owned(),
    };
    told.refused(run, &error);
    error
}

/// How a request is told: scrubbed, and not too long.
#[derive(Clone)]
struct Told {
    method: String,
    destination: String,
}

impl Told {
    /// Tells the auditor if it was the host that said no.
    fn refused(&self, run: &Run, error: &EgressError) {
        if error.is_refusal() {
            let why = error.to_string();
            run.request_refused(&self.method, &self.destination, &why, error.address());
        }
    }
}

/// Decides whether a request may be sent, tells the auditor, and sends it.
async fn allowed(
    run: &Arc<Run>,
    request: Outgoing,
    target: &Target,
    guest: Guest<'_>,
    told: &Told,
) -> Result<Incoming, EgressError> {
    run.traffic.request()?;
    let granted = check(run, &request.method, target)?;
    headers::check_size(&request.headers)?;
    let verb = request.method.clone();
    let method = verb.as_str();
    let plan = inject::plan(&run.rights, method, target, guest).inspect_err(|error| {
        if let Some((name, rung)) = guest.names() {
            run.refuse_secret(name.as_str(), rung, &error.to_string());
        }
    })?;
    elsewhere::check(&run.rights, method, &request.url, &plan, &request.headers)?;
    let place = run.traffic.open().await?;
    let uses = plan.iter().map(|planned| SecretUse {
        secret: planned.binding.name.clone(),
        rung: planned.rung,
    });
    run.events
        .audit(AuditEvent::Request {
            method: told.method.clone(),
            destination: told.destination.clone(),
            credentials: uses.collect(),
        })
        .map_err(|error| EgressError::Denied(error.to_string()))?;
    let way = Way {
        target,
        granted: &granted,
        plan: &plan,
        told,
    };
    dispatch(run, request, &way, place).await
}

/// What was decided about a request: where it goes, by which grant, and with what.
struct Way<'a> {
    target: &'a Target,
    granted: &'a Granted<'a>,
    plan: &'a [Planned<'a>],
    told: &'a Told,
}

/// Whether it may be sent, as far as can be told without looking up a name, and by which grant.
fn check<'r>(run: &'r Run, method: &Method, target: &Target) -> Result<Granted<'r>, EgressError> {
    parse::method(method)?;
    let granted = run
        .rights
        .check_request(method.as_str(), target)
        .map_err(|denied| EgressError::Denied(denied.to_string()))?;
    if let Some(address) = literal(target.host()) {
        let what = || format!("{method} {}", shown(run, target));
        granted
            .check(target.host(), address, what)
            .map_err(|denied| EgressError::prohibited(&denied))?;
    }
    Ok(granted)
}

/// The address that a host is, where it is one and no name.
fn literal(host: &Host<String>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Domain(_) => None,
    }
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
    request.url = dial::destination(request.url, target)?;
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
    let begin = request
        .first_byte
        .and_then(|wait| Instant::now().checked_add(wait))
        .map_or(run.deadline, |at| at.min(run.deadline));
    let (method, between_bytes) = (request.method.clone(), request.between_bytes);
    let connections = run.traffic.connections();
    let exchange = Exchange::new(connections, place, To::new(target, granted.networks()));
    let answered = async {
        // Last, because a signature covers all the rest.
        inject::apply(run, &mut request, way.plan).await?;
        let is_usual = has_body(&method);
        let expected = sent::Expected { length, is_usual };
        let body = sent::request(run, way.told, request.body, expected, &exchange).await?;
        let mut outgoing = Request::new(body);
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = Uri::try_from(request.url.as_str())
            .map_err(|error| EgressError::Invalid(format!("the URL cannot be sent: {error}")))?;
        *outgoing.headers_mut() = request.headers;
        if outgoing.body().is_end_stream() && is_usual {
            // Some servers insist on being told that there is none.
            (outgoing.headers_mut()).insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        deliver(run, way, outgoing, &exchange).await
    };
    let response = match tokio::time::timeout_at(begin, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(exchange.broken().cloned().unwrap_or(error)),
        Err(_) if Instant::now() < run.deadline => return Err(EgressError::request_timed_out()),
        Err(_) => return Err(EgressError::deadline(run.limits())),
    };

    let (parts, body) = response.into_parts();
    searchable(parts.status, &parts.headers, entrusted)?;
    let mut headers = parts.headers;
    headers::strip_response(&mut headers);
    run.traffic.received(headers::size(&headers))?;
    headers::scrub(&mut headers, run);
    if !run.scrubber().is_empty() && method != Method::HEAD {
        // What is removed changes the length of what comes.
        headers.remove(CONTENT_LENGTH);
    }
    let most = run.limits().between_bytes.duration();
    let wait = between_bytes.map_or(most, |wait| wait.min(most));
    Ok(Incoming {
        status: parts.status,
        headers,
        body: Body::new(run, (body, exchange), way.told.clone(), wait),
    })
}

/// Whether requests with this method usually have a body (RFC 9110, 8.6).
fn has_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

/// Sends over a connection that is kept, or over a new one, and gives the head of the answer.
async fn deliver(
    run: &Run,
    way: &Way<'_>,
    mut request: Request<Sent>,
    exchange: &Exchange,
) -> Result<Response<IncomingBody>, EgressError> {
    loop {
        let kept = exchange.kept();
        let is_kept = kept.is_some();
        let mut channel = match kept {
            Some(channel) => channel,
            None => {
                exchange.make_room();
                let egress = &run.services.egress;
                egress.dial(run, way.target, way.granted).await?
            }
        };
        if is_kept && !channel.is_ready().await {
            continue;
        }
        match channel.send(request).await {
            Ok(response) => {
                exchange.goes_over(channel);
                return Ok(response);
            }
            // The server closed it just now, before anything was sent.
            Err(Unanswered::Unsent(back)) if is_kept => request = *back,
            Err(Unanswered::Unsent(_)) => return Err(EgressError::closed(way.target)),
            Err(Unanswered::Broken(error)) => return Err(EgressError::broken(&error, way.target)),
        }
    }
}

/// Whether an answer can be passed on: it is HTTP, and where it may hold a credential it is whole
/// and plain, so that it can be searched.
fn searchable(status: StatusCode, headers: &HeaderMap, entrusted: bool) -> Result<(), EgressError> {
    let refused = |why: &str| Err(EgressError::Withheld(why.to_owned()));
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
