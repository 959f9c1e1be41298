//! The one place that turns bytes into code that runs, and so the one with `unsafe`.

#![allow(unsafe_code)]

use wasmtime::component::Component;

use super::artifact::Authentic;

/// Loads compiled code.
pub(super) fn component(
    engine: &wasmtime::Engine,
    code: Authentic<'_>,
) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` asks that the bytes are unmodified output of `Component::serialize` or
    // `precompile_component` of a compatible wasmtime. `Authentic` is only made after an HMAC over
    // these very bytes was checked under a key that only this user on this host can read, and this
    // crate puts that tag on nothing but `serialize`'s output (`DiskCache::store`). The tag also
    // covers the engine's compatibility hash, and wasmtime checks its version and settings again.
    // The bytes are in memory of this process: the file can change without effect.
    unsafe { Component::deserialize(engine, code.code()) }
}
