//! An in-memory host, so that the unit tests of a plugin run natively with `cargo test`.
//!
//! Like the real one it grants nothing that it was not told to grant, and its clock is its own:
//! waiting takes no time. It belongs to the thread of the test that installs it.
//!
//! ```
//! use serde_json::json;
//! use wharf_plugin::http::{self, Response};
//! use wharf_plugin::testing::Host;
//!
//! let host = Host::new()
//!     .config("region", "eu-1")
//!     .http(|request| {
//!         assert_eq!(request.url(), "https://api.example.com/");
//!         Ok(Response::new(200).with_json(json!({ "name": "ann" })))
//!     })
//!     .install();
//!
//! let response = http::get("https://api.example.com/").send()?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(wharf_plugin::config::get("region").as_deref(), Some("eu-1"));
//! assert_eq!(host.requests().len(), 1);
//! # Ok::<(), wharf_plugin::Error>(())
//! ```
//!
//! An action can be called as the function it is, or with [`run`], which takes and gives JSON by
//! the code that runs in the component.

pub(crate) mod backend;
mod host;
mod keys;
mod state;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::action::{Encoded, Outcome, Output, decode};
use crate::error::Error;

pub use host::{Host, Installed};
pub use state::{LogLine, Progress, SentRequest};

/// Runs an action on an input, JSON to JSON, as the component would.
///
/// ```
/// use serde_json::json;
/// use wharf_plugin::{Error, testing};
///
/// /// Doubles a number.
/// #[wharf_plugin::action]
/// fn double(n: i32) -> Result<i32, Error> {
///     Ok(n * 2)
/// }
///
/// assert_eq!(testing::run(double, json!(21)), Ok(json!(42)));
/// assert!(matches!(testing::run(double, json!("x")), Err(Error::InvalidInput(_))));
/// ```
///
/// # Errors
/// `InvalidInput` if the input does not fit, and whatever the action answers.
pub fn run<I, R>(action: impl FnOnce(I) -> R, input: impl Serialize) -> Result<Value, Error>
where
    I: DeserializeOwned,
    R: Outcome,
{
    let input = serde_json::to_string(&input)?;
    let document = match action(decode(&input)?).settle()?.encode()? {
        Encoded::Json(document) => document.into_bytes(),
        Encoded::Streamed => state::current().borrow().output.clone(),
    };
    serde_json::from_slice(&document).map_err(|e| {
        Error::failed(
            "output",
            format_args!("what the action wrote is not one JSON document: {e}"),
        )
    })
}
