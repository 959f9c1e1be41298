//! For how long a clock lets something be trusted.

use wharf_policy::Moment;

/// When what was verified is to be verified anew, since a key or a block that it rests on ends then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Term {
    not_after: Option<Moment>,
    valid_until: Option<Moment>,
}

impl Term {
    /// Whether it is over: after the last moment of a key, or from the first on at which a block ended.
    pub fn is_over(&self, now: Moment) -> bool {
        self.not_after.is_some_and(|last| now > last)
            || self.valid_until.is_some_and(|first| now >= first)
    }

    /// No longer than a key with this last moment is trusted.
    pub(super) fn end_with_key(&mut self, not_after: Option<Moment>) {
        self.not_after = earlier(self.not_after, not_after);
    }

    /// No longer than a block lets something in.
    pub(super) fn end_with_block(&mut self, valid_until: Option<Moment>) {
        self.valid_until = earlier(self.valid_until, valid_until);
    }
}

fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    one.into_iter().chain(other).min()
}
