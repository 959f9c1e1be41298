//! AWS credentials out of a secret, and a request signed with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use ::http::{HeaderName, HeaderValue};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::Value;
use url::Position;
use wasmtime_wasi_http::WasiBody;
use wharf_policy::{AwsSigv4, AwsWord, Placement, SecretBinding};
use wharf_stores::SecretValue;
use zeroize::Zeroizing;

use super::super::{EgressError, OutBody, Outgoing, headers};
use super::sigv4::{self, Moment, PathStyle, Scope, Signable};
use super::{parameter, place};
use crate::run::Run;

/// In the place of the id of a key that is not known: the one of AWS's documentation.
const SOME_ID: &str = "AKIAIOSFODNN7EXAMPLE";

/// An access key, perhaps a temporary one. Wiped when dropped.
pub(crate) struct AwsCredentials {
    key_id: String,
    pub(crate) secret_key: Zeroizing<String>,
    pub(crate) session_token: Option<Zeroizing<String>>,
}

/// How the documents that keys come in call their parts: as AWS itself writes them, its tools, and
/// Vault's engine, which may say one thing in two ways.
const KEY_ID: [&str; 3] = ["AccessKeyId", "access_key", "aws_access_key_id"];
const SECRET_KEY: [&str; 3] = ["SecretAccessKey", "secret_key", "aws_secret_access_key"];
const SESSION_TOKEN: [&str; 6] = [
    "SessionToken",
    "Token",
    "session_token",
    "security_token",
    "aws_session_token",
    "aws_security_token",
];

/// Why a secret is not the key that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAwsKey {
    /// It says another id than the operator or the plugin does.
    OfAnotherId,
    /// It does not say whose it is, or is none.
    Otherwise,
}

impl AwsCredentials {
    /// Reads them from a secret: a JSON document with the id, or the secret access key itself,
    /// where the id is known from elsewhere.
    pub(crate) fn read(value: &[u8], key_id: Option<&str>) -> Result<Self, NoAwsKey> {
        if value.trim_ascii_start().starts_with(b"{") {
            let mut document: BTreeMap<String, Value> =
                serde_json::from_slice(value).map_err(|_| NoAwsKey::Otherwise)?;
            // Vault writes null or nothing for the token of keys that are not temporary.
            let mut part = |names: &[&str]| {
                names.iter().find_map(|name| match document.remove(*name)? {
                    Value::String(text) if !text.is_empty() => Some(text),
                    _ => None,
                })
            };
            let read = Self {
                key_id: part(&KEY_ID).ok_or(NoAwsKey::Otherwise)?,
                secret_key: Zeroizing::new(part(&SECRET_KEY).ok_or(NoAwsKey::Otherwise)?),
                session_token: part(&SESSION_TOKEN).map(Zeroizing::new),
            };
            return match key_id {
                Some(id) if id != read.key_id => Err(NoAwsKey::OfAnotherId),
                _ => Ok(read),
            };
        }
        let text = std::str::from_utf8(value).map_err(|_| NoAwsKey::Otherwise)?;
        Ok(Self {
            key_id: key_id.ok_or(NoAwsKey::Otherwise)?.to_owned(),
            secret_key: Zeroizing::new(text.to_owned()),
            session_token: None,
        })
    }
}

/// Signs the request as it will be sent.
pub(super) async fn sign(
    run: &Arc<Run>,
    request: &mut Outgoing,
    binding: &SecretBinding,
    how: &AwsSigv4,
    value: &SecretValue,
) -> Result<(), EgressError> {
    let key_id = how.access_key_id.as_ref().map(|id| id.as_str());
    let credentials = AwsCredentials::read(value.expose(), key_id).map_err(|why| {
        if why == NoAwsKey::OfAnotherId {
            return EgressError::Denied(format!(
                "the secret `{}` is the AWS key of another id than is asked for: leave `access-key-id` out, for the secret says it itself",
                binding.name,
            ));
        }
        let with_id = AwsSigv4 {
            access_key_id: AwsWord::try_from(SOME_ID.to_owned()).ok(),
            ..how.clone()
        };
        EgressError::Denied(format!(
            "the secret `{}` is no AWS key: store the secret access key, and `{}` in its [[secret]] block (with its id) says whose it is; or store a JSON object with AccessKeyId, SecretAccessKey and, for a temporary key, SessionToken",
            binding.name,
            Placement::AwsSigv4(with_id).line(),
        ))
    })?;
    parameter::remove(&mut request.url, &AwsSigv4::PARAMETERS);
    for name in AwsSigv4::HEADERS {
        headers::remove_alike(&mut request.headers, name);
    }
    let payload = payload(run, request, how).await?;
    // After the body, which may have taken its time.
    let now = Moment::of(SystemTime::now());
    for (name, text) in [
        ("x-amz-date", now.as_str()),
        ("x-amz-content-sha256", payload.as_str()),
    ] {
        // Digits and letters are a header value.
        let text = HeaderValue::from_str(text)
            .map_err(|error| EgressError::Protocol(error.to_string()))?;
        request.headers.insert(HeaderName::from_static(name), text);
    }
    if let Some(token) = &credentials.session_token {
        let name = HeaderName::from_static("x-amz-security-token");
        let token = Zeroizing::new(token.as_bytes().to_vec());
        place::set(request, binding, name, token)?;
    }
    let path = PathStyle::of(how.service.as_str());
    if path == PathStyle::OfObject && request.url.path().contains('+') {
        // Signed it is `%2B`, and S3 reads a plain one as a space.
        let path = request.url.path().replace('+', "%2B");
        request.url.set_path(&path);
    }
    let scope = Scope {
        region: how.region.as_str(),
        service: how.service.as_str(),
        key_id: &credentials.key_id,
        secret_key: &credentials.secret_key,
        path,
    };
    let signable = Signable {
        method: request.method.as_str(),
        host: &request.url[Position::BeforeHost..Position::AfterPort],
        path: request.url.path(),
        query: request.url.query().unwrap_or_default(),
        headers: &request.headers,
        payload: &payload,
    };
    let text = sigv4::authorization(&signable, &scope, &now)
        .map_err(|error| EgressError::Invalid(error.to_string()))?;
    let text = Zeroizing::new(text.into_bytes());
    place::set(request, binding, ::http::header::AUTHORIZATION, text)
}

