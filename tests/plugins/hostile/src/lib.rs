//! Misbehaves on request, one action for each way. What it does is bad on purpose; what matters is
//! what the runner makes of it. It must never be published.

mod capabilities;
mod floods;
mod resources;

use capabilities::{fetch, hmac, metadata};
use floods::{flood_log, flood_output, flood_progress, wrong_output};
use resources::{hoard, hold, panic, recurse, spin};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_plugin::Error;

/// Any JSON, as it came.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Anything(Value);

/// Gives its input back.
#[wharf_plugin::action(idempotent)]
fn echo(input: Anything) -> Result<Anything, Error> {
    Ok(input)
}

wharf_plugin::export!(
    echo,
    spin,
    hoard,
    recurse,
    panic,
    hold,
    flood_log,
    flood_output,
    flood_progress,
    wrong_output,
    fetch,
    metadata,
    hmac,
);

#[cfg(test)]
mod tests;
