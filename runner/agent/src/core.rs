//! The runner's own loop: it turns what happens into decisions of [`Attempts`], and those into
//! frames, tasks and journal entries. It never waits for anything but the next event, so that
//! heartbeats leave on time whatever else goes on.

mod delivery;
mod leaving;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use wharf_protocol::{Assignment, AttemptKey, Pipe, ToController, ToRunner};

use self::leaving::Leaving;
use crate::attempts::{Attempts, Taken};
use crate::audit::{Auditor, Oddities, Oddity, RunnerEvent};
use crate::cancel::{Cancel, Gate};
use crate::connection::{Ended, Held, Welcome};
use crate::controller::Session;
use crate::execute::{Context, Execute, ProgressBoard, Reporter};
use crate::journal::{Journal, Notice};
use crate::logs::Logs;
use crate::outbox::Outbox;
use crate::payloads::{Upload, Uploads};
use crate::status::{Link, Status, now_ms};
use crate::tally::Tally;
use crate::task;

/// Events taken at a time.
const BATCH: usize = 256;
/// How long small frames wait for company.
const COMPANY: Duration = Duration::from_millis(2);
/// How often the time-driven decisions are made.
const TICK: Duration = Duration::from_millis(500);

/// What happens to a runner.
pub(crate) enum Event {
    /// A connection wants to know what to say in its hello.
    Hello(oneshot::Sender<Held>),
    /// The controller has welcomed a connection.
    Connected {
        /// Which connection.
        number: u64,
        /// What the controller said.
        welcome: Welcome,
        /// What will be written to it.
        outbox: Arc<Outbox>,
    },
    /// Frames came in on a connection.
    Frames(u64, Vec<ToRunner>),
    /// A connection ended, or could not be made.
    Disconnected(u64, Ended),
    /// The action of an attempt runs now.
    Started(AttemptKey),
    /// Word from the journal.
    Journal(Notice),
    /// An output was stored, or not.
    Uploaded(u64, Upload),
    /// Take no more work, finish, leave.
    Drain,
    /// End what runs, deliver, leave.
    Kill(String),
}

/// What the loop is made of.
pub(crate) struct Parts {
    pub(crate) attempts: Attempts,
    pub(crate) execute: Arc<dyn Execute>,
    pub(crate) journal: Journal,
    pub(crate) logs: Arc<Logs>,
    pub(crate) audit: Auditor,
    pub(crate) tally: Arc<Tally>,
    /// Why nothing can run here whatever is asked for, if that is so.
    pub(crate) useless: Option<String>,
    pub(crate) uploads: Uploads,
    pub(crate) session: watch::Sender<Session>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) events: mpsc::Sender<Event>,
    /// Where actions run.
    pub(crate) runtime: Handle,
    pub(crate) drain_timeout: Duration,
}

/// One attempt that runs.
struct Running {
    gate: Arc<Gate>,
    cancel: Cancel,
}

struct Live {
    number: u64,
    outbox: Arc<Outbox>,
}

pub(crate) struct Core {
    parts: Parts,
    running: HashMap<AttemptKey, Running>,
    progress: Arc<ProgressBoard>,
    live: Option<Live>,
    heartbeat: Interval,
    leaving: Leaving,
    rejected: Option<String>,
    flush_at: Option<Instant>,
    /// Results wait to be read back, and nobody reads yet.
    pump: bool,
    reading: bool,
    delivered: u64,
    oddities: Oddities,
    trouble: Option<String>,
}

