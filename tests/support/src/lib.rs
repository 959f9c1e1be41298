//! Real plugins for the tests and benches of the runner's crates: built by cargo, described,
//! packed, signed by a key of their own, and verified. Never used by anything that ships.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod events;
mod plugins;
mod rights;

pub use events::{Nobody, Recorder};
pub use plugins::{component, packed, verified};
pub use rights::rights;
