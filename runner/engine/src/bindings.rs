//! The exports of a plugin, as types. What it imports is `wharf-host`'s.

#![allow(missing_docs, unreachable_pub)]

pub(crate) mod actions {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "package wharf:engine; world runs { export wharf:plugin/actions@0.1.0; }",
        world: "wharf:engine/runs",
        exports: { default: async },
        // The input is copied once: from the call into the guest.
        ownership: Borrowing { duplicate_if_necessary: true },
    });

    pub(crate) use self::exports::wharf::plugin::actions::{Call, GuestIndices, Output};
    pub(crate) use self::wharf::plugin::types::ActionError;
}

pub(crate) mod description {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "package wharf:engine; world tells { export wharf:plugin/description@0.1.0; }",
        world: "wharf:engine/tells",
        exports: { default: async },
    });

    pub(crate) use self::exports::wharf::plugin::description::{Action, GuestIndices};
}

/// `wasi:cli/run`, of any 0.2 version.
pub(crate) mod command {
    pub(crate) use wasmtime_wasi::p2::bindings::exports::wasi::cli::run::GuestIndices;
}
