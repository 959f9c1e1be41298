//! The value of a secret itself. The last resort: off by default, every use is audited, and the
//! plugin is then trusted with the value. See [`crate::secrets`] for what to try first.
//!
//! Needs `secrets = [{ name = "…", rungs = ["reveal"] }]` under `[capabilities]` in plugin.toml.

use crate::host;
use crate::secrets::SecretError;

/// The bytes of the secret of that name.
pub fn reveal(name: &str) -> Result<Vec<u8>, SecretError> {
    host::reveal(name)
}
