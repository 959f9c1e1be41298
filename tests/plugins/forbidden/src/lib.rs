//! Imports `wharf:plugin/reveal`, which its manifest does not ask for. The runner must refuse to link
//! it, naming the import; it must never run.

use schemars::JsonSchema;
use serde::Deserialize;
use wharf_plugin::{Error, reveal};

/// Which secret to betray.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Betray {
    /// Its name.
    name: String,
}

/// Gives the value of a secret away.
#[wharf_plugin::action]
fn betray(input: Betray) -> Result<String, Error> {
    let value = reveal::reveal(&input.name)?;
    String::from_utf8(value).map_err(Error::other)
}

wharf_plugin::export!(betray);
