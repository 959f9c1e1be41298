//! A request that the host authenticates with a secret in a way that the plugin names (*operate*).

use super::client::Transport;
use super::error::HttpError;
use super::request::Request;
use super::response::Response;
use crate::host;
use crate::secrets::Secret;

/// How the host authenticates requests with a secret. The plugin sees neither the secret nor what
/// is made of it. The operator lists which of these a secret may be used for, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// `authorization: Bearer SECRET` (RFC 6750).
    Bearer,
    /// `authorization: Basic …` (RFC 7617), with the secret as password.
    Basic {
        /// The user name, without a colon.
        user: String,
    },
    /// AWS Signature Version 4 over the whole request.
    AwsSigv4 {
        /// The region, such as `eu-west-1`.
        region: String,
        /// The name of the service in signatures, such as `execute-api`.
        service: String,
        /// The id of the access key, where neither the operator nor the secret says it.
        access_key_id: Option<String>,
    },
}

impl Authentication {
    /// Basic authentication with this user and the secret as password.
    #[must_use]
    pub fn basic(user: impl Into<String>) -> Self {
        Self::Basic { user: user.into() }
    }

    /// An AWS signature, with the key id that the operator or the secret says.
    #[must_use]
    pub fn aws_sigv4(region: impl Into<String>, service: impl Into<String>) -> Self {
        Self::AwsSigv4 {
            region: region.into(),
            service: service.into(),
            access_key_id: None,
        }
    }
}

/// The transport of a [`Client`](super::Client) whose requests the host authenticates, except those
/// that a redirect leads to another origin.
#[derive(Debug, Clone, Copy)]
pub struct Authenticated<'a> {
    pub(super) secret: &'a Secret,
    pub(super) how: &'a Authentication,
}

impl Transport for Authenticated<'_> {
    fn send(&self, request: &Request, left_origin: bool) -> Result<Response, HttpError> {
        if left_origin {
            host::http_send(request)
        } else {
            host::http_send_authenticated(request, self.secret.handle(), self.how)
        }
    }
}
