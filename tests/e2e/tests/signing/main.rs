//! Signing from the command line. One program, so that the plugins it signs are built once.

#![allow(clippy::unwrap_used)]

mod by_identity;
mod by_key;
mod interop;