/// The digest of the body that will be sent. One that is still being written is waited for and
/// held, unless the operator leaves bodies out of signatures.
async fn payload(
    run: &Arc<Run>,
    request: &mut Outgoing,
    how: &AwsSigv4,
) -> Result<String, EgressError> {
    let body = match std::mem::replace(&mut request.body, OutBody::None) {
        OutBody::Stream(stream) if how.unsigned_payload => {
            request.body = OutBody::Stream(stream);
            return Ok(sigv4::UNSIGNED.to_owned());
        }
        OutBody::Stream(stream) => {
            let whole = tokio::time::timeout_at(run.deadline, collect(run, stream)).await;
            let whole = whole.unwrap_or_else(|_| Err(EgressError::deadline(run.limits())))?;
            // The length is that of the body that is here now, and the client tells it.
            request.headers.remove(::http::header::CONTENT_LENGTH);
            if whole.is_empty() {
                OutBody::None
            } else {
                OutBody::Whole(whole)
            }
        }
        body => body,
    };
    let digest = match &body {
        OutBody::Whole(bytes) => sigv4::payload(bytes),
        OutBody::None | OutBody::Stream(_) => sigv4::payload(b""),
    };
    request.body = body;
    Ok(digest)
}

/// All of a body, if it is not larger than one that is given as a whole may be.
async fn collect(run: &Run, mut stream: WasiBody) -> Result<Bytes, EgressError> {
    let most = run.limits().host_call.get();
    let mut whole = BytesMut::new();
    while let Some(frame) = stream.frame().await {
        let frame = frame.map_err(|error| {
            EgressError::Protocol(format!("the body of the request broke off: {error}"))
        })?;
        if let Ok(data) = frame.into_data() {
            if (whole.len() + data.len()) as u64 > most {
                return Err(EgressError::Exhausted(format!(
                    "a body that is signed is held in memory, and this one is larger than {}: {}; or say `unsigned-payload = true` in the [[secret]] block",
                    run.limits().host_call,
                    wharf_policy::raise("host-call", run.limits().host_call)
                )));
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_the_documents_of_aws_and_of_vault() {
        for (text, token) in [
            (
                r#"{"Version":1,"AccessKeyId":"AKID","SecretAccessKey":"sk","SessionToken":"st","Expiration":"x"}"#,
                Some("st"),
            ),
            (
                r#"{"access_key":"AKID","secret_key":"sk","security_token":null}"#,
                None,
            ),
            (
                r#"{"access_key":"AKID","secret_key":"sk","security_token":"st","session_token":"st","ttl":"3599"}"#,
                Some("st"),
            ),
            (
                r#" {"aws_access_key_id":"AKID","aws_secret_access_key":"sk","aws_session_token":""}"#,
                None,
            ),
        ] {
            let read = AwsCredentials::read(text.as_bytes(), None).unwrap();
            assert_eq!(
                (read.key_id.as_str(), read.secret_key.as_str()),
                ("AKID", "sk")
            );
            assert_eq!(read.session_token.as_ref().map(|t| t.as_str()), token);
            let other = AwsCredentials::read(text.as_bytes(), Some("OTHER"));
            assert_eq!(other.err(), Some(NoAwsKey::OfAnotherId));
        }
    }

    #[test]
    fn a_plain_key_needs_an_id_from_elsewhere() {
        let read = AwsCredentials::read(b"sk", Some("AKID")).unwrap();
        assert_eq!(
            (read.key_id.as_str(), read.secret_key.as_str()),
            ("AKID", "sk")
        );
        for (value, id) in [
            (&b"sk"[..], None),
            (b"{\"key\":1}", Some("AKID")),
            (b"\xff\xff", Some("AKID")),
        ] {
            let read = AwsCredentials::read(value, id);
            assert_eq!(read.err(), Some(NoAwsKey::Otherwise));
        }
    }
}
