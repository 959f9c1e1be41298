//! Credentials into headers and queries, in place of what the guest put there.

use ::http::header::AUTHORIZATION;
use ::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use wharf_policy::{BasicUser, CredentialHeader, QueryName, SecretBinding};
use wharf_stores::SecretValue;
use zeroize::Zeroizing;

use super::super::{EgressError, Outgoing, headers};
use super::parameter;
use crate::percent;
use crate::resolve::basic_token;

/// `authorization: Bearer VALUE`.
pub(super) fn bearer(
    request: &mut Outgoing,
    binding: &SecretBinding,
    value: &SecretValue,
) -> Result<(), EgressError> {
    let text = joined(&[b"Bearer ", value.expose()]);
    set(request, binding, AUTHORIZATION, text)
}

/// `authorization: Basic …`.
pub(super) fn basic(
    request: &mut Outgoing,
    binding: &SecretBinding,
    user: &BasicUser,
    value: &SecretValue,
) -> Result<(), EgressError> {
    let token = basic_token(user.as_str(), value);
    let text = joined(&[b"Basic ", token.as_bytes()]);
    set(request, binding, AUTHORIZATION, text)
}

/// A header of the operator's.
pub(super) fn header(
    request: &mut Outgoing,
    binding: &SecretBinding,
    name: &CredentialHeader,
    prefix: &str,
    value: &SecretValue,
) -> Result<(), EgressError> {
    let header = HeaderName::from_bytes(name.as_str().as_bytes()).map_err(|_| {
        EgressError::Denied(format!(
            "the secret `{}` is to go into the header `{}`, which no request can have: mend `as` of its [[secret]] block",
            binding.name,
            name.as_str()
        ))
    })?;
    let text = joined(&[prefix.as_bytes(), value.expose()]);
    set(request, binding, header, text)
}

/// A parameter of the query. The rest of the query stays byte for byte as it was.
pub(super) fn query(request: &mut Outgoing, name: &QueryName, value: &SecretValue) {
    let mut text = Zeroizing::new(String::new());
    if let Some(query) = request.url.query() {
        text.push_str(&parameter::without(query, name.as_str()));
    }
    if !text.is_empty() {
        text.push('&');
    }
    percent::encode_into(&mut text, name.as_str().as_bytes(), percent::UNRESERVED);
    text.push('=');
    // Room for the whole first, so that no shorter copy is left behind.
    text.reserve(3 * value.expose().len());
    percent::encode_into(&mut text, value.expose(), percent::UNRESERVED);
    request.url.set_query(Some(&text));
}

/// Sets a header that is never indexed, in a buffer that is wiped when it is dropped.
pub(super) fn set(
    request: &mut Outgoing,
    binding: &SecretBinding,
    name: HeaderName,
    text: Zeroizing<Vec<u8>>,
) -> Result<(), EgressError> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| {
        EgressError::Denied(format!(
            "the secret `{}` cannot go into a header: it or what is put before it has a control character in it",
            binding.name
        ))
    })?;
    value.set_sensitive(true);
    headers::remove_alike(&mut request.headers, name.as_str());
    request.headers.insert(name, value);
    Ok(())
}

fn joined(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| p.len()).sum()));
    for part in parts {
        text.extend_from_slice(part);
    }
    text
}
