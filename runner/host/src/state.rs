//! The data of one store, from unbound to bound to over.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wharf_policy::Limits;

use crate::limiter::Limiter;
use crate::output::Output;
use crate::run::Run;
use crate::sockets::Sockets;
use crate::stdio::Stdio;
use crate::wasi_http::Hooks;
use crate::{Binding, Collected, LimitHit, Usage, wasi};

/// A host call that reaches something, made before the instance was bound to an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "denied: `{0}` was called before the instance was bound to an execution; call it from an action, not from an initialiser"
)]
pub(crate) struct Unbound(pub(crate) &'static str);

/// What is kept of a run that is over.
struct Over {
    usage: Usage,
    hit: Option<LimitHit>,
}

/// The data of one store.
pub struct State {
    pub(crate) table: ResourceTable,
    pub(crate) run: Option<Arc<Run>>,
    pub(crate) output: Output,
    pub(crate) ignored: u32,
    pub(crate) sockets: Sockets,
    over: Option<Over>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    stdio: Stdio,
    limiter: Limiter,
    resources: u32,
}

impl State {
    /// A state without an execution: what reaches anything is denied, log and progress go
    /// nowhere and are counted, and the limits hold already.
    pub fn unbound(limits: &Limits) -> Self {
        let stdio = Stdio::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources as usize);
        Self {
            table,
            run: None,
            output: Output::default(),
            ignored: 0,
            sockets: Sockets::default(),
            over: None,
            wasi: wasi::context(&stdio, None),
            http: wasi::http_context(),
            hooks: Hooks::default(),
            stdio,
            limiter: Limiter::new(limits),
            resources: limits.resources,
        }
    }

    /// Binds it to an execution. Only the first binding counts: one instance, one run.
    pub fn bind(&mut self, binding: Binding) {
        if self.run.is_some() || self.over.is_some() {
            return;
        }
        tracing::debug!(execution = %binding.execution, attempt = binding.attempt, "bound");
        let limits = *binding.rights.limits();
        let command = binding.command.clone();
        let run = Arc::new(Run::new(binding));
        self.table.set_max_capacity(limits.resources as usize);
        self.resources = limits.resources;
        self.limiter.rebind(&limits);
        self.stdio.bind(&run, command.as_ref());
        if command.is_some() {
            self.wasi = wasi::context(&self.stdio, command.as_ref());
        }
        self.output.bind(&run);
        self.hooks.bind(&run);
        self.sockets.bind(&run);
        self.run = Some(run);
    }

    /// What is left of the run, scrubbed. Tells how many lines of log were dropped, if any. From
    /// here on nothing of the run is held, although the instance may be dropped later: its secrets
    /// are let go, its connections are closed, and every call is denied as before the binding.
    pub fn take(&mut self) -> Collected {
        let stdout = self.stdio.finish();
        let output = self.output.finish();
        let usage = self.usage();
        let Some(run) = self.run.take() else {
            return Collected {
                usage,
                ..Collected::default()
            };
        };
        run.end();
        self.over = Some(Over {
            usage,
            hit: run.stopped_by(),
        });
        self.hooks.release();
        self.sockets.close();
        self.table = ResourceTable::new();
        Collected {
            output,
            stdout,
            usage,
        }
    }

    /// For [`wasmtime::Store::limiter`].
    pub fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }

    /// The limit that host code ended the run for.
    pub fn stopped_by(&self) -> Option<LimitHit> {
        match (&self.run, &self.over) {
            (Some(run), _) => run.stopped_by(),
            (None, over) => over.as_ref().and_then(|over| over.hit),
        }
    }

    /// The limit behind an error that the guest's call ended in: one that host code ended it for,
    /// a full resource table, or growth that was refused and that the guest could not do without.
    pub fn limit_behind(&self, error: &wasmtime::Error) -> Option<LimitHit> {
        self.stopped_by()
            .or_else(|| LimitHit::of_error(error, u64::from(self.resources)))
            .or_else(|| self.limiter.hit())
    }

    /// The run, while it lasts: what a guest keeps of it longer is worth nothing.
    pub(crate) fn live(&self) -> Option<&Arc<Run>> {
        self.run.as_ref().filter(|run| !run.is_over())
    }

    /// The run, for calls that mean nothing without one.
    pub(crate) fn bound(&self, call: &'static str) -> Result<&Arc<Run>, Unbound> {
        self.run.as_ref().ok_or(Unbound(call))
    }

    fn usage(&self) -> Usage {
        if let Some(over) = &self.over {
            return over.usage;
        }
        let mut usage = Usage {
            memory: self.limiter.memory(),
            ignored_unbound: self.ignored.saturating_add(self.stdio.ignored()),
            ..Usage::default()
        };
        if let Some(run) = &self.run {
            let log = run.budget.used();
            usage.log_entries = log.entries;
            usage.log_bytes = log.bytes;
            usage.log_dropped = log.dropped;
            run.traffic.tell(&mut usage);
        }
        usage
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
