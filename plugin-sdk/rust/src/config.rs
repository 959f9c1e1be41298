//! Settings that the operator gives this plugin. Not for secrets.
//!
//! Needs `config = true` under `[capabilities]` in plugin.toml.

use std::fmt::Display;
use std::str::FromStr;

use crate::error::Error;
use crate::host;

/// The value of a setting, or nothing if the operator gives none of that name.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    host::config_get(name)
}

/// The names of all settings.
#[must_use]
pub fn names() -> Vec<String> {
    host::config_names()
}

/// The value of a setting that the plugin cannot do without.
///
/// # Errors
/// `Denied`, naming the setting, if the operator gives none of that name.
pub fn require(name: &str) -> Result<String, Error> {
    get(name).ok_or_else(|| {
        Error::denied(format!(
            "the setting `{name}`; add it to the grant's config"
        ))
    })
}

/// The value of a setting read as a number, a boolean, an address…; nothing if it is not there.
///
/// # Errors
/// `bad-config` if it is there and cannot be read.
pub fn parse<T: FromStr<Err: Display>>(name: &str) -> Result<Option<T>, Error> {
    let Some(text) = get(name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(value) => Ok(Some(value)),
        Err(e) => Err(Error::failed(
            "bad-config",
            format_args!(
                "the setting `{name}` cannot be used: {e}; correct it in the grant's config"
            ),
        )),
    }
}
