//! What an in-memory host knows and has seen. One per test thread; hosts stack.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::keys::Keys;
use crate::control::Call;
use crate::http::{Authentication, HttpError, Request, Response};
use crate::log::Level;
use crate::secrets::SignatureAlgorithm;

/// A line that was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub message: String,
    /// Its fields, in order.
    pub fields: Vec<(String, String)>,
}

/// A report of progress.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// How much is done, from 0 to 1.
    pub fraction: Option<f32>,
    /// In words.
    pub message: String,
}

/// A request that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRequest {
    /// The request.
    pub request: Request,
    /// The name of the credential that was attached to it.
    pub credential: Option<String>,
    /// The name of the secret that the host was to authenticate it with, and how.
    pub authentication: Option<(String, Authentication)>,
}

/// What a private key makes of a message.
pub(crate) type Signer = dyn Fn(SignatureAlgorithm, &[u8]) -> Vec<u8>;

/// When tokens are issued, by the clock of the host at its beginning: in January 2027.
pub(crate) const ISSUED: u64 = 1_800_000_000;

pub(crate) type Responder = Rc<RefCell<dyn FnMut(&Request) -> Result<Response, HttpError>>>;

pub(crate) struct State {
    pub(crate) call: Call,
    pub(crate) deadline: Duration,
    pub(crate) elapsed: Duration,
    pub(crate) cancelled_at: Option<Duration>,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) attach: Vec<String>,
    pub(crate) operate: Keys,
    pub(crate) reveal: BTreeMap<String, Vec<u8>>,
    pub(crate) responder: Option<Responder>,
    pub(crate) output_limit: usize,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) progress: Vec<Progress>,
    pub(crate) requests: Vec<SentRequest>,
    pub(crate) output: Vec<u8>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            call: Call {
                execution: "execution-of-the-test".into(),
                attempt: 1,
            },
            deadline: Duration::from_secs(60),
            elapsed: Duration::ZERO,
            cancelled_at: None,
            config: BTreeMap::new(),
            attach: Vec::new(),
            operate: Keys::new(),
            reveal: BTreeMap::new(),
            responder: None,
            output_limit: 16 * 1024 * 1024,
            logs: Vec::new(),
            progress: Vec::new(),
            requests: Vec::new(),
            output: Vec::new(),
        }
    }
}

pub(crate) type Shared = Rc<RefCell<State>>;

thread_local! {
    // At the bottom lies a host that grants nothing, for tests that need none.
    static HOSTS: RefCell<Vec<Shared>> = RefCell::new(vec![Shared::default()]);
}

/// The host that was installed last.
pub(crate) fn current() -> Shared {
    HOSTS.with_borrow(|hosts| hosts.last().cloned().unwrap_or_default())
}

pub(crate) fn push(state: Shared) {
    HOSTS.with_borrow_mut(|hosts| hosts.push(state));
}

pub(crate) fn remove(state: &Shared) {
    HOSTS.with_borrow_mut(|hosts| hosts.retain(|other| !Rc::ptr_eq(other, state)));
}
