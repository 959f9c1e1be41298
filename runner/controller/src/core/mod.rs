//! The state machine: which execution is whose, and what is to be done about it.
//!
//! Pure: given the same calls with the same times it does the same. It performs no I/O, reads no
//! clock and holds no channel; what should happen outside it writes into [`Effects`], and the
//! driver carries that out only after the changes among it are durable.

mod attempt;
mod cancel;
mod dispatch;
mod effects;
mod fleet;
mod report;
mod state;
mod submit;
mod view;

pub(crate) use cancel::CancelOutcome;
pub(crate) use effects::{Effects, LinkId};
pub(crate) use fleet::{EnrolRefusal, Greeting, GroupRefusal};
pub(crate) use report::Report;
pub(crate) use state::{Core, Rules};
pub(crate) use submit::{SubmitRefusal, Submitted};

#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
