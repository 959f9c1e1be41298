//! Push and pull, against a registry that is honest and then is not.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod attesting;
#[path = "../common/mod.rs"]
mod common;
mod credentials;
mod failing;
mod fake;
mod hostile;
mod publishing;

use std::sync::Arc;

use wharf_bundle::oci::{Published, Reference};
use wharf_bundle::registry::{Access, Client, Options, Pulled, Pushed, RegistryError, Silent};

use common::key;

/// A plugin that is signed by these keys.
fn signed_by(keys: &[&wharf_bundle::SigningKey]) -> Published {
    common::published("http", "1.0.0", keys)
}

fn signed() -> Published {
    signed_by(&[key()])
}

fn client(reference: &Reference, access: Access, options: &Options) -> Client {
    Client::new(reference, access, options).unwrap()
}

async fn push(to: &Reference, published: &Published) -> Result<Pushed, RegistryError> {
    client(to, Access::Push, &Options::default())
        .push(published, Arc::new(Silent))
        .await
}

async fn pull(from: &Reference) -> Result<Pulled, RegistryError> {
    client(from, Access::Pull, &Options::default())
        .pull(None, &Silent)
        .await
}
