//! What `wit-bindgen` makes of `wharf:plugin`. Not for plugins: they use the modules of this crate.
//!
//! `wit/` beside this crate is a copy of the project's `/wit`, so that the crate builds wherever it
//! is copied to; a test keeps the two byte for byte alike.

wit_bindgen::generate!({
    path: "wit",
    world: "self-describing-plugin",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "::wharf_plugin::bindings",
    runtime_path: "::wharf_plugin::wit_bindgen_runtime",
});
