//! Why an engine cannot start, load or describe, and why a run is refused before it begins.

use serde::{Deserialize, Serialize};
use wharf_policy::{ByteSize, Digest};

use crate::FieldError;

/// The engine cannot do its part, whatever the plugin does.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The engine cannot be set up on this machine.
    #[error(
        "the WebAssembly engine cannot start: {0}; where address space is limited (ulimit -v), lower `max_instances`"
    )]
    Start(String),
    /// The bytes are WebAssembly, but a core module.
    #[error(
        "{0} is a core module, not a component: build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule(Digest),
    /// The bytes are not a component that this engine can compile.
    #[error("{digest} cannot be compiled: {why}")]
    Compile {
        /// The component.
        digest: Digest,
        /// What the compiler says.
        why: String,
    },
    /// A schema of the manifest is not one.
    #[error("the {which} schema of action `{action}` in {digest} cannot be used: {why}")]
    Schema {
        /// The component.
        digest: Digest,
        /// The action.
        action: String,
        /// `input` or `output`.
        which: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The component did not answer when asked to describe itself.
    #[error("{digest} cannot describe itself: {why}")]
    Describe {
        /// The component.
        digest: Digest,
        /// What it did instead.
        why: String,
    },
}

/// A run is not begun. Nothing of the plugin has run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// The manifest has no such action.
    #[error("`{plugin}` has no action `{action}`; it has: {}", known.join(", "))]
    UnknownAction {
        /// The plugin.
        plugin: String,
        /// The action that was asked for.
        action: String,
        /// The actions there are.
        known: Vec<String>,
    },
    /// The plugin imports something that this host does not have.
    #[error(
        "the plugin imports `{import}`, which this host does not offer to any plugin: no grant can allow it"
    )]
    UnknownImport {
        /// The import.
        import: String,
    },
    /// The plugin imports something that is not granted.
    #[error("the plugin imports `{import}`, which is not granted: {grant} would allow it")]
    NotGranted {
        /// The import.
        import: String,
        /// What would allow it.
        grant: String,
    },
    /// The plugin imports something in a form that this host does not have.
    #[error("the plugin does not fit this host: {0}")]
    Mismatch(String),
    /// A grant gives more memory than the engine can.
    #[error(
        "memory of {asked} is granted, but this runner gives at most {most}: lower `limits = {{ memory = \"…\" }}` in the [[grant]]"
    )]
    MemoryTooLarge {
        /// The limit in the grant.
        asked: ByteSize,
        /// The engine's.
        most: ByteSize,
    },
    /// A grant gives larger tables than the engine can.
    #[error(
        "tables of {asked} elements are granted, but this runner gives at most {most}: lower `limits = {{ table-elements = … }}` in the [[grant]]"
    )]
    TablesTooLarge {
        /// The limit in the grant.
        asked: u32,
        /// The engine's.
        most: u32,
    },
    /// The input is not what the action's schema asks for.
    #[error("the input does not fit the action: {}", FieldError::list(.0))]
    Input(Vec<FieldError>),
}
