//! What can be wrong with a value, a file, or a request, said so that it can be mended.

use std::net::IpAddr;

use crate::Operation;

/// The longest text that is repeated, in bytes: a host of the longest name with its scheme has room.
const SHOWN: usize = 272;

/// A text that is not the value it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}` is not valid: {why}")]
pub struct ParseError {
    /// The kind of value, such as `plugin name`.
    pub what: &'static str,
    /// The offending text, if it is not too long. Never a part of it: whoever scrubs secrets out of
    /// the message knows them, and would not know a part of one.
    pub text: String,
    /// What it should have been.
    pub why: String,
}

impl ParseError {
    pub(crate) fn new(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        let shown = match text.len() {
            0..=SHOWN => text.to_owned(),
            long => format!("… ({long} bytes)"),
        };
        Self {
            what,
            text: shown,
            why: why.into(),
        }
    }
}

/// A policy file that cannot be used. Nothing runs under a policy that has an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML, an unknown field, or a value that does not parse.
    #[error("the policy cannot be read: {0}")]
    Syntax(String),
    /// A `[[trust]]` block that cannot be meant.
    #[error("the [[trust]] block for {plugins} {why}")]
    Trust {
        /// The patterns of the block.
        plugins: String,
        /// What is wrong with it.
        why: String,
    },
    /// Two `[[secret]]` blocks have the same name.
    #[error("the policy binds the secret `{0}` twice: keep one [[secret]] block of that name")]
    DuplicateSecret(String),
    /// A grant names a secret that no `[[secret]]` block binds.
    #[error(
        "a grant for {plugins} names the secret `{secret}`, which no [[secret]] block binds: add one, or remove it from the grant"
    )]
    UnboundSecret {
        /// The patterns of the grant.
        plugins: String,
        /// The name that is not bound.
        secret: String,
    },
    /// A `[[secret]]` block names a store that no `[store.NAME]` table configures.
    #[error(
        "the secret `{secret}` is to come from `{store}:`, which no [store.{store}] table configures: add one, or write `env:` or `file:`"
    )]
    UnknownStore {
        /// The binding.
        secret: String,
        /// The store of its reference.
        store: String,
    },
    /// A secret is to be injected or attached but has no destination.
    #[error(
        "the secret `{0}` is granted for {1} but its [[secret]] block has no `to`: say which origins may receive it"
    )]
    NoDestination(String, &'static str),
    /// A secret could be carried to any host, which a plugin would choose.
    #[error(
        "the secret `{0}` may go to `{1}`, which is every host: name the hosts in `to` of its [[secret]] block"
    )]
    AnyDestination(String, String),
    /// A secret could be carried to any name below a top-level one, most of which are others'.
    #[error(
        "the secret `{secret}` may go to `{origin}`, which is every name below `{label}`: behind `*.` must stand two labels or more, also where the last one is of your own network; name the hosts in `to` of its [[secret]] block, or a name below `{label}`"
    )]
    WideDestination {
        /// The binding.
        secret: String,
        /// The destination.
        origin: String,
        /// What stands behind `*.` there.
        label: String,
    },
    /// There are rules for tokens, and no token can be made.
    #[error(
        "the secret `{0}` has rules for tokens (`jwt`) but `operations` does not list \"jwt\": add it, or remove the rules"
    )]
    UnusedJwt(String),
    /// The rules for tokens do not hold, because tokens can be made without them.
    #[error(
        "the secret `{0}` has rules for tokens (`jwt`) and also allows `{1}`, with which a plugin can make any token: list only one of them, or bind the key twice under two names for two plugins"
    )]
    ForgeableJwt(String, Operation),
    /// No token could be valid.
    #[error("the secret `{0}` has a `lifetime` for tokens below a second: raise it")]
    NoLifetime(String),
}

/// Something that a plugin asked for and may not have. The message names what would allow it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not allowed: {why}; {hint}")]
pub struct Denied {
    /// What was asked for.
    pub what: String,
    /// Which part said no.
    pub why: String,
    /// The line of the grant or manifest that would allow it.
    pub hint: String,
    /// The address that was refused, where the destination itself is granted.
    pub address: Option<IpAddr>,
}
