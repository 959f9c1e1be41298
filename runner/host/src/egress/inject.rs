//! Which credentials go onto a request, and putting them there.

use ::http::{HeaderMap, HeaderName, HeaderValue};
use wharf_policy::{Placement, Rights, Rung, SecretBinding, SecretName, Target};
use zeroize::Zeroizing;

use super::{EgressError, headers};
use crate::Secrets;
use crate::resolve::{Resolved, basic};

/// The bindings whose credentials go onto this request: all that are injected there, and the one
/// that the guest attaches.
///
/// # Errors
/// The attached one may not go there, or two want the same header.
pub(super) fn plan<'r>(
    rights: &'r Rights,
    method: &'r str,
    target: &'r Target,
    attach: Option<&SecretName>,
) -> Result<Vec<&'r SecretBinding>, EgressError> {
    let mut plan: Vec<&SecretBinding> = Vec::new();
    if let Some(name) = attach {
        let binding = rights
            .secret(name.as_str(), Rung::Attach)
            .map_err(|denied| EgressError::Denied(denied.to_string()))?;
        if !binding.to.iter().any(|rule| rule.matches(method, target)) {
            return Err(EgressError::Denied(format!(
                "to attach the secret `{name}` to {method} {}{} is not allowed: its binding names other destinations; in its [[secret]] block to = [{{ origin = \"{}\" }}] would allow it",
                target.origin(),
                target.path(),
                target.origin(),
            )));
        }
        plan.push(binding);
    }
    for binding in rights.injections(method, target) {
        if !plan.iter().any(|planned| planned.name == binding.name) {
            plan.push(binding);
        }
    }
    for (at, binding) in plan.iter().enumerate() {
        let header = header_of(binding)?;
        for other in &plan[..at] {
            if header_of(other)? == header {
                return Err(EgressError::Denied(format!(
                    "{method} {}{} is not allowed: it is ambiguous which credential to add, `{}` and `{}` both want the header `{header}`; narrow `to` of one of the [[secret]] blocks",
                    target.origin(),
                    target.path(),
                    other.name,
                    binding.name,
                )));
            }
        }
    }
    Ok(plan)
}

/// Puts the credentials on, in place of whatever the guest set there.
pub(super) fn apply(
    headers: &mut HeaderMap,
    plan: &[&SecretBinding],
    secrets: &Secrets,
) -> Result<(), EgressError> {
    for binding in plan {
        let Resolved::Value(value) = secrets.get(&binding.name) else {
            return Err(EgressError::Denied(format!(
                "the secret `{}` belongs on this request and its store `{}` does not have it now",
                binding.name,
                binding.from.store()
            )));
        };
        let text = match &binding.placement {
            Placement::Bearer => joined(b"Bearer ", value.expose()),
            Placement::Basic { user } => joined(b"Basic ", basic(user, value).as_bytes()),
            Placement::Header { prefix, .. } => joined(prefix.as_bytes(), value.expose()),
        };
        let mut header = HeaderValue::from_bytes(&text).map_err(|_| {
            EgressError::Denied(format!(
                "the secret `{}` cannot go into a header: it or its prefix has a control character in it",
                binding.name
            ))
        })?;
        header.set_sensitive(true);
        headers.insert(header_of(binding)?, header);
    }
    Ok(())
}

fn joined(prefix: &[u8], value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(prefix.len() + value.len()));
    text.extend_from_slice(prefix);
    text.extend_from_slice(value);
    text
}

/// The header that a binding sets.
fn header_of(binding: &SecretBinding) -> Result<HeaderName, EgressError> {
    match &binding.placement {
        Placement::Bearer | Placement::Basic { .. } => Ok(::http::header::AUTHORIZATION),
        Placement::Header { name, .. } => HeaderName::from_bytes(name.as_bytes())
            .ok()
            .filter(|header| !headers::is_hosts(header) && *header != ::http::header::CONTENT_LENGTH)
            .ok_or_else(|| {
                EgressError::Denied(format!(
                    "the secret `{}` is to go into the header `{}`, which is no header for a credential: mend `as` of its [[secret]] block",
                    binding.name,
                    name.escape_default()
                ))
            }),
    }
}
