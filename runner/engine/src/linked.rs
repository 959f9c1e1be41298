//! A component linked under some rights: what is not granted is not there. Checked by name first,
//! so that a refusal names the import and the grant that would allow it.

use std::sync::Arc;

use wasmtime::component::types::Component as ComponentType;
use wasmtime::component::{InstancePre, Linker};
use wharf_host::State;
use wharf_policy::{Interface, Rights};

use crate::bindings::{actions, command};
use crate::config::EngineConfig;
use crate::{Plugin, Refused};

/// A component that has everything it imports, and nothing else.
pub(crate) struct Linked {
    pub(crate) pre: InstancePre<State>,
    pub(crate) rights: Arc<Rights>,
    pub(crate) entries: Entries,
}

/// Where a call enters. Looked up once.
pub(crate) struct Entries {
    pub(crate) actions: Option<actions::GuestIndices>,
    pub(crate) command: Option<command::GuestIndices>,
}

impl Linked {
    pub(crate) fn new(
        engine: &wasmtime::Engine,
        config: &EngineConfig,
        plugin: &Plugin,
        rights: Arc<Rights>,
    ) -> Result<Self, Refused> {
        check_limits(config, &rights)?;
        let kind = plugin.component().component_type();
        check_imports(engine, &kind, &rights)?;
        let mut linker = Linker::new(engine);
        wharf_host::link(&mut linker, &rights)
            .map_err(|error| Refused::Mismatch(error.to_string()))?;
        let pre = linker
            .instantiate_pre(plugin.component())
            .map_err(|error| Refused::Mismatch(format!("{error:#}")))?;
        let entries = Entries {
            actions: actions::GuestIndices::new(&pre).ok(),
            command: command::GuestIndices::new(&pre).ok(),
        };
        Ok(Self {
            pre,
            rights,
            entries,
        })
    }
}

/// Limits that the pool of this engine cannot give are refused, not silently lowered.
fn check_limits(config: &EngineConfig, rights: &Rights) -> Result<(), Refused> {
    let limits = rights.limits();
    if limits.memory > config.max_memory {
        return Err(Refused::MemoryTooLarge {
            asked: limits.memory,
            most: config.max_memory,
        });
    }
    if limits.table_elements > config.max_table_elements {
        return Err(Refused::TablesTooLarge {
            asked: limits.table_elements,
            most: config.max_table_elements,
        });
    }
    Ok(())
}

fn check_imports(
    engine: &wasmtime::Engine,
    component: &ComponentType,
    rights: &Rights,
) -> Result<(), Refused> {
    for (import, _) in component.imports(engine) {
        let Some(interface) = Interface::of_import(import) else {
            return Err(Refused::UnknownImport {
                import: import.to_owned(),
            });
        };
        if !rights.allows(interface) {
            return Err(Refused::NotGranted {
                import: import.to_owned(),
                grant: interface.grant_hint().unwrap_or("a grant").to_owned(),
            });
        }
    }
    Ok(())
}
