//! The one place that knows whether there is a host: in a component, every function is an import;
//! natively, the in-memory host of [`crate::testing`]. Each import has its function and nothing
//! gathers them in a table, so that the linker drops what a plugin does not use.

#[cfg(target_family = "wasm")]
mod wasm;
#[cfg(target_family = "wasm")]
pub(crate) use wasm::*;

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::backend::*;
