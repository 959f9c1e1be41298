//! One run, from the call to the report: check the input, get an instance, bind it, enter the
//! guest under its limits, check what comes out, drop the instance.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wharf_bundle::Command;
use wharf_host::{Binding, CommandIo, Events};
use wharf_policy::{ByteSize, Digest, Limits, Rights};

use crate::bindings::actions::{self, Output};
use crate::instance::{Instance, Stillborn};
use crate::linked::Linked;
use crate::meter::Interrupted;
use crate::plugin::Action;
use crate::pool::{Pool, Running};
use crate::stderr::Tail;
use crate::{Call, Cancel, Outcome, Refused, Report, Start, Stop, Timings, Usage, finish};

/// An action that is linked under some rights and can be run, again and again, by many at once.
/// Cheap to clone.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) digest: Digest,
    pub(crate) action: Arc<Action>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) running: Arc<Semaphore>,
    pub(crate) stack: ByteSize,
}

/// What is put together while a run goes on.
struct Progress {
    begun: Instant,
    entered: Option<Instant>,
    left: Option<Instant>,
    start: Start,
    usage: Usage,
}

impl Prepared {
    /// The digest of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What its runs may do.
    pub fn rights(&self) -> &Arc<Rights> {
        &self.pool.linked().rights
    }

    /// Makes warm instances now rather than after the first run. Must be called on a tokio runtime.
    pub fn warm_up(&self) {
        self.pool.keep();
    }

    /// Warm instances that are waiting.
    pub fn warm(&self) -> usize {
        self.pool.waiting()
    }

    /// Runs the action. Must be called on a tokio runtime. Dropping the future ends the run and
    /// frees all that it holds.
    pub async fn run(&self, call: Call) -> Report {
        let mut progress = Progress {
            begun: Instant::now(),
            entered: None,
            left: None,
            start: Start::None,
            usage: Usage::default(),
        };
        let outcome = self.attempt(call, &mut progress).await;
        progress.report(outcome)
    }

    async fn attempt(&self, call: Call, progress: &mut Progress) -> Outcome {
        let linked = self.pool.linked();
        let limits = linked.rights.limits();
        if call.input.as_str().len() as u64 > limits.input.get() {
            return Outcome::Stopped(Stop::Input(limits.input));
        }
        if let Err(errors) = self.action.input.check(call.input.as_str()) {
            return Outcome::Refused(Refused::Input(errors));
        }
        let deadline = progress.begun + limits.deadline.duration();
        let cancel = call.cancel.clone();
        let started = self.start(limits, deadline, &cancel);
        let (mut running, start) = match within(deadline, &cancel, started).await {
            Ok(Ok(started)) => started,
            Ok(Err(dead)) => {
                progress.usage.cpu_us = micros(dead.meter.spent());
                return self.stillborn(&dead, limits, &call);
            }
            Err(why) => return finish::interrupted(why, limits),
        };
        progress.start = start;
        progress.entered = Some(Instant::now());

        let instance = &mut running.instance;
        let outcome = match &self.action.command {
            None => self.call_action(instance, call, deadline, progress).await,
            Some(command) => {
                self.call_command(instance, call, command, deadline, progress)
                    .await
            }
        };
        progress.usage.cpu_us = micros(running.instance.meter.spent());
        if matches!(outcome, Outcome::Done(_) | Outcome::Failed(_)) {
            self.pool.retire(running);
        }
        // What was stopped or cancelled is gone when that is told.
        outcome
    }

    /// An instance: a warm one, or one made now. Waits for its turn where too many run.
    async fn start(
        &self,
        limits: &Limits,
        deadline: Instant,
        cancel: &Cancel,
    ) -> Result<(Running, Start), Box<Stillborn>> {
        let place = self.place().await;
        let (instance, start) = match self.pool.take() {
            Some(instance) => (instance, Start::Warm),
            None => {
                let pre = &self.pool.linked().pre;
                let made = Instance::make(pre, limits, deadline, Some(cancel)).await?;
                (made, Start::Cold)
            }
        };
        let running = Running {
            instance,
            _place: place,
        };
        Ok((running, start))
    }

