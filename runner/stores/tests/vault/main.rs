//! The `vault` kind against a real OpenBao, and its dynamic secrets against a real PostgreSQL.

#![cfg(feature = "vault")]
#![allow(clippy::unwrap_used)]

mod database;
mod faults;
mod kv;
mod login;
mod support;
