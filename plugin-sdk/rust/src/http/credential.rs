//! A credential that is put on requests without being seen (*attach*).

use super::client::Transport;
use super::error::HttpError;
use super::request::Request;
use super::response::Response;
use crate::host;
use crate::secrets::SecretError;

/// A credential to put on requests. The plugin never sees its value; which header or query it goes into, and to
/// which destinations, is the operator's word.
///
/// Needs `secrets = [{ name = "…", rungs = ["attach"] }]` under `[capabilities]` in plugin.toml.
#[derive(Debug)]
pub struct Credential {
    name: String,
    handle: host::CredentialHandle,
}

/// The transport of a [`Client`](super::Client) that puts a credential on its requests, except those that a
/// redirect leads to another origin.
#[derive(Debug, Clone, Copy)]
pub struct Attached<'a>(pub(super) &'a Credential);

impl Credential {
    /// Takes a handle on the credential of that name.
    pub fn open(name: &str) -> Result<Self, SecretError> {
        let handle = host::credential_open(name)?;
        Ok(Self {
            name: name.to_owned(),
            handle,
        })
    }

    /// The name it was opened by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Transport for Attached<'_> {
    fn send(&self, request: &Request, left_origin: bool) -> Result<Response, HttpError> {
        if left_origin {
            host::http_send(request)
        } else {
            host::http_send_with(request, &self.0.handle)
        }
    }
}
