//! One instance: a store, the component in it, and its clocks. Made unbound, bound once, run once,
//! dropped.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::Store;
use wasmtime::component::{Instance as Component, InstancePre};
use wharf_host::{Binding, State};
use wharf_policy::Limits;

use crate::Cancel;
use crate::meter::Meter;

/// An instance and what is around it.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    pub(crate) component: Component,
    pub(crate) meter: Arc<Meter>,
}

/// A component did not come to life. The store is what can tell the limit behind it.
pub(crate) struct Stillborn {
    pub(crate) error: wasmtime::Error,
    pub(crate) store: Store<State>,
    pub(crate) meter: Arc<Meter>,
}

impl Instance {
    /// Instantiates a component, unbound. What it runs to initialise itself is under the limits
    /// already; a future that is dropped leaves nothing.
    pub(crate) async fn make(
        pre: &InstancePre<State>,
        limits: &Limits,
        until: Instant,
        cancel: Option<&Cancel>,
    ) -> Result<Self, Box<Stillborn>> {
        let begun = Instant::now();
        let meter = Arc::new(Meter::new(
            limits.cpu.duration(),
            until.saturating_duration_since(begun),
        ));
        if let Some(cancel) = cancel {
            meter.watch(cancel.clone());
        }
        let mut store = Store::new(pre.engine(), State::unbound(limits));
        store.limiter(|state| state.limiter());
        store.set_hostcall_fuel(usize::try_from(limits.host_call.get()).unwrap_or(usize::MAX));
        // One: wasmtime looks at the callback at the very next tick, and it renews from there.
        store.set_epoch_deadline(1);
        let clock = Arc::clone(&meter);
        store.epoch_deadline_callback(move |_| clock.tick());
        match meter.measure(pre.instantiate_async(&mut store)).await {
            Ok(component) => Ok(Self {
                store,
                component,
                meter,
            }),
            Err(error) => Err(Box::new(Stillborn {
                error,
                store,
                meter,
            })),
        }
    }

    /// Makes it an execution.
    pub(crate) fn bind(&mut self, binding: Binding, deadline: Instant, cancel: Cancel) {
        self.meter.bind(deadline, cancel);
        self.store.data_mut().bind(binding);
        // The clock of an instance that waited in the pool has long passed its deadline.
        self.store.set_epoch_deadline(1);
    }
}
