//! Manifest, pack, sign, verify, trust policy.
