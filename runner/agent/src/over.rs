//! What has ended here lately, so that it does not run again: the newest attempt of each execution,
//! for as many executions as are remembered.

use std::collections::{HashMap, VecDeque};

use wharf_protocol::{AttemptKey, ExecutionId};

/// Executions that are remembered.
const REMEMBERED: usize = 16_384;

/// The newest attempts that have ended.
#[derive(Debug, Default)]
pub(crate) struct Over {
    newest: HashMap<ExecutionId, u32>,
    order: VecDeque<ExecutionId>,
}

impl Over {
    /// An attempt has ended.
    pub(crate) fn add(&mut self, key: AttemptKey) {
        if let Some(newest) = self.newest.get_mut(&key.execution) {
            *newest = key.attempt.max(*newest);
            return;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.newest.remove(&oldest);
        }
        self.newest.insert(key.execution, key.attempt);
        self.order.push_back(key.execution);
    }

    /// Whether this attempt, or a newer one at the same execution, has ended.
    pub(crate) fn covers(&self, key: AttemptKey) -> bool {
        let newest = self.newest.get(&key.execution);
        newest.is_some_and(|newest| key.attempt <= *newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::key;

    #[test]
    fn an_attempt_and_those_before_it_are_over_and_the_next_one_is_not() {
        let mut over = Over::default();
        let second = AttemptKey {
            attempt: 2,
            ..key(1)
        };
        over.add(second);
        assert!(over.covers(key(1)) && over.covers(second));
        assert!(!over.covers(AttemptKey {
            attempt: 3,
            ..key(1)
        }));
        assert!(!over.covers(key(2)));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut over = Over::default();
        for number in 0..2 * REMEMBERED as u128 {
            over.add(key(number));
        }
        assert_eq!(over.newest.len(), REMEMBERED);
        assert!(!over.covers(key(0)));
    }
}
