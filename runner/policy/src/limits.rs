//! How much of everything one run may use. Every limit has a default; none can be switched off.

use serde::{Deserialize, Serialize};

use crate::{ByteSize, Period};

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr,)*) => {
        /// The limits of one run.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct Limits { $($(#[$doc])* pub $name: $type,)* }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// Limits as a manifest, a grant or a call names them: only some.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct LimitRequest {
            $($(#[$doc])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $name: Option<$type>,)*
        }

        impl LimitRequest {
            /// The defaults with what is named here in their place. Only an operator's grant may
            /// be used so, because this can raise a limit.
            pub fn over_defaults(&self) -> Limits {
                let defaults = Limits::default();
                Limits { $($name: self.$name.unwrap_or(defaults.$name),)* }
            }

            /// For each limit the larger of the two, where either names it.
            pub fn widest(self, other: Self) -> Self {
                Self { $($name: self.$name.max(other.$name),)* }
            }
        }

        impl Limits {
            /// These limits, lowered where the request names less. Never raised.
            pub fn lowered_by(self, request: &LimitRequest) -> Self {
                Self { $($name: request.$name.map_or(self.$name, |asked| asked.min(self.$name)),)* }
            }
        }
    };
}

limits! {
    /// Wall-clock time from binding to output.
    deadline: Period = Period::secs(60),
    /// Time on a core, counted in epoch ticks of 10 ms.
    cpu: Period = Period::secs(30),
    /// All linear memory of the instance together.
    memory: ByteSize = ByteSize::mib(128),
    /// Elements of all tables together.
    table_elements: u32 = 100_000,
    /// The input document.
    input: ByteSize = ByteSize::mib(4),
    /// The output document, streamed or not.
    output: ByteSize = ByteSize::mib(4),
    /// What one host call may carry from the guest.
    host_call: ByteSize = ByteSize::mib(8),
    /// Handles that are open at a time.
    resources: u32 = 1_000,
    /// Lines of log.
    log_entries: u32 = 10_000,
    /// Bytes of log.
    log_bytes: ByteSize = ByteSize::mib(1),
    /// Requests to the outside, and attempts at TCP connections and their names.
    requests: u32 = 1_000,
    /// Bytes of all requests together, and sent through TCP.
    request_bytes: ByteSize = ByteSize::mib(64),
    /// Bytes of all responses together, and received through TCP.
    response_bytes: ByteSize = ByteSize::mib(64),
    /// Bytes of one response that is held in memory.
    response: ByteSize = ByteSize::mib(8),
    /// Requests and TCP connections that are open at a time.
    connections: u32 = 16,
    /// Time between two pieces of a response.
    between_bytes: Period = Period::secs(30),
}

/// A limit that can be twice as high.
pub trait Raise {
    /// Twice of it, as TOML.
    fn twice(self) -> String;
}

impl Raise for u32 {
    fn twice(self) -> String {
        self.max(1).saturating_mul(2).to_string()
    }
}

impl Raise for ByteSize {
    fn twice(self) -> String {
        format!("\"{}\"", Self::bytes(self.get().max(1).saturating_mul(2)))
    }
}

impl Raise for Period {
    fn twice(self) -> String {
        format!(
            "\"{}\"",
            Self::millis(self.as_millis().max(1).saturating_mul(2))
        )
    }
}

impl<T: Raise + Copy> Raise for &T {
    fn twice(self) -> String {
        (*self).twice()
    }
}

/// The line of a grant that raises a limit that was reached: to twice of it, for a start.
pub fn raise(limit: &str, reached: impl Raise) -> String {
    format!(
        "`limits = {{ {limit} = {} }}` in the [[grant]] for this plugin raises it, unless the manifest or the call asks for less",
        reached.twice()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_can_lower_a_limit_and_never_raise_it() {
        let limits = Limits::default();
        let ask = LimitRequest {
            memory: Some(ByteSize::mib(1)),
            deadline: Some(Period::secs(3600)),
            ..LimitRequest::default()
        };
        let lowered = limits.lowered_by(&ask);
        assert_eq!(lowered.memory, ByteSize::mib(1));
        assert_eq!(lowered.deadline, limits.deadline);
    }
}
