//! The host side of the WIT, one module per interface.
//!
//! A [`State`] is the data of one store. It is made *unbound*, when every call that reaches
//! anything is denied, and is bound once to an execution with its rights. This crate decides no
//! right itself (that is `wharf-policy`), and must never hand a guest the value of a secret but
//! through `reveal`, connect to an address that was not checked, or hold anything without bound.

#![forbid(unsafe_code)]

mod binding;
mod bindings;
mod budget;
mod config;
mod control;
mod credentials;
mod derived;
mod egress;
mod events;
mod http;
mod limiter;
mod link;
mod log;
mod lowered;
mod output;
mod percent;
mod progress;
mod resolve;
mod reveal;
mod run;
mod scrub;
mod secrets;
mod services;
mod signed_http;
mod sockets;
mod state;
mod stdio;
mod wasi;
mod wasi_http;

pub use binding::{Binding, CancelFlag, Collected, CommandIo, Usage, exit_code};
pub use egress::{Lookup, SystemLookup};
pub use events::{
    AuditEvent, AuditUnavailable, Events, Level, LogLine, LogSource, Progress, SecretUse,
};
pub use limiter::{LimitHit, LimitKind, Limiter};
pub use link::{LinkError, link, link_all};
pub use resolve::{RunSecrets, SHORTEST, SecretError, Secrets, resolve, test};
pub use scrub::{Scrubber, StreamScrubber};
pub use services::{Services, ServicesConfig, ServicesError};
pub use state::State;

#[cfg(test)]
mod tests;