impl Core {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts,
            running: HashMap::new(),
            progress: Arc::default(),
            live: None,
            heartbeat: ticker(Duration::from_secs(5)),
            leaving: Leaving::No,
            rejected: None,
            flush_at: None,
            pump: false,
            reading: false,
            delivered: 0,
            oddities: Oddities::default(),
            trouble: None,
        }
    }

    /// Runs until the runner may leave. Gives why the controller will not have it, if so.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Event>) -> Option<String> {
        let mut tick = ticker(TICK);
        let mut batch = Vec::with_capacity(BATCH);
        while !self.may_leave() {
            let flush_at = self.flush_at;
            tokio::select! {
                biased;
                _ = self.heartbeat.tick(), if self.live.is_some() => self.beat(),
                _ = tick.tick() => self.tick(),
                () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {
                    self.flush();
                }
                _ = inbox.recv_many(&mut batch, BATCH) => {
                    for event in batch.drain(..) {
                        self.happened(event);
                    }
                }
            }
            self.settle();
        }
        if let Some(live) = &self.live {
            live.outbox.close();
        }
        self.oddities
            .tell_rest(|event| self.parts.audit.tell_number(event));
        self.parts.audit.tell_rest();
        self.publish();
        self.rejected
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Hello(answer) => {
                let held = Held {
                    plugins: self.parts.execute.held(),
                    running: self.parts.attempts.held(),
                    journaled: self.parts.attempts.journal(),
                };
                // The connection may have ended before its hello; nobody misses the answer then.
                let _ = answer.send(held);
            }
            Event::Connected {
                number,
                welcome,
                outbox,
            } => self.connected(number, welcome, outbox),
            Event::Frames(number, frames) => {
                if self.live.as_ref().is_some_and(|live| live.number == number) {
                    frames.into_iter().for_each(|frame| self.received(frame));
                }
            }
            Event::Disconnected(number, ended) => self.disconnected(number, ended),
            Event::Started(key) => {
                if self.parts.attempts.started(key) {
                    self.soon(&ToController::Started(key));
                }
            }
            Event::Journal(notice) => self.journal(notice),
            Event::Uploaded(number, upload) => self.uploaded(number, upload),
            Event::Drain => self.drain(),
            Event::Kill(reason) => self.kill(&reason),
        }
    }

    fn connected(&mut self, number: u64, welcome: Welcome, outbox: Arc<Outbox>) {
        for warning in &welcome.warnings {
            tracing::warn!(warning, "the controller warns");
        }
        tracing::info!("connected to the controller");
        self.heartbeat = ticker(welcome.heartbeat);
        self.live = Some(Live { number, outbox });
        self.parts
            .session
            .send_replace(Some(Arc::from(welcome.session)));
        self.pump = true;
        if !matches!(self.leaving, Leaving::No) {
            self.now(&ToController::Draining);
        }
        self.set_link(Link::Connected {
            since_ms: now_ms(),
            warnings: welcome.warnings,
        });
    }

    fn disconnected(&mut self, number: u64, ended: Ended) {
        let was_live = self.live.take_if(|live| live.number == number).is_some();
        if was_live {
            self.parts.session.send_replace(None);
            self.parts.attempts.disconnected();
            self.flush_at = None;
        }
        if ended.blames_the_controller() {
            let event = RunnerEvent::connection_refused(Pipe::Control, &ended);
            self.parts.audit.tell(&event);
        }
        let reason = ended.to_string();
        if let Ended::Goodbye { retry: false, .. } = ended {
            tracing::error!(reason, "the controller will not have this runner");
            self.rejected = Some(reason.clone());
            self.set_link(Link::Rejected { reason });
            self.drain();
        } else {
            tracing::warn!(reason, "not connected to the controller; trying again");
            self.set_link(Link::Connecting { reason });
        }
    }

    fn received(&mut self, frame: ToRunner) {
        match frame {
            ToRunner::Assign(assignment) => self.assigned(*assignment),
            ToRunner::ResultAck { key, acceptance } => self.acknowledged(key, acceptance),
            ToRunner::Cancel {
                key,
                reason,
                grace_ms,
            } => {
                if let Some(running) = self.running.get(&key) {
                    let grace = Duration::from_millis(grace_ms);
                    running.cancel.request(&reason, grace);
                } else {
                    self.oddities.note(Oddity::CancelledUnknown, key);
                }
            }
            ToRunner::Drain => {
                if matches!(self.leaving, Leaving::No) {
                    self.parts.audit.tell(&RunnerEvent::DrainAsked {});
                }
                self.drain();
            }
            ToRunner::LogAck { key, .. } => {
                self.oddities.note(Oddity::LogsOnTheControlPipe, key);
            }
            // The connection keeps these to itself.
            ToRunner::Challenge(_) | ToRunner::Welcome { .. } | ToRunner::Goodbye { .. } => {}
        }
    }

    fn assigned(&mut self, assignment: Assignment) {
        let key = assignment.key;
        let supersedes = match self.parts.attempts.assign(key) {
            Taken::Known => return self.oddities.note(Oddity::AssignedAgain, key),
            Taken::Over => return self.oddities.note(Oddity::AssignedAfterTheEnd, key),
            Taken::Overtaken => return self.oddities.note(Oddity::AssignedTooLate, key),
            Taken::NoRoom => return self.oddities.note(Oddity::AssignedWithoutRoom, key),
            // A race that sound controllers run into as well.
            Taken::Leaving => return,
            Taken::Run { supersedes } => supersedes,
        };
        if let Some(older) = supersedes.and_then(|older| self.running.get(&older)) {
            older.cancel.kill("a newer attempt at the same execution");
        }
        self.soon(&ToController::Accept(key));
        let running = Running {
            gate: Arc::default(),
            cancel: Cancel::default(),
        };
        let context = Context {
            reporter: Reporter {
                key,
                logs: Arc::clone(&self.parts.logs),
                progress: Arc::clone(&self.progress),
            },
            cancel: running.cancel.clone(),
            gate: Arc::clone(&running.gate),
            events: self.parts.events.clone(),
            audit: self.parts.audit.clone(),
            tally: Arc::clone(&self.parts.tally),
        };
        self.running.insert(key, running);
        self.parts.runtime.spawn(task::run(
            Arc::clone(&self.parts.execute),
            self.parts.journal.clone(),
            assignment,
            context,
        ));
    }

    fn beat(&mut self) {
        let Some(live) = &self.live else { return };
        let progress = self.progress.take();
        let frame = ToController::Heartbeat {
            running: self.parts.attempts.held(),
            progress,
            audit: self.parts.audit.head(),
        };
        if !live.outbox.heartbeat(&frame) {
            tracing::debug!("the last heartbeat has not left yet");
        }
    }

    fn tick(&mut self) {
        if self.live.is_some() {
            self.parts.attempts.tick();
            self.pump = true;
            if !self.progress.is_empty() {
                self.beat();
            }
        }
        let now = std::time::Instant::now();
        self.oddities
            .tell_due(now, |event| self.parts.audit.tell_number(event));
        self.parts.audit.tell_folded();
        self.hurry();
        self.publish();
    }

    /// What follows from whatever has just happened.
    fn settle(&mut self) {
        self.read_back();
        if let Some(live) = &self.live {
            for (key, reason) in self.parts.attempts.returns() {
                live.outbox.now(&ToController::HandBack { key, reason });
            }
            let add = self.parts.attempts.credit();
            if add > 0 {
                live.outbox.now(&ToController::Credit { add });
            }
        }
    }

    fn soon(&mut self, frame: &ToController) {
        if let Some(live) = &self.live {
            live.outbox.soon(frame);
            self.flush_at.get_or_insert(Instant::now() + COMPANY);
        }
    }

    fn now(&self, frame: &ToController) {
        if let Some(live) = &self.live {
            live.outbox.now(frame);
        }
    }

    fn flush(&mut self) {
        self.flush_at = None;
        if let Some(live) = &self.live {
            live.outbox.flush();
        }
    }

    fn set_link(&self, link: Link) {
        self.parts.status.send_modify(|status| status.link = link);
        self.publish();
    }

    /// Why no work is asked for, or none can be done.
    fn trouble(&self) -> Option<String> {
        let full = || {
            let (_, results, _) = self.parts.attempts.counts();
            self.parts.attempts.is_full().then(|| {
                format!(
                    "the journal is full: {results} results wait for the controller to take them"
                )
            })
        };
        let trouble = self.trouble.clone().or_else(full);
        trouble.or_else(|| self.parts.useless.clone())
    }

    fn publish(&self) {
        let (running, journaled, credits) = self.parts.attempts.counts();
        let (log_lines_waiting, log_lines_lost) = self.parts.logs.counts();
        self.parts.status.send_if_modified(|status| {
            let next = Status {
                draining: !matches!(self.leaving, Leaving::No),
                running,
                journaled,
                credits,
                delivered: self.delivered,
                log_lines_waiting,
                log_lines_lost,
                audit: self.parts.audit.head(),
                trouble: self.trouble(),
                refusals: self.parts.tally.recent_refusals(),
                ..status.clone()
            };
            let changed = next != *status;
            *status = next;
            changed
        });
    }
}

fn ticker(period: Duration) -> Interval {
    let mut ticker = interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
