//! Setting up an in-memory host, and asking it what it has seen.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::keys::Key;
use super::state::{self, LogLine, Progress, SentRequest, Shared, State};
use crate::http::{HttpError, Request, Response};
use crate::log::Level;
use crate::secrets::SignatureAlgorithm;

/// An in-memory host in the making. It grants what it is told to and nothing else.
#[derive(Default)]
pub struct Host {
    state: State,
}

/// A host at work, until it is dropped.
#[must_use = "the host is gone when this is dropped"]
pub struct Installed {
    state: Shared,
}

impl Host {
    /// A host that grants nothing, with a minute before the deadline.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which call this is.
    #[must_use]
    pub fn call(mut self, execution: &str, attempt: u32) -> Self {
        execution.clone_into(&mut self.state.call.execution);
        self.state.call.attempt = attempt;
        self
    }

    /// Gives a setting.
    #[must_use]
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.state.config.insert(name.into(), value.into());
        self
    }

    /// Grants *attach* of a credential. What it is does not matter here: see [`SentRequest::credential`].
    #[must_use]
    pub fn attach(mut self, name: &str) -> Self {
        self.state.attach.push(name.into());
        self
    }

    /// Grants *operate* of a secret, every operation, with that shared key. As on a runner, a short one is
    /// refused when it is used: HMAC needs 16 bytes, a token as many as the digest has.
    #[must_use]
    pub fn operate(mut self, name: &str, key: impl Into<Vec<u8>>) -> Self {
        let key = Key::Shared(key.into());
        self.state.operate.insert(name.into(), key);
        self
    }

    /// Grants *operate* of a secret that is a private key: what it signs a message with is what
    /// that gives.
    #[must_use]
    pub fn signs(
        mut self,
        name: &str,
        sign: impl Fn(SignatureAlgorithm, &[u8]) -> Vec<u8> + 'static,
    ) -> Self {
        let key = Key::Private(Rc::new(sign));
        self.state.operate.insert(name.into(), key);
        self
    }

    /// Grants *reveal* of a secret, with that value.
    #[must_use]
    pub fn reveal(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.state.reveal.insert(name.into(), value.into());
        self
    }

    /// Grants HTTP, and answers every request by calling that.
    #[must_use]
    pub fn http(
        mut self,
        answer: impl FnMut(&Request) -> Result<Response, HttpError> + 'static,
    ) -> Self {
        self.state.responder = Some(Rc::new(RefCell::new(answer)));
        self
    }

    /// Grants HTTP, and answers the requests with these, one after the other. One request more
    /// panics.
    #[must_use]
    pub fn responses<I>(self, responses: I) -> Self
    where
        I: IntoIterator<Item = Result<Response, HttpError>, IntoIter: 'static>,
    {
        let mut responses = responses.into_iter();
        self.http(move |request| match responses.next() {
            Some(response) => response,
            None => panic!(
                "no response is left for {} {}",
                request.method(),
                request.url()
            ),
        })
    }

    /// Sets how long the execution has. Waiting counts, computing does not.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.state.deadline = deadline;
        self
    }

    /// Asks the execution to stop, from the beginning.
    #[must_use]
    pub fn cancelled(self) -> Self {
        self.cancelled_after(Duration::ZERO)
    }

    /// Asks the execution to stop once it has waited for that long.
    #[must_use]
    pub fn cancelled_after(mut self, waited: Duration) -> Self {
        self.state.cancelled_at = Some(waited);
        self
    }

    /// Sets how many bytes of streamed output are taken.
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.state.output_limit = bytes;
        self
    }

    /// Makes this the host of the current thread until what is returned is dropped.
    pub fn install(self) -> Installed {
        let state = Rc::new(RefCell::new(self.state));
        state::push(Rc::clone(&state));
        Installed { state }
    }
}

impl Installed {
    /// The lines that were logged, in order.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.state.borrow().logs.clone()
    }

    /// The messages that were logged at that level, in order.
    #[must_use]
    pub fn messages(&self, level: Level) -> Vec<String> {
        let logs = self.logs().into_iter();
        logs.filter(|line| line.level == level)
            .map(|line| line.message)
            .collect()
    }

    /// The reports of progress, in order. A real host keeps the last.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        self.state.borrow().progress.clone()
    }

    /// The requests that were sent, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<SentRequest> {
        self.state.borrow().requests.clone()
    }

    /// What was written to the streamed output.
    #[must_use]
    pub fn output(&self) -> Vec<u8> {
        self.state.borrow().output.clone()
    }

    /// How long the execution has waited, by the clock of this host.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.state.borrow().elapsed
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        state::remove(&self.state);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl fmt::Debug for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installed").finish_non_exhaustive()
    }
}
