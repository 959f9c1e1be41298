//! A plugin that is verified, compiled and ready to be linked.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::Component;
use wharf_bundle::{Command, Manifest};
use wharf_policy::{ActionName, Digest};

use crate::EngineError;
use crate::schema::Schema;

/// A loaded plugin. Cheap to clone.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    digest: Digest,
    manifest: Manifest,
    component: Component,
    actions: BTreeMap<ActionName, Arc<Action>>,
}

/// What a run needs to know of an action.
pub(crate) struct Action {
    pub(crate) name: ActionName,
    pub(crate) input: Schema,
    pub(crate) output: Schema,
    /// How to run it as a program; none if it is run through `wharf:plugin/actions`.
    pub(crate) command: Option<Command>,
}

impl Plugin {
    pub(crate) fn new(
        digest: Digest,
        manifest: Manifest,
        component: Component,
    ) -> Result<Self, EngineError> {
        let actions = manifest
            .actions
            .iter()
            .map(|(name, action)| {
                let schema = |which, schema| {
                    Schema::compile(schema).map_err(|why| EngineError::Schema {
                        digest,
                        action: name.to_string(),
                        which,
                        why,
                    })
                };
                let action = Action {
                    name: name.clone(),
                    input: schema("input", &action.input_schema)?,
                    output: schema("output", &action.output_schema)?,
                    command: action.command.clone(),
                };
                Ok((name.clone(), Arc::new(action)))
            })
            .collect::<Result<_, EngineError>>()?;
        Ok(Self(Arc::new(Inner {
            digest,
            manifest,
            component,
            actions,
        })))
    }

    /// The digest of the component.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The signed manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    #[cfg(test)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn component(&self) -> &Component {
        &self.0.component
    }

    pub(crate) fn action(&self, name: &ActionName) -> Option<&Arc<Action>> {
        self.0.actions.get(name)
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Plugin({}@{} {})",
            self.0.manifest.name, self.0.manifest.version, self.0.digest
        )
    }
}
