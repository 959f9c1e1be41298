//! Wasmtime: compile, cache, warm pool, limits; runs one action.