    /// A place among the running. There is always one in the end: the semaphore lives as long as
    /// the engine and is never closed.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.running).try_acquire_owned() {
            return Some(place);
        }
        // Those that have run and wait to be dropped hold places.
        self.pool.keep();
        Arc::clone(&self.running).acquire_owned().await.ok()
    }

    async fn call_action(
        &self,
        instance: &mut Instance,
        call: Call,
        deadline: Instant,
        progress: &mut Progress,
    ) -> Outcome {
        let linked = Arc::clone(self.pool.linked());
        let limits = linked.rights.limits();
        let Some(entry) = &linked.entries.actions else {
            return Outcome::Refused(no_entry("wharf:plugin/actions", &self.action));
        };
        let input = call.input.as_str();
        let binding = binding(&linked, &call, deadline, Arc::clone(&call.events), None);
        instance.bind(binding, deadline, call.cancel.clone());
        let guest = match entry.load(&mut instance.store, &instance.component) {
            Ok(guest) => guest,
            Err(error) => return Outcome::Refused(Refused::Mismatch(format!("{error:#}"))),
        };
        let params = actions::Call {
            action: self.action.name.as_str(),
            input,
            execution: &call.execution,
            attempt: call.attempt,
        };
        let called = instance
            .meter
            .measure(guest.call_run(&mut instance.store, params));
        let ended = within(deadline, &call.cancel, called).await;
        progress.left = Some(Instant::now());

        let collected = instance.store.data_mut().take();
        progress.collect(&collected.usage);
        let scrubber = call.secrets.scrubber();
        let text = match ended {
            Err(why) => return finish::interrupted(why, limits),
            Ok(Err(error)) => return self.broken(instance, &error, limits, &call),
            Ok(Ok(Err(error))) => return finish::failure(error, scrubber),
            Ok(Ok(Ok(Output::Json(text)))) => text,
            Ok(Ok(Ok(Output::Streamed))) => match String::from_utf8(collected.output.into()) {
                Ok(text) => text,
                Err(_) => return finish::not_text("the streamed output"),
            },
        };
        finish::document(text, &self.action.output, limits, scrubber)
    }

    async fn call_command(
        &self,
        instance: &mut Instance,
        mut call: Call,
        command: &Command,
        deadline: Instant,
        progress: &mut Progress,
    ) -> Outcome {
        let linked = Arc::clone(self.pool.linked());
        let limits = linked.rights.limits();
        let Some(entry) = &linked.entries.command else {
            return Outcome::Refused(no_entry("wasi:cli/run", &self.action));
        };
        let stderr = Tail::of(Arc::clone(&call.events));
        let input = std::mem::replace(&mut call.input, "".into());
        let io = CommandIo {
            args: std::iter::once(self.action.name.to_string())
                .chain(command.args.iter().cloned())
                .collect(),
            env: command.env.clone().into_iter().collect(),
            stdin: Bytes::from(input.into_string()),
        };
        let binding = binding(&linked, &call, deadline, stderr.clone(), Some(io));
        instance.bind(binding, deadline, call.cancel.clone());
        let guest = match entry.load(&mut instance.store, &instance.component) {
            Ok(guest) => guest,
            Err(error) => return Outcome::Refused(Refused::Mismatch(format!("{error:#}"))),
        };
        let called = instance.meter.measure(guest.call_run(&mut instance.store));
        let ended = within(deadline, &call.cancel, called).await;
        progress.left = Some(Instant::now());

        let collected = instance.store.data_mut().take();
        progress.collect(&collected.usage);
        let code = match ended {
            Err(why) => return finish::interrupted(why, limits),
            Ok(Ok(Ok(()))) => 0,
            Ok(Ok(Err(()))) => 1,
            Ok(Err(error)) => match wharf_host::exit_code(&error) {
                Some(code) => code,
                None => return self.broken(instance, &error, limits, &call),
            },
        };
        finish::exit(
            code,
            &collected.stdout,
            stderr.lines(),
            &self.action.output,
            limits,
            call.secrets.scrubber(),
        )
    }

    fn broken(
        &self,
        instance: &Instance,
        error: &wasmtime::Error,
        limits: &Limits,
        call: &Call,
    ) -> Outcome {
        let behind = instance.store.data().limit_behind(error);
        finish::broken(error, behind, limits, self.stack, call.secrets.scrubber())
    }

    fn stillborn(&self, dead: &Stillborn, limits: &Limits, call: &Call) -> Outcome {
        let behind = dead.store.data().limit_behind(&dead.error);
        finish::broken(
            &dead.error,
            behind,
            limits,
            self.stack,
            call.secrets.scrubber(),
        )
    }
}

/// The future's output, unless its time is over or it is killed first. Then the future is dropped,
/// and the guest with it, wherever it was.
async fn within<F: Future>(
    deadline: Instant,
    cancel: &Cancel,
    future: F,
) -> Result<F::Output, Interrupted> {
    let future = pin!(future);
    // The future first: one that is ready at once never touches the timer.
    tokio::select! {
        biased;
        output = future => Ok(output),
        () = cancel.killed() => Err(Interrupted::Killed),
        () = tokio::time::sleep_until(deadline.into()) => Err(Interrupted::Deadline),
    }
}

fn binding(
    linked: &Linked,
    call: &Call,
    deadline: Instant,
    events: Arc<dyn Events>,
    command: Option<CommandIo>,
) -> Binding {
    Binding {
        execution: call.execution.clone(),
        attempt: call.attempt,
        rights: Arc::clone(&linked.rights),
        deadline: deadline.into(),
        cancel: call.cancel.flag(),
        services: Arc::clone(&call.services),
        events,
        command,
        secrets: Arc::clone(&call.secrets),
    }
}

/// The manifest says how an action is entered, and the component has no such door.
fn no_entry(export: &str, action: &Action) -> Refused {
    Refused::Mismatch(format!(
        "the manifest enters `{}` through `{export}`, which the component does not export",
        action.name
    ))
}

impl Progress {
    fn collect(&mut self, used: &wharf_host::Usage) {
        self.usage = Usage {
            wall_us: 0,
            cpu_us: 0,
            peak_memory: ByteSize::bytes(used.memory),
            log_lines: u64::from(used.log_entries),
            log_lines_dropped: u64::from(used.log_dropped),
            log_bytes: used.log_bytes,
            requests: u64::from(used.requests),
            request_bytes: used.request_bytes,
            response_bytes: used.response_bytes,
        };
    }

    fn report(mut self, outcome: Outcome) -> Report {
        let now = Instant::now();
        let entered = self.entered.unwrap_or(now);
        let left = self.left.unwrap_or(now);
        self.usage.wall_us = micros(now - self.begun);
        Report {
            outcome,
            usage: self.usage,
            start: self.start,
            timings: Timings {
                start_us: micros(entered - self.begun),
                run_us: micros(left.saturating_duration_since(entered)),
                finish_us: micros(now - left),
            },
        }
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
