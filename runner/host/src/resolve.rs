//! The secrets of a run: their values, and the scrubber that knows every one of them.
//!
//! All bindings of the rights are resolved before the run, so that a value that the guest meets
//! by any way can be recognised. What a store lends for the run comes with it, and is given back
//! when the run lets go. Nothing here shows a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wharf_policy::{Placement, Rights, Rung, SecretBinding, SecretName};
use wharf_stores::{Freshness, Leases, Presence, ResolveError, SecretValue, Stores, Trouble};
use zeroize::Zeroizing;

use crate::lowered::NameScrubber;
use crate::{Scrubber, derived};

/// The shortest secret that can be used, in bytes. Shorter ones would be found in ordinary text.
pub const SHORTEST: usize = 6;

/// Secrets that cannot be used, so that nothing is run. Names bindings and stores, never values.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A secret that is to be injected is not to be had.
    #[error("secret-unavailable: {0}")]
    Unavailable(#[from] ResolveError),
    /// Too short to be recognised in what leaves a run.
    #[error(
        "the secret `{binding}` (from `{from}`) is shorter than {SHORTEST} bytes and would be found in ordinary text: use a longer one"
    )]
    TooShort {
        /// The binding.
        binding: SecretName,
        /// Its reference.
        from: String,
    },
    /// It is to go into a header and cannot.
    #[error(
        "the secret `{binding}` (from `{from}`) is to go into a header and has a line end or a control character in it: check what is stored"
    )]
    NotAHeader {
        /// The binding.
        binding: SecretName,
        /// Its reference.
        from: String,
    },
    /// All of them together are too large.
    #[error("the secrets of this run are too large to be searched for: {0}")]
    TooLarge(String),
}

impl SecretError {
    /// Whether the same run may do better later, with nothing changed: a store does not answer.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(error) if error.trouble() == Trouble::Outage)
    }
}

/// What a binding came to.
pub(crate) enum Resolved<'a> {
    /// Its value.
    Value(&'a SecretValue),
    /// The store has no such secret.
    NotFound,
    /// The store did not answer.
    Unavailable,
}

enum Entry {
    Value(SecretValue),
    NotFound,
    Unavailable,
}

/// The values of the secrets of one set of rights. Wiped when dropped.
#[derive(Default)]
pub struct Secrets {
    entries: BTreeMap<SecretName, Entry>,
    scrubber: Scrubber,
    name_scrubber: NameScrubber,
}

impl Secrets {
    /// No secrets.
    pub fn none() -> Self {
        Self::default()
    }

    /// What removes these secrets from text.
    pub fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// What removes them from text that names hosts or headers, where they may stand in small
    /// letters.
    pub(crate) fn name_scrubber(&self) -> &NameScrubber {
        &self.name_scrubber
    }

    pub(crate) fn get(&self, name: &SecretName) -> Resolved<'_> {
        match self.entries.get(name) {
            Some(Entry::Value(value)) => Resolved::Value(value),
            Some(Entry::Unavailable) => Resolved::Unavailable,
            Some(Entry::NotFound) | None => Resolved::NotFound,
        }
    }
}

/// The secrets of a run and what was lent for them.
#[must_use = "it holds the leases"]
pub struct RunSecrets {
    /// Their values.
    pub secrets: Arc<Secrets>,
    /// What was lent. Hold it until the run has ended, however it ends.
    pub leases: Leases,
    /// For how long the values may be used, and whether for other runs too.
    pub freshness: Freshness,
}

/// Reads the values of all secrets that these rights can use.
///
/// # Errors
/// A secret that is to be injected is missing (the plugin does not ask for it, so it could not be
/// told), or a secret cannot be used as it is. Missing secrets that are only used on other rungs are
/// told to the plugin when it asks.
pub async fn resolve(rights: &Rights, stores: &Stores) -> Result<RunSecrets, SecretError> {
    let mut resolution = stores
        .resolve(rights.secrets().map(|(binding, _)| binding))
        .await;
    let mut entries = BTreeMap::new();
    let mut tokens: Vec<(&SecretName, Zeroizing<String>)> = Vec::new();
    for (binding, rungs) in rights.secrets() {
        let entry = match resolution.values.remove(&binding.name) {
            Some(Ok(value)) => {
                let goes_into_header = rungs
                    .iter()
                    .any(|rung| matches!(rung, Rung::Inject | Rung::Attach));
                check(binding, &value, goes_into_header)?;
                let derived = derived::of(binding, &value).into_iter();
                tokens.extend(derived.map(|token| (&binding.name, token)));
                Entry::Value(value)
            }
            Some(Err(error)) if rungs.contains(&Rung::Inject) => return Err(error.into()),
            Some(Err(error)) if error.trouble() == Trouble::Absent => Entry::NotFound,
            Some(Err(error)) => {
                tracing::warn!(%error, "a run goes on without a secret");
                Entry::Unavailable
            }
            None => Entry::Unavailable,
        };
        entries.insert(binding.name.clone(), entry);
    }
    let values = entries.iter().filter_map(|(name, entry)| match entry {
        Entry::Value(value) => Some((name.as_str(), value.expose())),
        Entry::NotFound | Entry::Unavailable => None,
    });
    let tokens = tokens
        .iter()
        .map(|(name, token)| (name.as_str(), token.as_bytes()));
    let all: Vec<(&str, &[u8])> = values.chain(tokens).collect();
    let scrubber = Scrubber::new(all.iter().copied())
        .map_err(|error| SecretError::TooLarge(error.to_string()))?;
    let name_scrubber = NameScrubber::new(scrubber.clone(), all.iter().copied());
    Ok(RunSecrets {
        secrets: Arc::new(Secrets {
            entries,
            scrubber,
            name_scrubber,
        }),
        leases: resolution.leases,
        freshness: resolution.freshness,
    })
}

/// Whether a secret is to be had, and can be used as it is. What is lent for the question is given
/// back.
///
/// # Errors
/// The store cannot be asked, or no run could use what it has.
pub async fn test(binding: &SecretBinding, stores: &Stores) -> Result<Presence, SecretError> {
    let mut resolution = stores.resolve([binding]).await;
    let Some(answer) = resolution.values.remove(&binding.name) else {
        return Ok(Presence::Absent);
    };
    if let Ok(value) = &answer {
        check(binding, value, !binding.to.is_empty())?;
    }
    Ok(Presence::of(answer)?)
}

/// The credentials of RFC 7617.
pub(crate) fn basic_token(user: &str, value: &SecretValue) -> Zeroizing<String> {
    let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + value.expose().len()));
    pair.extend_from_slice(user.as_bytes());
    pair.push(b':');
    pair.extend_from_slice(value.expose());
    Zeroizing::new(STANDARD.encode(&*pair))
}

fn check(
    binding: &SecretBinding,
    value: &SecretValue,
    goes_into_header: bool,
) -> Result<(), SecretError> {
    if value.expose().len() < SHORTEST {
        return Err(SecretError::TooShort {
            binding: binding.name.clone(),
            from: binding.from.to_string(),
        });
    }
    let plain = matches!(
        binding.placement,
        Placement::Bearer | Placement::Header { .. }
    );
    if goes_into_header && plain && HeaderValue::from_bytes(value.expose()).is_err() {
        return Err(SecretError::NotAHeader {
            binding: binding.name.clone(),
            from: binding.from.to_string(),
        });
    }
    Ok(())
}
