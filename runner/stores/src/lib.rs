//! Where secrets come from: stores behind one trait, chosen by the name in a reference.
//!
//! A value leaves this crate only as a [`SecretValue`], which is wiped when it is dropped and
//! shows nothing when it is printed. What a store lends for one execution comes with a guard that
//! renews it while the execution runs and gives it back when it ends. Nothing here may log a
//! value, put one into an error, or decide who may use it.

#![forbid(unsafe_code)]

#[cfg(any(
    feature = "vault",
    feature = "aws",
    feature = "gcp",
    feature = "kubernetes"
))]
mod address;
#[cfg(feature = "age")]
mod age;
#[cfg(feature = "aws")]
mod aws;
#[cfg(any(
    feature = "vault",
    feature = "aws",
    feature = "gcp",
    feature = "kubernetes"
))]
mod bounds;
#[cfg(any(feature = "vault", feature = "gcp"))]
#[cfg(any(feature = "aws", feature = "kubernetes"))]
mod client;
mod credential;
mod document;
mod env;
mod error;
#[cfg(any(feature = "vault", feature = "gcp"))]
mod failure;
mod file;
#[cfg(feature = "gcp")]
mod gcp;
#[cfg(any(feature = "vault", feature = "gcp"))]
mod http;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod lease;
mod open;
mod period;
mod place;
mod registry;
mod sealed;
mod slot;
mod source;
mod store;
mod value;
#[cfg(feature = "vault")]
mod vault;
#[cfg(any(feature = "aws", feature = "gcp", feature = "kubernetes"))]
mod within;

pub use document::{ALL_FIELDS, Document, Fields, Lease, Lifetime};
pub use env::EnvStore;
pub use error::{StoreError, Trouble};
#[cfg(any(feature = "vault", feature = "gcp"))]
pub use failure::why as why_it_failed;
pub use file::FileStore;
pub use lease::Leases;
pub use open::OpenError;
pub use place::Place;
pub use registry::{Freshness, Presence, Resolution, ResolveError, Stores};
pub use sealed::{
    LARGEST_SEALED, Label, Membership, Newest, NotTaken, PutAt, RunnerKey, SealError,
    SealedRefusal, SealedStore, Shelf, ShelfError, Shelved, put_at, recipients, seal,
};
pub use store::SecretStore;
pub use value::{LARGEST, SecretValue};

#[cfg(test)]
mod tests;
