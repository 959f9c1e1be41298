//! Where secrets come from and where they must not be, afterwards or ever.

#![allow(clippy::unwrap_used)]

mod canary;
mod everywhere;
mod lent;
mod memory;
mod s3;
mod told;
