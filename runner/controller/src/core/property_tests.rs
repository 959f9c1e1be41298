//! Whatever happens in whatever order: nothing is lost, nothing runs twice under one number,
//! nothing ends twice.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use wharf_protocol::{AttemptKey, ExecutionId, ToRunner};

use super::tests::{core, done, execution, greeting, order, record, rules, runner};
use super::*;
use crate::model::{CancelAsk, Change, Group, GroupKind, Micros, Stage};
use crate::store::Store;
use crate::store::memory::MemoryStore;

#[derive(Debug, Clone)]
enum Step {
    Submit { idempotent: bool },
    Connect { runner: u64, remembers: bool },
    Disconnect { runner: u64 },
    Credit { runner: u64, add: u32 },
    Start { runner: u64 },
    Heartbeat { runner: u64 },
    Result { runner: u64, pick: usize },
    HandBack { runner: u64, pick: usize },
    Cancel { n: u64 },
    Pass { seconds: u64 },
    Commit,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 1_u64..=2;
    prop_oneof![
        4 => any::<bool>().prop_map(|idempotent| Step::Submit { idempotent }),
        2 => (who.clone(), any::<bool>()).prop_map(|(runner, remembers)| Step::Connect { runner, remembers }),
        1 => who.clone().prop_map(|runner| Step::Disconnect { runner }),
        3 => (who.clone(), 1_u32..4).prop_map(|(runner, add)| Step::Credit { runner, add }),
        1 => who.clone().prop_map(|runner| Step::Start { runner }),
        2 => who.clone().prop_map(|runner| Step::Heartbeat { runner }),
        4 => (who.clone(), 0_usize..8).prop_map(|(runner, pick)| Step::Result { runner, pick }),
        1 => (who, 0_usize..8).prop_map(|(runner, pick)| Step::HandBack { runner, pick }),
        1 => (1_u64..20).prop_map(|n| Step::Cancel { n }),
        2 => (1_u64..40).prop_map(|seconds| Step::Pass { seconds }),
        3 => Just(Step::Commit),
        1 => Just(Step::Restart),
    ]
}

/// The world around the core: a store, runners with memories, and what must stay true.
struct World {
    core: Core,
    store: MemoryStore,
    fx: Effects,
    now: Micros,
    links: HashMap<u64, LinkId>,
    next_link: u64,
    next: u64,
    /// Attempts that a runner was sent and has not reported.
    memory: HashMap<u64, Vec<AttemptKey>>,
    /// Results that a runner keeps until they are acknowledged.
    journal: HashMap<u64, Vec<AttemptKey>>,
    /// Which process of a runner there is.
    boots: HashMap<u64, u64>,
    /// Attempts that have reached a runner and were not handed back.
    received: HashSet<AttemptKey>,
    idempotent: HashSet<ExecutionId>,
    accepted: HashSet<ExecutionId>,
    attempts: HashSet<AttemptKey>,
    over: HashSet<ExecutionId>,
}

impl World {
    fn new() -> Self {
        let mut store = MemoryStore::default();
        store
            .commit(&[
                Change::GroupCreated(Group {
                    name: "edge".parse().unwrap(),
                    kind: GroupKind::Persistent,
                    created: 0,
                }),
                Change::RunnerEnrolled(record(1)),
                Change::RunnerEnrolled(record(2)),
            ])
            .unwrap();
        Self {
            core: core(GroupKind::Persistent),
            store,
            fx: Effects::default(),
            now: 0,
            links: HashMap::new(),
            next_link: 1,
            next: 1,
            memory: HashMap::new(),
            journal: HashMap::new(),
            boots: HashMap::new(),
            received: HashSet::new(),
            idempotent: HashSet::new(),
            accepted: HashSet::new(),
            attempts: HashSet::new(),
            over: HashSet::new(),
        }
    }

    fn say(&mut self, who: u64, report: Report) {
        let Some(link) = self.links.get(&who).copied() else {
            return;
        };
        let past = match &report {
            Report::Result { key, .. } if !self.core.knows(&key.execution) => {
                self.store.past(key.execution).unwrap()
            }
            _ => None,
        };
        self.core
            .report(runner(who), link, report, past, self.now, &mut self.fx);
    }

    fn say_result(&mut self, who: u64, key: AttemptKey) {
        let outcome = done();
        self.say(who, Report::Result { key, outcome });
    }

