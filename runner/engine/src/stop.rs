//! The limits at which the host ends a run. Each says its value and the line that raises it.

use serde::{Deserialize, Serialize};
use wharf_policy::{ByteSize, Period};

use crate::FieldError;

/// Which limit ended a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// Wall-clock time.
    #[error("stopped at its deadline of {0}: {hint}", hint = raise("deadline"))]
    Deadline(Period),
    /// Time on a core.
    #[error("stopped after {0} of processor time: {hint}", hint = raise("cpu"))]
    Cpu(Period),
    /// Linear memory.
    #[error("stopped because it needs more than {0} of memory: {hint}", hint = raise("memory"))]
    Memory(ByteSize),
    /// Elements of tables.
    #[error("stopped because it needs more than {0} table elements: {hint}", hint = raise("table-elements"))]
    Tables(u32),
    /// The stack.
    #[error(
        "stopped because its stack grew past {0}, which is the same for every plugin: look for endless recursion"
    )]
    Stack(ByteSize),
    /// What one host call carries.
    #[error("stopped because one host call, or its output, carried more than {0}: {hint}", hint = raise("host-call"))]
    HostCall(ByteSize),
    /// The input document.
    #[error("the input is larger than {0}: {hint}", hint = raise("input"))]
    Input(ByteSize),
    /// The output document.
    #[error("the output is larger than {0}: {hint}", hint = raise("output"))]
    Output(ByteSize),
    /// Handles.
    #[error("stopped because it holds more than {0} handles at a time: {hint}", hint = raise("resources"))]
    Resources(u32),
    /// Random bytes asked for in one call.
    #[error(
        "stopped because it asked for more than {0} of random bytes in one call: it must ask for less at a time"
    )]
    Random(ByteSize),
    /// The output does not keep the manifest's word.
    #[error("the output does not fit the action's own schema: {list}; the plugin is at fault", list = FieldError::list(.0))]
    InvalidOutput(Vec<FieldError>),
    /// The guest broke off.
    #[error("the plugin broke off: {0}")]
    Trap(String),
}

/// The line that raises a limit.
fn raise(limit: &str) -> String {
    format!(
        "`limits = {{ {limit} = … }}` in the [[grant]] for this plugin raises it, unless the manifest or the call asks for less"
    )
}
