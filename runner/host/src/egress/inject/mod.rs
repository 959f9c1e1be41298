//! Which credentials go onto a request, and putting them there.
//!
//! [`plan`] decides, before the request is audited; [`apply`] adds the values, after. Where a
//! credential goes is the binding's word in every case: what a guest attaches or operates with
//! goes to no other destination than what is injected.

mod aws;
mod parameter;
mod place;
mod sigv4;

use std::borrow::Cow;
use std::sync::Arc;

use wharf_policy::{
    AwsSigv4, AwsWord, BasicUser, Operation, Placement, Rights, Rung, SecretBinding, SecretName,
    Target,
};
use wharf_stores::SecretValue;

use super::{EgressError, Outgoing};
use crate::resolve::Resolved;
use crate::run::Run;

pub(crate) use aws::AwsCredentials;

/// What a guest says about credentials on its request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guest<'a> {
    /// Nothing.
    AddsNothing,
    /// It attaches this one.
    Attaches(&'a SecretName),
    /// It has the host authenticate the request with this secret in that manner.
    Operates {
        secret: &'a SecretName,
        manner: &'a Manner,
    },
}

impl<'a> Guest<'a> {
    /// The secret that it names, and on which rung.
    pub(super) fn names(self) -> Option<(&'a SecretName, Rung)> {
        match self {
            Self::AddsNothing => None,
            Self::Attaches(name) => Some((name, Rung::Attach)),
            Self::Operates { secret, .. } => Some((secret, Rung::Operate)),
        }
    }
}

/// A manner of authenticating a request that a guest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manner {
    Bearer,
    Basic {
        user: String,
    },
    AwsSigv4 {
        region: String,
        service: String,
        access_key_id: Option<String>,
    },
}

impl Manner {
    fn operation(&self) -> Operation {
        match self {
            Self::Bearer => Operation::Bearer,
            Self::Basic { .. } => Operation::Basic,
            Self::AwsSigv4 { .. } => Operation::AwsSigv4,
        }
    }
}

/// One credential that goes onto a request.
pub(super) struct Planned<'r> {
    pub(super) binding: &'r SecretBinding,
    pub(super) rung: Rung,
    placement: Cow<'r, Placement>,
}

/// The credentials that go onto this request: all that are injected there, and the one that the
/// guest names.
///
/// # Errors
/// The one that the guest names may not go there, or two want the same place.
pub(super) fn plan<'r>(
    rights: &'r Rights,
    method: &'r str,
    target: &'r Target,
    guest: Guest<'_>,
) -> Result<Vec<Planned<'r>>, EgressError> {
    let mut plan = Vec::new();
    plan.extend(named(rights, method, target, guest)?);
    for binding in rights.injections(method, target) {
        if !plan
            .iter()
            .any(|p: &Planned<'_>| p.binding.name == binding.name)
        {
            plan.push(Planned {
                binding,
                rung: Rung::Inject,
                placement: Cow::Borrowed(&binding.placement),
            });
        }
    }
    for (at, planned) in plan.iter().enumerate() {
        for other in &plan[..at] {
            let Some(place) = other.placement.shared_with(&planned.placement) else {
                continue;
            };
            // What the guest names is planned first, and the line must leave it what it names.
            return Err(EgressError::Denied(format!(
                "{method} {}{} is not allowed: it is ambiguous which credential to add, `{}` and `{}` both want {place}; secrets = [{{ name = \"{}\", rungs = [\"{}\"] }}] without the other in the [[grant]] for this plugin would allow it, or a narrower `to` in one of the [[secret]] blocks",
                target.origin(),
                target.path(),
                other.binding.name,
                planned.binding.name,
                other.binding.name,
                other.rung,
            )));
        }
    }
    Ok(plan)
}

