//! Asks a component what its actions are. For packing on the author's machine: a runner learns a
//! plugin's shape from the signed manifest, never by running it.

use std::time::{Duration, Instant};

use wasmtime::component::{Component, Linker};
use wharf_bundle::Description;
use wharf_host::State;
use wharf_policy::{
    ActionName, CallRights, Capabilities, Digest, LimitRequest, ParseError, PluginName, Policy,
    Rights,
};

use crate::EngineError;
use crate::bindings::description::{Action, GuestIndices};
use crate::instance::Instance;

/// Long enough for the slowest language runtime to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// The actions of this component, or none if it does not export `wharf:plugin/description`.
pub(crate) async fn describe(
    engine: &wasmtime::Engine,
    digest: Digest,
    component: &Component,
) -> Result<Option<Vec<Description>>, EngineError> {
    let fail = |why: String| EngineError::Describe { digest, why };
    let rights = no_rights().map_err(|error| fail(error.to_string()))?;
    let mut linker = Linker::<State>::new(engine);
    wharf_host::link_all(&mut linker).map_err(|error| fail(error.to_string()))?;
    let pre = linker.instantiate_pre(component).or_else(|_| {
        // What it imports beyond that is there to be imported, and cannot be called. Not done where
        // nothing is missing: it puts resources of its own in the place of aliases.
        linker.define_unknown_imports_as_traps(component)?;
        linker.instantiate_pre(component)
    });
    let pre = pre.map_err(|error| fail(format!("{error:#}")))?;
    let Ok(entry) = GuestIndices::new(&pre) else {
        return Ok(None);
    };
    // The instance is never bound, so every host call that reaches anything answers denied.
    let told = async {
        let mut instance = Instance::make(&pre, rights.limits(), Instant::now() + PATIENCE, None)
            .await
            .map_err(|dead| dead.error)?;
        let guest = entry.load(&mut instance.store, &instance.component)?;
        instance
            .meter
            .measure(guest.call_describe(&mut instance.store))
            .await
    };
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(Ok(actions)) => Ok(Some(actions.into_iter().map(description).collect())),
        Ok(Err(error)) => Err(fail(format!(
            "it broke off ({}); `describe` must only tell what is known at build time",
            error.root_cause()
        ))),
        Err(_) => Err(fail(format!("it took longer than {PATIENCE:?}"))),
    }
}

fn description(action: Action) -> Description {
    Description {
        name: action.name,
        description: action.description,
        input_schema: action.input_schema,
        output_schema: action.output_schema,
        idempotent: action.idempotent,
    }
}

/// Nothing but what every plugin has.
fn no_rights() -> Result<Rights, ParseError> {
    let plugin: PluginName = "described".parse()?;
    let action: ActionName = "describe".parse()?;
    Ok(Rights::effective(
        &plugin,
        &action,
        &Capabilities::default(),
        &LimitRequest::default(),
        &Policy::default(),
        &CallRights::default(),
    ))
}
