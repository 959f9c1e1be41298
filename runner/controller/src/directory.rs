//! What is looked up on every request and every greeting, without asking the core's thread.
//!
//! The driver brings it up to date after each commit, before the answers to that commit are
//! released. So nobody is told of a token that is not known here yet.

use dashmap::DashMap;
use wharf_protocol::RunnerId;

use crate::catalog::Catalog;
use crate::model::{Change, Micros, RunnerRecord, Snapshot, TokenHash, TokenRecord};

/// Tokens, runners, sessions of runners, plugins.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    tokens: DashMap<TokenHash, TokenRecord>,
    runners: DashMap<RunnerId, RunnerRecord>,
    sessions: DashMap<TokenHash, RunnerId>,
    pub(crate) catalog: Catalog,
}

impl Directory {
    /// Begins anew from what is kept.
    pub(crate) fn replace(&self, kept: &Snapshot) {
        self.tokens.clear();
        self.runners.clear();
        for token in &kept.tokens {
            self.tokens.insert(token.hash, token.clone());
        }
        for runner in &kept.runners {
            self.runners.insert(runner.id, runner.clone());
        }
        for bundle in &kept.bundles {
            self.catalog.add(bundle);
        }
    }

    /// Takes over a change that is durable.
    pub(crate) fn apply(&self, change: &Change) {
        match change {
            Change::TokenCreated(token) => {
                self.tokens.insert(token.hash, token.clone());
            }
            Change::TokenRemoved(hash) => {
                self.tokens.remove(hash);
            }
            Change::RunnerEnrolled(runner) => {
                self.runners.insert(runner.id, runner.clone());
            }
            Change::RunnerRemoved(id) => {
                self.runners.remove(id);
                self.sessions.retain(|_, runner| runner != id);
            }
            Change::BundlePublished(bundle) => self.catalog.add(bundle),
            _ => {}
        }
    }

    /// A token that has not expired.
    pub(crate) fn token(&self, hash: &TokenHash, now: Micros) -> Option<TokenRecord> {
        let token = self.tokens.get(hash)?;
        token
            .expires
            .is_none_or(|expires| now < expires)
            .then(|| token.clone())
    }

    /// Forgets tokens that have expired.
    pub(crate) fn prune(&self, now: Micros) {
        self.tokens
            .retain(|_, token| token.expires.is_none_or(|expires| now < expires));
    }

    /// How many tokens there are.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// A runner that has enrolled and was not removed.
    pub(crate) fn runner(&self, id: &RunnerId) -> Option<RunnerRecord> {
        self.runners.get(id).map(|runner| runner.clone())
    }

    /// Opens a session: whoever has this token is this runner until [`Directory::close_session`].
    pub(crate) fn open_session(&self, hash: TokenHash, runner: RunnerId) {
        self.sessions.insert(hash, runner);
    }

    /// Ends a session.
    pub(crate) fn close_session(&self, hash: &TokenHash) {
        self.sessions.remove(hash);
    }

    /// Whose session this is.
    pub(crate) fn session(&self, hash: &TokenHash) -> Option<RunnerId> {
        self.sessions.get(hash).map(|runner| *runner)
    }
}
