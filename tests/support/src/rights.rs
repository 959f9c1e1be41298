//! The effective rights of an action under a policy, as a runner computes them.

use wharf_bundle::Manifest;
use wharf_policy::{CallRights, Policy, Rights};

/// What `action` may do under this policy file.
pub fn rights(manifest: &Manifest, action: &str, policy: &str) -> Rights {
    Rights::effective(
        &manifest.name,
        &action.parse().unwrap(),
        &manifest.capabilities,
        &manifest.limits,
        &Policy::from_toml(policy).unwrap(),
        &CallRights::default(),
    )
}
