//! A store that keeps nothing beyond the process: for tests of what stands above a store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use wharf_protocol::ExecutionId;

use super::{Filter, History, StateFilter, Store, StoreError};
use crate::model::{
    Change, DeadLetter, Ending, Keyed, LiveRecord, Micros, Order, Past, Run, Snapshot, Stage, View,
};

#[derive(Debug, Clone)]
struct Row {
    order: Arc<Order>,
    attempt: u32,
    losses: u32,
    run: Option<Run>,
    cancel: Option<crate::model::CancelAsk>,
    ending: Option<(Arc<Ending>, bool)>,
}

#[derive(Debug, Default)]
struct Kept {
    fleet: Snapshot,
    rows: HashMap<ExecutionId, Row>,
    letters: Vec<DeadLetter>,
}

/// Its clones share what they keep.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryStore(Arc<Mutex<Kept>>);

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Snapshot, StoreError> {
        let kept = self.0.lock().unwrap();
        let mut snapshot = kept.fleet.clone();
        snapshot.controller = "memory".to_owned();
        snapshot.live = kept
            .rows
            .values()
            .filter(|row| row.ending.is_none())
            .map(|row| LiveRecord {
                order: Arc::clone(&row.order),
                attempt: row.attempt,
                losses: row.losses,
                run: row.run.clone(),
                cancel: row.cancel.clone(),
            })
            .collect();
        snapshot.live.sort_by_key(|live| live.order.id);
        Ok(snapshot)
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut kept = self.0.lock().unwrap();
        for change in changes {
            kept.apply(change);
        }
        Ok(())
    }

    fn past(&mut self, id: ExecutionId) -> Result<Option<Past>, StoreError> {
        Ok(self.0.lock().unwrap().rows.get(&id).map(|row| Past {
            attempt: row.attempt,
            by_result: row.ending.as_ref().is_some_and(|(_, by)| *by),
        }))
    }

    fn keyed(&mut self, key: &str) -> Result<Option<Keyed>, StoreError> {
        let kept = self.0.lock().unwrap();
        Ok(kept.rows.values().find_map(|row| {
            let (known, body) = row.order.idempotency.as_ref()?;
            (known == key).then_some(Keyed {
                id: row.order.id,
                body: *body,
            })
        }))
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn prune(&mut self, now: Micros) -> Result<(), StoreError> {
        let tokens = &mut self.0.lock().unwrap().fleet.tokens;
        tokens.retain(|token| token.expires.is_none_or(|expires| expires >= now));
        Ok(())
    }
}

impl Kept {
    fn row(&mut self, id: &ExecutionId) -> &mut Row {
        self.rows.get_mut(id).expect("changes name what exists")
    }

    fn apply(&mut self, change: &Change) {
        match change.clone() {
            Change::GroupCreated(group) => self.fleet.groups.push(group),
            Change::TokenCreated(token) => self.fleet.tokens.push(token),
            Change::TokenRemoved(hash) => self.fleet.tokens.retain(|t| t.hash != hash),
            Change::RunnerEnrolled(runner) => self.fleet.runners.push(runner),
            Change::RunnerSeen {
                id,
                boot,
                host,
                version,
                at,
            } => {
                for runner in self.fleet.runners.iter_mut().filter(|r| r.id == id) {
                    runner.boot = boot;
                    runner.host.clone_from(&host);
                    runner.version.clone_from(&version);
                    runner.last_seen = at;
                }
            }
            Change::RunnerRemoved(id) => self.fleet.runners.retain(|r| r.id != id),
            Change::BundlePublished(bundle) => self.fleet.bundles.push(bundle),
            Change::Submitted(order) => {
                let row = Row {
                    order: Arc::clone(&order),
                    attempt: 0,
                    losses: 0,
                    run: None,
                    cancel: None,
                    ending: None,
                };
                assert!(self.rows.insert(order.id, row).is_none());
            }
            Change::Assigned { id, run } => {
                let row = self.row(&id);
                row.attempt = run.attempt;
                row.run = Some(run);
            }
            Change::Requeued { id, losses, .. } => {
                let row = self.row(&id);
                row.run = None;
                row.losses = losses;
            }
            Change::CancelAsked { id, ask } => self.row(&id).cancel = Some(ask),
            Change::Finished {
                id,
                ending,
                by_result,
            } => {
                let row = self.row(&id);
                row.attempt = ending.attempt;
                row.ending = Some((ending, by_result));
            }
            Change::DeadLettered(letter) => {
                let known = |l: &DeadLetter| l.key == letter.key && l.runner == letter.runner;
                if !self.letters.iter().any(known) {
                    self.letters.push(*letter);
                }
            }
        }
    }
}

fn view(row: &Row) -> View {
    let stage = match (&row.ending, &row.run) {
        (Some((ending, _)), _) => Stage::Finished(Arc::clone(ending)),
        (None, Some(run)) => Stage::Running {
            run: run.clone(),
            progress: None,
        },
        (None, None) => Stage::Queued {
            attempt: row.attempt,
            waiting: None,
        },
    };
    View {
        order: Arc::clone(&row.order),
        stage,
    }
}

impl History for MemoryStore {
    fn execution(&self, id: ExecutionId) -> Result<Option<View>, StoreError> {
        Ok(self.0.lock().unwrap().rows.get(&id).map(view))
    }

    fn list(&self, filter: &Filter) -> Result<Vec<View>, StoreError> {
        let kept = self.0.lock().unwrap();
        let mut views: Vec<_> = kept
            .rows
            .values()
            .map(view)
            .filter(|view| {
                let state = match view.stage {
                    Stage::Queued { .. } => StateFilter::Queued,
                    Stage::Running { .. } => StateFilter::Running,
                    Stage::Finished(_) => StateFilter::Finished,
                };
                let order = &view.order;
                filter.group.as_ref().is_none_or(|g| *g == order.group)
                    && filter
                        .plugin
                        .as_ref()
                        .is_none_or(|p| p == order.plugin.as_str())
                    && filter.state.is_none_or(|wanted| wanted == state)
                    && filter.before.is_none_or(|before| order.id < before)
            })
            .collect();
        views.sort_by_key(|view| std::cmp::Reverse(view.order.id));
        views.truncate(filter.limit as usize);
        Ok(views)
    }

    fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let kept = self.0.lock().unwrap();
        Ok(kept
            .letters
            .iter()
            .rev()
            .take(limit as usize)
            .cloned()
            .collect())
    }
}
