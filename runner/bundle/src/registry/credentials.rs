//! Credentials of a registry.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// The user name with which credential helpers say that the password is an identity token.
const TOKEN_USER: &str = "<token>";

/// What proves to a registry who asks. Never printed.
#[derive(Clone)]
pub(super) enum Credentials {
    /// A user name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A token that a token service exchanges.
    Identity(SecretString),
}

impl Credentials {
    /// A name and a password, as Docker keeps them.
    pub(super) fn of(user: String, password: SecretString) -> Self {
        match user.as_str() {
            TOKEN_USER => Self::Identity(password),
            _ => Self::Password { user, password },
        }
    }

    /// `user:password`, which is then encoded.
    pub(super) fn basic(&self) -> Option<Zeroizing<String>> {
        match self {
            Self::Password { user, password } => Some(Zeroizing::new(format!(
                "{user}:{}",
                password.expose_secret()
            ))),
            Self::Identity(_) => None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Credentials(password)",
            Self::Identity(_) => "Credentials(identity token)",
        })
    }
}

/// A secret in a JSON document.
pub(super) struct SecretText(Zeroizing<String>);

impl SecretText {
    /// The text, unless it is empty.
    pub(super) fn get(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(document: D) -> Result<Self, D::Error> {
        String::deserialize(document).map(|text| Self(Zeroizing::new(text)))
    }
}
