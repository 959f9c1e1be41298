//! What lets someone act as the owner of a secret besides its value: what the host makes of it
//! and puts on requests, and the parts of a document that are secrets themselves. All of it is
//! removed from what leaves a run, as the value is.
//!
//! Signatures and tokens of *operate* are not among it: they are what the plugin asked for, and
//! good for one request or a bounded time.

use wharf_policy::{Placement, SecretBinding};
use wharf_stores::SecretValue;
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
    derived.retain(|text| text.len() >= SHORTEST);
    derived
}
