//! What crosses crates: end to end, real servers, faults.
