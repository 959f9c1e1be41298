//! Plays a script of host calls, each as it is and without the manners of the SDK, and tells what
//! came of every one. The attacks are in the scripts, in the engine's `hostile_plugin` tests.
//! It must never be published.

#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "an attacker keeps no rules")]

mod forge;
mod http;
mod noise;
mod sockets;
mod step;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_plugin::Error;

use step::Step;

/// The script: a list of steps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Script(Value);

/// What came of each step: `{"ok": …}` or `{"err": "…"}`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
struct Told(Vec<Value>);

/// Plays a script.
#[wharf_plugin::action(idempotent)]
fn play(script: Script) -> Result<Told, Error> {
    let steps: Vec<Step> = serde_json::from_value(script.0).map_err(Error::other)?;
    let mut told = Vec::new();
    for step in steps {
        let result = step.play(&told);
        told.push(result);
    }
    Ok(Told(told))
}

wharf_plugin::export!(play);
