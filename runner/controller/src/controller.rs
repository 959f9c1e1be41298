//! Putting the parts together, and taking them apart in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use dashmap::DashMap;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{self, App};
use crate::clock::Clock;
use crate::config::Config;
use crate::data_dir::{DataDir, DataDirError};
use crate::directory::Directory;
use crate::driver::{self, Command, Handle};
use crate::link::LinkContext;
use crate::logs::{self, Hub, LogReader, LogTable};
use crate::model::{Change, Role, TokenKind, TokenRecord};
use crate::secret::{self, NoRandomness};
use crate::serve::{self, TlsError};
use crate::store::{BlobError, Blobs, History, SqliteHistory, SqliteStore, StoreError};

/// How often leases are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long open requests may take to end at a shutdown.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why a controller cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// Its folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Its database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its files.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The address.
    #[error(
        "cannot listen on {address}: {source}; pass another --listen, or stop what listens there"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The times.
    #[error(
        "the heartbeat of {heartbeat:?} does not fit twice into the lease of {lease:?}: make the lease longer"
    )]
    Times {
        /// How often.
        heartbeat: Duration,
        /// How long.
        lease: Duration,
    },
    /// The store failed during the start.
    #[error("the first admin token could not be kept: {0}")]
    AdminToken(String),
}

/// A controller.
#[derive(Debug)]
pub struct Controller;

impl Controller {
    /// Starts a controller within the current tokio runtime. When this returns it serves.
    ///
    /// # Errors
    /// Anything without which it could not do its work; each says what to do about it.
    pub async fn start(config: Config) -> Result<Running, ControllerError> {
        if config.heartbeat.is_zero() || config.heartbeat * 2 > config.lease {
            return Err(ControllerError::Times {
                heartbeat: config.heartbeat,
                lease: config.lease,
            });
        }
        let tls = serve::acceptor(&config.tls, config.listen)?;
        let data = Arc::new(DataDir::open(&config.data)?);
        let ended = CancellationToken::new();
        let blobs = Blobs::open(data.path())?;
        let clock = Clock::new();
        let directory = Arc::new(Directory::default());
        let database = data.join("controller.db");
        let store = SqliteStore::open(&database)?;
        let history: Arc<dyn History> = Arc::new(SqliteHistory::open(&database)?);
        let log_path = data.join("logs.db");
        let hub = Arc::new(Hub::default());
        let log_table = LogTable::open(&log_path)?;
        let log_reader = Arc::new(LogReader::open(&log_path)?);
        let listening = |source| ControllerError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;

        let (handle, driver) = driver::start(
            store,
            config.rules(),
            clock,
            Arc::clone(&directory),
            (Arc::clone(&data), ended.clone().drop_guard()),
        )?;
        let log_handle = logs::start(log_table, Arc::clone(&hub));
        let admin_token = admin_token(&data, &handle, &directory, clock).await?;
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        let links = Arc::new(LinkContext {
            closing: closing.clone(),
            open: tasks.clone(),
            handle: handle.clone(),
            directory: Arc::clone(&directory),
            history: Arc::clone(&history),
            logs: log_handle,
            blobs: blobs.clone(),
            lease: config.lease,
            heartbeat: config.heartbeat,
            next_link: AtomicU64::new(1),
            log_pipes: DashMap::new(),
        });
        let (router, document) = api::routes();
        let app = Arc::new(App {
            handle: handle.clone(),
            directory,
            history,
            blobs,
            putting: Arc::default(),
            logs: log_reader,
            hub,
            clock,
            links,
            document: document.to_string(),
            closing: closing.clone(),
        });
        let serving = serve::serve(
            listener,
            tls,
            router.with_state(app),
            closing.clone(),
            tasks.clone(),
        );
        tasks.spawn(serving);
        tokio::spawn(tick(handle.clone(), closing.clone()));
        tracing::info!(%address, controller = handle.controller(), data = %data.path().display(), "the controller serves");
        Ok(Running {
            address,
            admin_token,
            handle,
            closing,
            tasks,
            ended,
            driver: Some(driver),
        })
    }
}

async fn tick(handle: Handle, closing: CancellationToken) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => handle.tick(),
            () = closing.cancelled() => return,
        }
    }
}

/// The token in the folder if it is good, else a new one.
async fn admin_token(
    data: &DataDir,
    handle: &Handle,
    directory: &Directory,
    clock: Clock,
) -> Result<String, ControllerError> {
    let now = clock.now();
    if let Some(token) = data.admin_token()?
        && let Some(hash) = secret::hash_token(&token)
        && directory.token(&hash, now).is_some()
    {
        return Ok(token);
    }
    let unkept = |why: String| ControllerError::AdminToken(why);
    let token = secret::new_token()?;
    let hash = secret::hash_token(&token).ok_or_else(|| unkept("it has no hash".to_owned()))?;
    let change = Change::TokenCreated(TokenRecord {
        hash,
        kind: TokenKind::Api(Role::Admin),
        expires: None,
        note: "made at the first start, in admin.token".to_owned(),
        created: now,
    });
    handle
        .ask(|reply| Command::Keep { change, reply })
        .await
        .map_err(|error| unkept(error.to_string()))?;
    data.write_admin_token(&token)?;
    Ok(token)
}

/// A controller that serves. Dropping it stops it without goodbyes; nothing accepted is lost.
pub struct Running {
    address: SocketAddr,
    admin_token: String,
    handle: Handle,
    closing: CancellationToken,
    tasks: TaskTracker,
    ended: CancellationToken,
    driver: Option<JoinHandle<()>>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The token of the role admin that is kept in `admin.token`.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Waits until the driver has ended, which it does only after [`Running::shutdown`] began or
    /// if it failed beyond repair.
    pub async fn wait(&self) {
        self.ended.cancelled().await;
    }

    /// Ends in order: no new connections, whoever waits is answered with how things stand, runners
    /// are told to come again, what was accepted is kept.
    pub async fn shutdown(mut self) {
        self.closing.cancel();
        self.tasks.close();
        // Told while connections still live, so that runners hear it.
        let _ = self.handle.tell(Command::Stop).await;
        if tokio::time::timeout(FAREWELL, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some requests did not end in time and are cut off");
        }
        let driver = self.driver.take();
        let _ = tokio::task::spawn_blocking(move || driver.map(JoinHandle::join)).await;
        tracing::info!("the controller has ended");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.closing.cancel();
        self.handle.stop();
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