    fn take(&mut self, who: u64, pick: usize) -> Option<AttemptKey> {
        let memory = self.memory.get_mut(&who)?;
        let place = pick % memory.len().max(1);
        (place < memory.len()).then(|| memory.remove(place))
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Submit { idempotent } => {
                let n = self.next;
                self.next += 1;
                if idempotent {
                    self.idempotent.insert(execution(n));
                }
                // What is refused was not accepted, and need not be kept.
                let _ = self
                    .core
                    .submit(order(n, idempotent), None, self.now, &mut self.fx);
            }
            Step::Connect {
                runner: who,
                remembers,
            } => {
                let boot = self.boots.entry(who).or_default();
                if !remembers {
                    *boot += 1;
                    self.memory.remove(&who);
                }
                let boot = *boot;
                let link = LinkId(self.next_link);
                self.next_link += 1;
                let running = self.memory.get(&who).cloned().unwrap_or_default();
                let journaled = self.journal.get(&who).cloned().unwrap_or_default();
                let hello = greeting(boot, &running, &journaled);
                self.core
                    .connect(runner(who), link, hello, self.now, &mut self.fx);
                self.links.insert(who, link);
                for key in journaled {
                    self.say_result(who, key);
                }
            }
            Step::Disconnect { runner: who } => {
                if let Some(link) = self.links.remove(&who) {
                    self.core
                        .disconnect(runner(who), link, self.now, &mut self.fx);
                }
            }
            Step::Credit { runner, add } => self.say(runner, Report::Credit(add)),
            Step::Start { runner } => {
                if let Some(key) = self
                    .memory
                    .get(&runner)
                    .and_then(|all| all.first())
                    .copied()
                {
                    self.say(runner, Report::Started(key));
                }
            }
            Step::Heartbeat { runner } => {
                let running = self.memory.get(&runner).cloned().unwrap_or_default();
                self.say(
                    runner,
                    Report::Heartbeat {
                        running,
                        progress: Vec::new(),
                        audit: None,
                    },
                );
            }
            Step::Result { runner, pick } => {
                if let Some(key) = self.take(runner, pick) {
                    self.journal.entry(runner).or_default().push(key);
                    self.say_result(runner, key);
                    // Resent, as after an acknowledgement that was lost.
                    self.say_result(runner, key);
                }
            }
            Step::HandBack { runner, pick } => {
                if let Some(key) = self.take(runner, pick) {
                    self.received.remove(&key);
                    self.say(runner, Report::HandBack(key));
                }
            }
            Step::Cancel { n } => {
                let ask = CancelAsk {
                    reason: "no".to_owned(),
                    grace_ms: 1,
                };
                self.core.cancel(execution(n), ask, self.now, &mut self.fx);
            }
            Step::Pass { seconds } => {
                self.now += seconds * 1_000_000;
                self.core.tick(self.now, &mut self.fx);
            }
            Step::Commit => self.commit(),
            Step::Restart => {
                // What was not committed never happened: nobody was told of it.
                self.fx.clear();
                self.links.clear();
                let kept = self.store.load().unwrap();
                self.core = Core::restore(rules(), &kept, self.now);
            }
        }
    }

    /// As the driver does: first keep, then let out.
    fn commit(&mut self) {
        self.store.commit(&self.fx.changes).unwrap();
        self.core.forget_settled();
        for change in &self.fx.changes {
            match change {
                Change::Submitted(order) => {
                    assert!(self.accepted.insert(order.id), "accepted twice");
                }
                Change::Assigned { id, run } => {
                    assert!(!self.over.contains(id), "assigned after its end");
                    let key = AttemptKey {
                        execution: *id,
                        attempt: run.attempt,
                    };
                    assert!(self.attempts.insert(key), "attempt {key} was used twice");
                }
                Change::Finished { id, .. } => {
                    assert!(self.over.insert(*id), "ended twice");
                }
                _ => {}
            }
        }
        for (link, frame) in self.fx.frames.drain(..) {
            let who = self
                .links
                .iter()
                .find(|(_, known)| **known == link)
                .map(|(who, _)| *who);
            match (who, frame) {
                (Some(who), ToRunner::Assign(assignment)) => {
                    let key = assignment.key;
                    assert!(
                        self.idempotent.contains(&key.execution)
                            || self.received.iter().all(|k| k.execution != key.execution),
                        "{key} may not be repeated, and was"
                    );
                    self.received.insert(key);
                    self.memory.entry(who).or_default().push(key);
                }
                (Some(who), ToRunner::ResultAck { key, .. }) => {
                    self.journal.entry(who).or_default().retain(|k| *k != key);
                }
                _ => {}
            }
        }
        self.fx.clear();
    }

    /// Everything that was accepted is over, or can still come to its end.
    fn check(&mut self) {
        let kept = self.store.load().unwrap();
        let live: HashSet<_> = kept.live.iter().map(|live| live.order.id).collect();
        for id in &self.accepted {
            assert!(
                self.over.contains(id) != live.contains(id),
                "{id} is neither or both"
            );
        }
        self.step(&Step::Restart);
        for who in [1, 2] {
            self.step(&Step::Connect {
                runner: who,
                remembers: false,
            });
        }
        for round in 0..200 {
            for who in [1, 2] {
                self.step(&Step::Credit {
                    runner: who,
                    add: 3,
                });
                self.step(&Step::Commit);
                self.step(&Step::Result {
                    runner: who,
                    pick: round,
                });
            }
            self.step(&Step::Pass { seconds: 1 });
            self.step(&Step::Commit);
        }
        assert_eq!(self.accepted, self.over, "something never came to an end");
        assert!(self.core.live.is_empty() && self.core.leases.is_empty());
        assert_eq!(self.core.live_bytes, 0);
        assert!(
            self.core
                .runners
                .values()
                .all(|runner| runner.held.is_empty())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_everything_accepted_ends_exactly_once(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.commit();
        world.check();
    }
}

#[test]
fn an_uncommitted_end_does_not_survive_a_restart_and_an_uncommitted_order_neither() {
    let mut world = World::new();
    world.step(&Step::Submit { idempotent: true });
    world.step(&Step::Restart);
    assert!(!world.core.knows(&execution(1)));
    world.step(&Step::Submit { idempotent: true });
    world.step(&Step::Connect {
        runner: 1,
        remembers: true,
    });
    world.step(&Step::Credit { runner: 1, add: 1 });
    world.commit();
    world.step(&Step::Result { runner: 1, pick: 0 });
    world.step(&Step::Restart);
    let view = world.core.view(&execution(2)).unwrap();
    assert!(matches!(view.stage, Stage::Running { .. }));
}
