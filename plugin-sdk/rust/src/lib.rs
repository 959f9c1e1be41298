//! Write plugins for Wharf in Rust.
//!
//! A plugin is a WebAssembly component with one or more *actions*: JSON in, JSON out. Here an action
//! is a plain function. Its types become the JSON Schemas of its input and output, its doc comment
//! the description that people see:
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use wharf_plugin::{Error, http, log, progress};
//!
//! /// Whom to look up.
//! #[derive(Deserialize, JsonSchema)]
//! struct Lookup {
//!     /// The login name, such as `ann`.
//!     login: String,
//! }
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct User {
//!     /// How the person wants to be called.
//!     name: String,
//! }
//!
//! /// Looks a user up in the directory.
//! #[wharf_plugin::action(idempotent)]
//! fn find_user(input: Lookup) -> Result<User, Error> {
//!     if input.login.is_empty() {
//!         return Err(Error::invalid_input("/login", "must not be empty"));
//!     }
//!     progress::report(None, "asking the directory");
//!     let response = http::get("https://directory.example.com/users")
//!         .query("login", &input.login)
//!         .send()?;
//!     log::info("the directory answered", &[("status", &response.status())]);
//!     match response.status() {
//!         404 => Err(Error::failed("no-such-user", format!("no user `{}`", input.login))),
//!         _ => response.error_for_status()?.json(),
//!     }
//! }
//!
//! wharf_plugin::export!(find_user);
//!
//! // Natively, the host is one in memory:
//! # fn main() {
//! use serde_json::json;
//! use wharf_plugin::http::Response;
//! use wharf_plugin::testing::{self, Host};
//!
//! let host = Host::new()
//!     .responses([Ok(Response::new(200).with_json(json!({ "name": "Ann" })))])
//!     .install();
//! let output = testing::run(find_user, json!({ "login": "ann" }));
//! assert_eq!(output, Ok(json!({ "name": "Ann" })));
//! assert_eq!(host.requests()[0].request.url(), "https://directory.example.com/users?login=ann");
//! # }
//! ```
//!
//! `Cargo.toml` says `crate-type = ["cdylib", "rlib"]` and depends on `serde`, `schemars` and this
//! crate. `wharf plugin new NAME` writes all of it; `cargo test` tests it; `wharf plugin build` makes the
//! component.
//!
//! # What an action may do
//!
//! Everything is asked for in plugin.toml and granted by the operator. A component imports only
//! what its code uses, and is not even started if it imports what is not granted.
//!
//! | for | use | asked for by |
//! | --- | --- | --- |
//! | lines for people who look into an execution | [`log`] | nothing: always there |
//! | how far along it is | [`progress`] | nothing |
//! | whether to stop, and how much time is left | [`control`] | nothing |
//! | an output too large for memory | [`output`] | nothing |
//! | settings of the operator's | [`config`] | `config = true` |
//! | HTTP; credentials are added by the host (*inject*) | [`http`] | `http = [{ origin = "…" }]` |
//! | HTTP with a credential by name (*attach*) | [`http::Credential`] | `secrets`, rung `attach` |
//! | an HMAC, a signature or a token with a secret (*operate*) | [`secrets`] | `secrets`, rung `operate` |
//! | HTTP that the host authenticates (*operate*) | [`http::Authentication`] | `http` and `secrets`, rung `operate` |
//! | the value of a secret (*reveal*) | [`reveal`] | `secrets`, rung `reveal` |
//!
//! The standard library works as far as WASI goes: time, randomness, standard output and error
//! (they go to the log). There are no files, sockets, threads or environment variables.
//!
//! # When it goes wrong
//!
//! An action answers with an [`Error`], and every error of this crate converts into one, so `?` does
//! the usual thing. Input that does not fit the types never reaches the function: it is
//! [`Error::InvalidInput`] with a JSON Pointer to the place. A panic ends the run in a trap, since
//! a component cannot catch it; its message is logged first. Prefer errors.

pub use wharf_plugin_macros::action;

mod action;
pub mod config;
pub mod control;
mod error;
mod export;
mod host;
pub mod http;
pub mod log;
pub mod output;
mod plugin;
pub mod progress;
pub mod reveal;
pub mod secrets;

#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[doc(hidden)]
#[cfg(target_family = "wasm")]
#[allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]
pub mod bindings;
#[doc(hidden)]
#[cfg(target_family = "wasm")]
pub mod component;
#[doc(hidden)]
#[cfg(target_family = "wasm")]
pub use wit_bindgen::rt as wit_bindgen_runtime;

pub use action::{Action, Encoded, NoInput, Outcome, Output};
pub use error::{Error, Failure, FieldError, Unavailable};
pub use plugin::{Description, Entry, Plugin};

// The macros name this crate as a plugin does, and the examples and tests of this crate use them.
extern crate self as wharf_plugin;