/// The credential that the guest names, if it may go there.
fn named<'r>(
    rights: &'r Rights,
    method: &str,
    target: &Target,
    guest: Guest<'_>,
) -> Result<Option<Planned<'r>>, EgressError> {
    let denied = |why: wharf_policy::Denied| EgressError::Denied(why.to_string());
    let (rung, binding, placement) = match guest {
        Guest::AddsNothing => return Ok(None),
        Guest::Attaches(name) => {
            let binding = rights.secret(name.as_str(), Rung::Attach).map_err(denied)?;
            (Rung::Attach, binding, Cow::Borrowed(&binding.placement))
        }
        Guest::Operates { secret, manner } => {
            let binding = rights
                .operate(secret.as_str(), manner.operation())
                .map_err(denied)?;
            (Rung::Operate, binding, Cow::Owned(asked(binding, manner)?))
        }
    };
    binding
        .check_destination(rung, method, target)
        .map_err(denied)?;
    Ok(Some(Planned {
        binding,
        rung,
        placement,
    }))
}

/// Where the credential goes in the manner that the guest names. What the operator says of a user or
/// of AWS stands, and the guest cannot say otherwise.
fn asked(binding: &SecretBinding, manner: &Manner) -> Result<Placement, EgressError> {
    let invalid = |error: wharf_policy::ParseError| EgressError::Invalid(error.to_string());
    let word = |text: &String| AwsWord::try_from(text.clone()).map_err(invalid);
    Ok(match manner {
        Manner::Bearer => Placement::Bearer,
        Manner::Basic { user } => {
            let user = BasicUser::try_from(user.clone()).map_err(invalid)?;
            let wanted = Placement::Basic { user };
            if matches!(binding.placement, Placement::Basic { .. }) && binding.placement != wanted {
                return Err(EgressError::Denied(format!(
                    "to send the secret `{}` with another user than its [[secret]] block says is not allowed: ask for that one; there `{}` would allow it",
                    binding.name,
                    wanted.line(),
                )));
            }
            wanted
        }
        Manner::AwsSigv4 {
            region,
            service,
            access_key_id,
        } => {
            let mut wanted = AwsSigv4 {
                region: word(region)?,
                service: word(service)?,
                access_key_id: access_key_id.as_ref().map(word).transpose()?,
                unsigned_payload: false,
            };
            if let Placement::AwsSigv4(fixed) = &binding.placement {
                if wanted.access_key_id.is_none() {
                    wanted.access_key_id.clone_from(&fixed.access_key_id);
                }
                wanted.unsigned_payload = fixed.unsigned_payload;
                let same_key =
                    fixed.access_key_id.is_none() || fixed.access_key_id == wanted.access_key_id;
                if wanted.region != fixed.region || wanted.service != fixed.service || !same_key {
                    return Err(EgressError::Denied(format!(
                        "to sign with the secret `{}` for another region, service or key id than its [[secret]] block says is not allowed: ask for those; there `{}` would allow it",
                        binding.name,
                        Placement::AwsSigv4(wanted).line(),
                    )));
                }
            }
            Placement::AwsSigv4(wanted)
        }
    })
}

/// Puts the credentials on, in place of whatever the guest set there. Signatures come last: they
/// cover the rest.
pub(super) async fn apply(
    run: &Arc<Run>,
    request: &mut Outgoing,
    plan: &[Planned<'_>],
) -> Result<(), EgressError> {
    let mut signature = None;
    for planned in plan {
        let value = value(run, planned.binding)?;
        match &*planned.placement {
            Placement::AwsSigv4(how) => signature = Some((planned.binding, how, value)),
            Placement::Bearer => place::bearer(request, planned.binding, value)?,
            Placement::Basic { user } => place::basic(request, planned.binding, user, value)?,
            Placement::Header { name, prefix } => {
                place::header(request, planned.binding, name, prefix.as_str(), value)?;
            }
            Placement::Query { name } => place::query(request, name, value),
        }
    }
    if let Some((binding, how, value)) = signature {
        aws::sign(run, request, binding, how, value).await?;
    }
    Ok(())
}

fn value<'r>(run: &'r Run, binding: &SecretBinding) -> Result<&'r SecretValue, EgressError> {
    match run.secrets.get(&binding.name) {
        Resolved::Value(value) => Ok(value),
        Resolved::NotFound | Resolved::Unavailable => Err(EgressError::Denied(format!(
            "the secret `{}` belongs on this request and its store `{}` does not have it now",
            binding.name,
            binding.from.store()
        ))),
    }
}
