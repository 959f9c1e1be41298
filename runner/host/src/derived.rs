//! What lets someone act as the owner of a secret besides its value: what the host makes of it
//! and puts on requests, and the parts of a document that are secrets themselves. All of it is
//! removed from what leaves a run, as the value is.
//!
//! Signatures and tokens of *operate* are not among it: they are what the plugin asked for, and
//! good for one request or a bounded time.

use std::collections::BTreeMap;

use wharf_policy::{Placement, SecretBinding};
use wharf_stores::{ALL_FIELDS, SecretValue};
use zeroize::Zeroizing;

use crate::SHORTEST;
use crate::egress::AwsCredentials;
use crate::resolve::basic_token;

/// Everything that is derived from the value of this binding.
pub(crate) fn of(binding: &SecretBinding, value: &SecretValue) -> Vec<Zeroizing<String>> {
    let mut derived = Vec::new();
    if let Placement::Basic { user } = &binding.placement {
        derived.push(basic_token(user.as_str(), value));
    }
    // A document with an AWS key, whatever it is bound for: its parts are as good as the whole.
    if let Ok(credentials) = AwsCredentials::read(value.expose(), None) {
        derived.push(credentials.secret_key);
        derived.extend(credentials.session_token);
    }
    // All fields of a place at once: whoever gets one of them apart from the others has it too.
    if binding.from.field() == Some(ALL_FIELDS) {
        let fields: Option<BTreeMap<String, String>> = serde_json::from_slice(value.expose()).ok();
        let texts = fields.into_iter().flat_map(BTreeMap::into_values);
        derived.extend(texts.map(Zeroizing::new));
    }
    derived.retain(|text| text.len() >= SHORTEST);
    derived
}
