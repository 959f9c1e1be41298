//! HTTP requests, as records: [`Request`] in, [`Response`] out. The host sends them, and only where the
//! grant allows. Credentials that the operator bound to a destination are added by the host, so an
//! action usually needs none of its own.
//!
//! Needs `http = [{ origin = "https://api.example.com" }]` under `[capabilities]` in plugin.toml.
//!
//! ```no_run
//! use serde::Deserialize;
//! use wharf_plugin::http;
//!
//! #[derive(Deserialize)]
//! struct User { name: String }
//!
//! # fn run() -> Result<(), wharf_plugin::Error> {
//! let user: User = http::get("https://api.example.com/users")
//!     .query("id", "42")
//!     .send()?
//!     .error_for_status()?
//!     .json()?;
//!
//! // With redirects, retries and a credential of the operator's (*attach*):
//! use wharf_plugin::http::{Client, Credential, Retry};
//! let token = Credential::open("api-token")?;
//! let response = Client::new()
//!     .follow_redirects(3)
//!     .retry(Retry::times(4))
//!     .credential(&token)
//!     .send(&http::post("https://api.example.com/users").json(&["ann"])?)?;
//! # Ok(()) }
//! ```

mod authentication;
mod client;
mod credential;
mod date;
mod error;
mod headers;
mod method;
mod redirect;
mod request;
mod response;
mod retry;
mod url;

pub use authentication::{Authenticated, Authentication};
pub use client::{Client, Plain, Transport};
pub use credential::{Attached, Credential};
pub use error::HttpError;
pub use headers::Headers;
pub use method::{InvalidMethod, Method};
pub use request::{Request, delete, get, head, patch, post, put};
pub use response::Response;
pub use retry::Retry;
