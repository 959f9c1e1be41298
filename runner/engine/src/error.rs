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
        "memory of {asked} is granted, but this runner gives at most {most}: `limits = {{ memory = \"{most}\" }}` in the [[grant]] for this plugin lets it run with that"
    )]
    MemoryTooLarge {
        /// The limit in the grant.
        asked: ByteSize,
        /// The engine's.
        most: ByteSize,
    },
    /// A grant gives larger tables than the engine can.
    #[error(
        "tables of {asked} elements are granted, but this runner gives at most {most}: `limits = {{ table-elements = {most} }}` in the [[grant]] for this plugin lets it run with that"
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

#[cfg(test)]
mod tests {
    use wharf_policy::{Interface, LimitRequest, Policy};

    use super::*;

    /// Whether the operator can do something about it: what the plugin is cannot be granted.
    fn has_a_line(refused: &Refused) -> bool {
        // A new refusal has to say here whether it names a line.
        match refused {
            Refused::NotGranted { .. }
            | Refused::MemoryTooLarge { .. }
            | Refused::TablesTooLarge { .. } => true,
            Refused::UnknownAction { .. }
            | Refused::UnknownImport { .. }
            | Refused::Mismatch(_)
            | Refused::Input(_) => false,
        }
    }

    /// A grant with the lines that a message names in backticks.
    fn pasted(refused: &Refused) -> Option<Policy> {
        let message = refused.to_string();
        let lines: Vec<&str> = message
            .split('`')
            .filter(|part| {
                part.parse::<toml::Table>()
                    .is_ok_and(|table| !table.is_empty())
            })
            .collect();
        if lines.is_empty() {
            return None;
        }
        // Those of the grant stand behind those of the manifest.
        let mut grant = toml::Table::new();
        for line in lines {
            grant.extend(line.parse::<toml::Table>().unwrap());
        }
        grant.insert("plugins".to_owned(), vec!["*"].into());
        let policy = toml::Table::from_iter([("grant".to_owned(), vec![grant].into())]);
        let policy = Policy::from_toml(&policy.to_string());
        Some(policy.unwrap_or_else(|error| panic!("{error}: {message}")))
    }

    #[test]
    fn every_refusal_that_a_grant_can_mend_names_the_line() {
        let most = ByteSize::mib(512);
        let words = || "words".to_owned();
        let grant = Interface::ALL.into_iter().find_map(Interface::grant_hint);
        for refused in [
            Refused::UnknownAction {
                plugin: words(),
                action: words(),
                known: vec![],
            },
            Refused::UnknownImport { import: words() },
            Refused::NotGranted {
                import: words(),
                grant: grant.unwrap().to_owned(),
            },
            Refused::Mismatch(words()),
            Refused::MemoryTooLarge {
                asked: ByteSize::mib(1024),
                most,
            },
            Refused::TablesTooLarge {
                asked: 2000,
                most: 1000,
            },
            Refused::Input(vec![]),
        ] {
            let policy = pasted(&refused);
            assert_eq!(policy.is_some(), has_a_line(&refused), "{refused}");
            let limits =
                policy.map_or_else(LimitRequest::default, |policy| policy.grants[0].limits);
            match refused {
                Refused::MemoryTooLarge { .. } => assert_eq!(limits.memory, Some(most)),
                Refused::TablesTooLarge { .. } => assert_eq!(limits.table_elements, Some(1000)),
                _ => {}
            }
        }
    }
}
