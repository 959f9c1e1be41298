//! Eats what a guest can eat: time, memory, stack.

use std::hint::black_box;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_plugin::{Error, NoInput, control, log};

/// Loops until it is stopped.
#[wharf_plugin::action]
pub(crate) fn spin(_: NoInput) -> Result<(), Error> {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// How much memory to take.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hoard {
    /// Bytes to take; as many as there are if left out.
    #[serde(default)]
    bytes: Option<u64>,
}

/// What was taken.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hoarded {
    bytes: u64,
}

const MIB: usize = 1024 * 1024;

/// Takes memory, a MiB at a time, and writes to all of it.
#[wharf_plugin::action]
pub(crate) fn hoard(input: Hoard) -> Result<Hoarded, Error> {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    while input.bytes.is_none_or(|wanted| bytes < wanted) {
        taken.push(black_box(vec![0xAA; MIB]));
        bytes += MIB as u64;
    }
    black_box(&taken);
    Ok(Hoarded { bytes })
}

/// Calls itself until the stack is gone.
#[wharf_plugin::action]
pub(crate) fn recurse(_: NoInput) -> Result<u64, Error> {
    Ok(deeper(black_box(1)))
}

/// Small frames: it is the stack of calls that ends first, not the one in linear memory.
#[inline(never)]
fn deeper(n: u64) -> u64 {
    if black_box(n) == 0 {
        return 0;
    }
    deeper(n + 1).wrapping_add(black_box(n))
}

/// What to say before the end.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Panic {
    /// The message of the panic.
    #[serde(default)]
    message: Option<String>,
}

/// Panics.
#[wharf_plugin::action]
pub(crate) fn panic(input: Panic) -> Result<(), Error> {
    panic!("{}", input.message.as_deref().unwrap_or("on purpose"));
}

/// How to wait.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hold {
    /// Milliseconds to wait.
    ms: u64,
    /// Whether to stop when asked to. Without, being asked makes no difference.
    #[serde(default)]
    polite: bool,
}

/// How it was waited.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Held {
    /// Milliseconds waited, by the guest's own clock.
    ms: u64,
}

/// Waits. Logs `holding` first, so that a test knows when it began.
#[wharf_plugin::action(idempotent)]
pub(crate) fn hold(input: Hold) -> Result<Held, Error> {
    log::info("holding", &[("ms", &input.ms)]);
    let wanted = Duration::from_millis(input.ms);
    let began = Instant::now();
    if input.polite {
        control::wait(wanted)?;
    } else {
        std::thread::sleep(wanted);
    }
    Ok(Held {
        ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}
