//! A process of the test's own, stopped by its handle.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Long enough for the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; killed when dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it, with what it says in a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Asks until it is ready. Gives up, loudly, when it has ended or takes too long.
    pub(crate) async fn ready(&mut self, log: &Path, mut is: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        loop {
            let is = is().await;
            // Also of what answers: it could be another's server on the same port.
            let ended = self.0.try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "it did not start ({ended:?}): {}",
                std::fs::read_to_string(log).unwrap_or_default()
            );
            if is {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// By default the system gives none of these to those who take any port, for a listener or a connection of theirs.
const CHOSEN: Range<u16> = 10_000..32_000;

/// From one to the next. Some servers take the one behind their own as well.
const STRIDE: u32 = 7;

/// A port that nobody listens at, and another one at the next call.
///
/// # Panics
/// There is none left.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let own = std::process::id() * 101;
    for _ in CHOSEN {
        let at = own + STRIDE * u32::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = CHOSEN.start + (at % u32::from(CHOSEN.end - CHOSEN.start)) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("all ports are taken");
}

/// Ports that nobody listens at, no two the same.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    [(); N].map(|()| free_port())
}
