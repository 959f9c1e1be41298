//! The interfaces called as a guest would call them, on a state without a guest.

mod addresses;
mod answers;
mod audit;
mod connections;
mod egress;
mod headers;
mod http2;
mod interfaces;
mod limits;
mod linking;
mod named_places;
mod operate;
mod placements;
mod requests;
mod secrets;
mod stdio;
mod support;
mod tls;
mod unbound;
mod wasi_http;
