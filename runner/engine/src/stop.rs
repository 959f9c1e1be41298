//! The limits at which the host ends a run. Each says its value and the line that raises it.

use serde::{Deserialize, Serialize};
use wharf_policy::{ByteSize, Period, raise};

use crate::FieldError;

/// Which limit ended a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// Wall-clock time.
    #[error("stopped at its deadline of {0}: {hint}", hint = raise("deadline", .0))]
    Deadline(Period),
    /// Time on a core.
    #[error("stopped after {0} of processor time: {hint}", hint = raise("cpu", .0))]
    Cpu(Period),
    /// Linear memory.
    #[error("stopped because it needs more than {0} of memory: {hint}", hint = raise("memory", .0))]
    Memory(ByteSize),
    /// Elements of tables.
    #[error("stopped because it needs more than {0} table elements: {hint}", hint = raise("table-elements", .0))]
    Tables(u32),
    /// The stack.
    #[error(
        "stopped because its stack grew past {0}, which is the same for every plugin: look for endless recursion"
    )]
    Stack(ByteSize),
    /// What one host call carries.
    #[error("stopped because one host call, or its output, carried more than {0}: {hint}", hint = raise("host-call", .0))]
    HostCall(ByteSize),
    /// The input document.
    #[error("the input is larger than {0}: {hint}", hint = raise("input", .0))]
    Input(ByteSize),
    /// The output document.
    #[error("the output is larger than {0}: {hint}", hint = raise("output", .0))]
    Output(ByteSize),
    /// Handles.
    #[error("stopped because it holds more than {0} handles at a time: {hint}", hint = raise("resources", .0))]
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

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_policy::{LimitRequest, Policy};

    /// The limits of a policy with the line that a message names.
    fn pasted(message: &str) -> LimitRequest {
        let line = message
            .split('`')
            .find(|part| part.starts_with("limits = "));
        let line = line.unwrap_or_else(|| panic!("no line: {message}"));
        let policy = format!("[[grant]]\nplugins = ['*']\n{line}\n");
        let policy =
            Policy::from_toml(&policy).unwrap_or_else(|error| panic!("{error}: {message}"));
        policy.grants[0].limits
    }

    #[test]
    fn a_run_that_is_stopped_at_a_limit_names_a_line_that_raises_it() {
        let (size, period) = (ByteSize::mib(128), Period::secs(45));
        let twice = (Some(ByteSize::mib(256)), Some(Period::secs(90)), Some(2000));
        let of = |stop: Stop| pasted(&stop.to_string());
        assert_eq!(of(Stop::Deadline(period)).deadline, twice.1);
        assert_eq!(of(Stop::Cpu(period)).cpu, twice.1);
        assert_eq!(of(Stop::Memory(size)).memory, twice.0);
        assert_eq!(of(Stop::Tables(1000)).table_elements, twice.2);
        assert_eq!(of(Stop::HostCall(size)).host_call, twice.0);
        assert_eq!(of(Stop::Input(size)).input, twice.0);
        assert_eq!(of(Stop::Output(size)).output, twice.0);
        assert_eq!(of(Stop::Resources(1000)).resources, twice.2);
    }
}
