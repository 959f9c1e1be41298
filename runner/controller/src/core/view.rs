//! How things stand, for people.

use std::sync::Arc;

use wharf_protocol::{ExecutionId, GroupName};

use super::Core;
use super::state::{Phase, Runner};
use crate::model::{Group, GroupKind, Micros, RunnerState, RunnerView, Stage, View, Waiting};

impl Core {
    /// An execution that is not over, or that is over since the last commit.
    pub(crate) fn view(&self, id: &ExecutionId) -> Option<View> {
        let live = self.live.get(id)?;
        let stage = match &live.phase {
            Phase::Queued { attempt } => Stage::Queued {
                attempt: *attempt,
                waiting: Some(self.waiting(&live.order.group)),
            },
            Phase::Running { run, progress, .. } => Stage::Running {
                run: run.clone(),
                progress: progress.clone(),
            },
            Phase::Finished { ending, .. } => Stage::Finished(Arc::clone(ending)),
        };
        Some(View {
            order: Arc::clone(&live.order),
            stage,
        })
    }

    fn waiting(&self, name: &GroupName) -> Waiting {
        let links: Vec<_> = self
            .groups
            .get(name)
            .into_iter()
            .flat_map(|group| &group.members)
            .filter_map(|id| self.runners.get(id)?.link.as_ref())
            .collect();
        match links.len() {
            0 => Waiting::NoRunner,
            all if links.iter().all(|link| link.draining) => Waiting::AllDraining(all),
            all => Waiting::AllBusy(all),
        }
    }

    /// All groups, by name, each with how many executions wait in it.
    pub(crate) fn groups(&self) -> Vec<(Group, usize)> {
        self.groups
            .values()
            .map(|group| (group.record.clone(), group.queue.len()))
            .collect()
    }

    /// All runners, or those of one group, in the order of enrolment.
    pub(crate) fn runners(&self, group: Option<&GroupName>, now: Micros) -> Vec<RunnerView> {
        let mut views: Vec<_> = self
            .runners
            .values()
            .filter(|runner| group.is_none_or(|name| *name == runner.record.group))
            .map(|runner| self.runner_view(runner, now))
            .collect();
        views.sort_by_key(|view| view.record.id);
        views
    }

    fn runner_view(&self, runner: &Runner, now: Micros) -> RunnerView {
        let silent = now.saturating_sub(runner.last_seen);
        let state = match &runner.link {
            Some(_) if silent > 3 * self.rules.heartbeat => RunnerState::Unhealthy,
            Some(link) if link.draining => RunnerState::Draining,
            Some(_) => RunnerState::Online,
            None if self.is_ephemeral(&runner.record.group) => RunnerState::Gone,
            None => RunnerState::Unhealthy,
        };
        RunnerView {
            record: runner.record.clone(),
            state,
            last_seen: runner.last_seen,
            // Never more than the credits given, which are a u32.
            running: u32::try_from(runner.held.len()).unwrap_or(u32::MAX),
            credits: runner.link.as_ref().map_or(0, |link| link.credits),
            audit: runner.audit,
            connected: runner.link.is_some(),
        }
    }

    fn is_ephemeral(&self, name: &GroupName) -> bool {
        self.groups
            .get(name)
            .is_some_and(|group| group.record.kind == GroupKind::Ephemeral)
    }
}
