//! The host of a component: imports of `wharf:plugin`, with types turned into those of the SDK.

use std::cell::RefCell;
use std::time::Duration;

use crate::bindings::wharf::plugin as wit;
use crate::control::Call;
use crate::http::{Authentication, Headers, HttpError, Request, Response};
use crate::log::Level;
use crate::output::OutputError;
use crate::secrets::{Digest, Jwt, JwtAlgorithm, Rung, SecretError, SignatureAlgorithm};

pub(crate) type SecretHandle = wit::secrets::Secret;
pub(crate) type CredentialHandle = wit::http_credentials::Credential;

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// Keeps which call this is. An instance runs one.
pub(crate) fn enter(call: Call) {
    CALL.replace(Some(call));
}

pub(crate) fn call() -> Call {
    CALL.with_borrow(|call| {
        // Before `run` there is no action that could ask.
        call.clone().unwrap_or_else(|| Call {
            execution: String::new(),
            attempt: 1,
        })
    })
}

pub(crate) fn log(level: Level, message: &str, fields: Vec<(String, String)>) {
    let level = match level {
        Level::Trace => wit::log::Level::Trace,
        Level::Debug => wit::log::Level::Debug,
        Level::Info => wit::log::Level::Info,
        Level::Warn => wit::log::Level::Warn,
        Level::Error => wit::log::Level::Error,
    };
    wit::log::log(level, message, &fields);
}

pub(crate) fn progress(fraction: Option<f32>, message: &str) {
    wit::progress::report(fraction, message);
}

pub(crate) fn cancelled() -> bool {
    wit::control::cancelled()
}

pub(crate) fn remaining() -> Duration {
    Duration::from_millis(wit::control::remaining())
}

pub(crate) fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

pub(crate) fn output_write(piece: &[u8]) -> Result<(), OutputError> {
    wit::output::write(piece).map_err(|e| match e {
        wit::output::OutputError::TooLarge => OutputError::TooLarge,
        wit::output::OutputError::Denied => OutputError::Denied,
    })
}

pub(crate) fn config_get(name: &str) -> Option<String> {
    wit::config::get(name)
}

pub(crate) fn config_names() -> Vec<String> {
    wit::config::names()
}

pub(crate) fn http_send(request: &Request) -> Result<Response, HttpError> {
    wit::http::send(&outgoing(request))
        .map(incoming)
        .map_err(http_error)
}

pub(crate) fn http_send_with(
    request: &Request,
    credential: &CredentialHandle,
) -> Result<Response, HttpError> {
    let answer = wit::http_credentials::send(&outgoing(request), credential);
    answer.map(incoming).map_err(http_error)
}

pub(crate) fn credential_open(name: &str) -> Result<CredentialHandle, SecretError> {
    use wit::http_credentials::CredentialError;
    CredentialHandle::open(name).map_err(|e| match e {
        CredentialError::Denied => denied(name, Rung::Attach),
        CredentialError::NotFound => SecretError::NotFound(name.to_owned()),
        CredentialError::Unavailable => SecretError::Unavailable(name.to_owned()),
    })
}

pub(crate) fn secret_open(name: &str) -> Result<SecretHandle, SecretError> {
    SecretHandle::open(name).map_err(|e| secret_error(name, e))
}

pub(crate) fn secret_hmac(
    secret: &SecretHandle,
    name: &str,
    digest: Digest,
    message: &[u8],
) -> Result<Vec<u8>, SecretError> {
    let digest = match digest {
        Digest::Sha256 => wit::secrets::DigestAlgorithm::Sha256,
        Digest::Sha384 => wit::secrets::DigestAlgorithm::Sha384,
        Digest::Sha512 => wit::secrets::DigestAlgorithm::Sha512,
    };
    secret
        .hmac(digest, message)
        .map_err(|e| secret_error(name, e))
}

pub(crate) fn secret_sign(
    secret: &SecretHandle,
    name: &str,
    algorithm: SignatureAlgorithm,
    message: &[u8],
) -> Result<Vec<u8>, SecretError> {
    use SignatureAlgorithm as S;
    use wit::secrets::SignatureAlgorithm as W;
    let algorithm = match algorithm {
        S::Ed25519 => W::Ed25519,
        S::EcdsaP256Sha256 => W::EcdsaP256Sha256,
        S::EcdsaP256Sha256Fixed => W::EcdsaP256Sha256Fixed,
        S::EcdsaP384Sha384 => W::EcdsaP384Sha384,
        S::EcdsaP384Sha384Fixed => W::EcdsaP384Sha384Fixed,
        S::RsaPkcs1Sha256 => W::RsaPkcs1Sha256,
        S::RsaPkcs1Sha384 => W::RsaPkcs1Sha384,
        S::RsaPkcs1Sha512 => W::RsaPkcs1Sha512,
        S::RsaPssSha256 => W::RsaPssSha256,
        S::RsaPssSha384 => W::RsaPssSha384,
        S::RsaPssSha512 => W::RsaPssSha512,
    };
    secret
        .sign(algorithm, message)
        .map_err(|e| secret_error(name, e))
}

