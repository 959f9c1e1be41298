//! The functions of [`crate::host`], answered from memory.

use std::rc::Rc;
use std::time::Duration;

use super::keys::{self, Key};
use super::state::{LogLine, Progress, SentRequest, current};
use crate::control::Call;
use crate::http::{Authentication, HttpError, Request, Response};
use crate::log::Level;
use crate::output::OutputError;
use crate::secrets::{Digest, Jwt, Rung, SecretError, SignatureAlgorithm};

/// A secret that was opened: its name, and its key.
#[derive(Clone)]
pub(crate) struct SecretHandle {
    name: String,
    key: Key,
}

impl std::fmt::Debug for SecretHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SecretHandle").field(&self.name).finish()
    }
}

pub(crate) type CredentialHandle = String;

pub(crate) fn call() -> Call {
    current().borrow().call.clone()
}

pub(crate) fn log(level: Level, message: &str, fields: Vec<(String, String)>) {
    let line = LogLine {
        level,
        message: message.to_owned(),
        fields,
    };
    current().borrow_mut().logs.push(line);
}

pub(crate) fn progress(fraction: Option<f32>, message: &str) {
    let report = Progress {
        fraction,
        message: message.to_owned(),
    };
    current().borrow_mut().progress.push(report);
}

pub(crate) fn cancelled() -> bool {
    let state = current();
    let state = state.borrow();
    state.cancelled_at.is_some_and(|at| state.elapsed >= at)
}

pub(crate) fn remaining() -> Duration {
    let state = current();
    let state = state.borrow();
    state.deadline.saturating_sub(state.elapsed)
}

/// Only the clock of the host moves: tests do not wait.
pub(crate) fn sleep(duration: Duration) {
    current().borrow_mut().elapsed += duration;
}

pub(crate) fn output_write(piece: &[u8]) -> Result<(), OutputError> {
    let state = current();
    let mut state = state.borrow_mut();
    if state.output.len() + piece.len() > state.output_limit {
        return Err(OutputError::TooLarge);
    }
    state.output.extend_from_slice(piece);
    Ok(())
}

pub(crate) fn config_get(name: &str) -> Option<String> {
    current().borrow().config.get(name).cloned()
}

pub(crate) fn config_names() -> Vec<String> {
    current().borrow().config.keys().cloned().collect()
}

pub(crate) fn http_send(request: &Request) -> Result<Response, HttpError> {
    send(request, None, None)
}

pub(crate) fn http_send_with(
    request: &Request,
    credential: &CredentialHandle,
) -> Result<Response, HttpError> {
    send(request, Some(credential.clone()), None)
}

pub(crate) fn http_send_authenticated(
    request: &Request,
    secret: &SecretHandle,
    how: &Authentication,
) -> Result<Response, HttpError> {
    send(request, None, Some((secret.name.clone(), how.clone())))
}

fn send(
    request: &Request,
    credential: Option<String>,
    authentication: Option<(String, Authentication)>,
) -> Result<Response, HttpError> {
    let state = current();
    let responder = state.borrow().responder.as_ref().map(Rc::clone);
    let Some(responder) = responder else {
        return Err(HttpError::Denied(format!(
            "{} {}: this test host grants no HTTP; give it answers with `Host::http`",
            request.method, request.url
        )));
    };
    let sent = SentRequest {
        request: request.clone(),
        credential,
        authentication,
    };
    state.borrow_mut().requests.push(sent);
    // The state is free while the test's own code runs: it may log, or look at the clock.
    let mut answer = responder.borrow_mut();
    answer(request)
}

pub(crate) fn credential_open(name: &str) -> Result<CredentialHandle, SecretError> {
    let known = current().borrow().attach.iter().any(|n| n == name);
    if known {
        Ok(name.to_owned())
    } else {
        Err(denied(name, Rung::Attach))
    }
}

pub(crate) fn secret_open(name: &str) -> Result<SecretHandle, SecretError> {
    let key = current().borrow().operate.get(name).cloned();
    let key = key.ok_or_else(|| denied(name, Rung::Operate))?;
    Ok(SecretHandle {
        name: name.to_owned(),
        key,
    })
}

pub(crate) fn secret_hmac(
    secret: &SecretHandle,
    name: &str,
    digest: Digest,
    message: &[u8],
) -> Result<Vec<u8>, SecretError> {
    keys::hmac(&secret.key, name, digest, message)
}

pub(crate) fn secret_sign(
    secret: &SecretHandle,
    name: &str,
    algorithm: SignatureAlgorithm,
    message: &[u8],
) -> Result<Vec<u8>, SecretError> {
    keys::sign(&secret.key, name, algorithm, message)
}

pub(crate) fn secret_jwt(
    secret: &SecretHandle,
    name: &str,
    token: &Jwt,
) -> Result<String, SecretError> {
    let waited = current().borrow().elapsed.as_secs();
    keys::jwt(&secret.key, name, token, waited)
}

pub(crate) fn reveal(name: &str) -> Result<Vec<u8>, SecretError> {
    let value = current().borrow().reveal.get(name).cloned();
    value.ok_or_else(|| denied(name, Rung::Reveal))
}

fn denied(name: &str, rung: Rung) -> SecretError {
    SecretError::Denied {
        name: name.to_owned(),
        rung,
    }
}
