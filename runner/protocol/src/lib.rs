//! The frames between runner and controller, transport-free.