pub(crate) fn secret_jwt(
    secret: &SecretHandle,
    name: &str,
    token: &Jwt,
) -> Result<String, SecretError> {
    use JwtAlgorithm as J;
    use wit::secrets::JwtAlgorithm as W;
    let algorithm = token.algorithm.map(|algorithm| match algorithm {
        J::Hs256 => W::Hs256,
        J::Hs384 => W::Hs384,
        J::Hs512 => W::Hs512,
        J::Rs256 => W::Rs256,
        J::Rs384 => W::Rs384,
        J::Rs512 => W::Rs512,
        J::Ps256 => W::Ps256,
        J::Ps384 => W::Ps384,
        J::Ps512 => W::Ps512,
        J::Es256 => W::Es256,
        J::Es384 => W::Es384,
        J::EdDsa => W::Eddsa,
    });
    let request = wit::secrets::JwtRequest {
        claims: token.claims.clone(),
        algorithm,
        key_id: token.key_id.clone(),
        lifetime: token.lifetime,
    };
    secret.jwt(&request).map_err(|e| secret_error(name, e))
}

pub(crate) fn http_send_authenticated(
    request: &Request,
    secret: &SecretHandle,
    how: &Authentication,
) -> Result<Response, HttpError> {
    use wit::signed_http::{Authentication as W, AwsScope};
    let how = match how {
        Authentication::Bearer => W::Bearer,
        Authentication::Basic { user } => W::Basic(user.clone()),
        Authentication::AwsSigv4 {
            region,
            service,
            access_key_id,
        } => W::AwsSigv4(AwsScope {
            region: region.clone(),
            service: service.clone(),
            access_key_id: access_key_id.clone(),
        }),
    };
    let answer = wit::signed_http::send(&outgoing(request), secret, &how);
    answer.map(incoming).map_err(http_error)
}

pub(crate) fn reveal(name: &str) -> Result<Vec<u8>, SecretError> {
    use wit::reveal::RevealError;
    wit::reveal::reveal(name).map_err(|e| match e {
        RevealError::Denied => denied(name, Rung::Reveal),
        RevealError::NotFound => SecretError::NotFound(name.to_owned()),
        RevealError::Unavailable => SecretError::Unavailable(name.to_owned()),
    })
}

fn outgoing(request: &Request) -> wit::http::Request {
    wit::http::Request {
        method: request.method.as_str().to_owned(),
        url: request.url.clone(),
        headers: request.headers.as_pairs().to_vec(),
        body: request.body.clone(),
        // Less than a millisecond is not "no timeout".
        timeout: request
            .timeout
            .map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX).max(1)),
    }
}

fn incoming(response: wit::http::Response) -> Response {
    Response {
        status: response.status,
        headers: Headers::from_iter(response.headers),
        body: response.body,
        url: String::new(),
        attempts: 1,
    }
}

fn http_error(error: wit::http::HttpError) -> HttpError {
    use wit::http::HttpError as E;
    match error {
        E::Invalid(what) => HttpError::Invalid(what),
        E::Denied(what) => HttpError::Denied(what),
        E::Unreachable(what) => HttpError::Unreachable(what),
        E::Protocol(what) => HttpError::Protocol(what),
        E::Timeout => HttpError::Timeout,
        E::TooLarge(limit) => HttpError::TooLarge(limit),
        E::Exhausted(what) => HttpError::Exhausted(what),
    }
}

fn secret_error(name: &str, error: wit::secrets::SecretError) -> SecretError {
    use wit::secrets::SecretError as E;
    match error {
        E::Denied => denied(name, Rung::Operate),
        E::NotFound => SecretError::NotFound(name.to_owned()),
        E::Unavailable => SecretError::Unavailable(name.to_owned()),
        E::Invalid(why) => SecretError::Invalid {
            name: name.to_owned(),
            why,
        },
    }
}

fn denied(name: &str, rung: Rung) -> SecretError {
    SecretError::Denied {
        name: name.to_owned(),
        rung,
    }
}
