//! The frames between runner and controller, as MessagePack, without a transport.
//!
//! A transport carries *messages*; a message is one or more frames, one behind the other. The
//! runner dials; the controller speaks first, with a [`Challenge`]. This crate encodes, decodes
//! and bounds; it must never open a connection or decide what a frame means.

#![forbid(unsafe_code)]

mod codec;
mod frame;
mod handshake;
mod id;
mod verdict;

pub use codec::{DecodeError, MAX_INLINE, MAX_MESSAGE, decode, encode};
pub use frame::{
    Acceptance, Assignment, AuditHead, HandBackReason, Level, LogEntry, Payload, Pipe, Progress,
    ToController, ToRunner,
};
pub use handshake::{Challenge, Hello, PROTOCOL, hello_message};
pub use id::{AttemptKey, BootId, ExecutionId, GroupName, IdError, RunnerId};
pub use verdict::{ActionFailure, FailureKind, FieldError, Timings, Usage, Verdict};
