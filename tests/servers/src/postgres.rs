//! PostgreSQL with a database of its own, reached by TCP with a password.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Process, free_port};
use crate::tool::tool;

/// Who may do everything, with which password.
const ADMIN: (&str, &str) = ("wharf_admin", "a-password-for-tests-only");
/// PostgreSQL does not run as root; it then runs as nobody.
const NOBODY: u32 = 65534;

/// A server.
pub struct Postgres {
    port: u16,
    programs: PathBuf,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Postgres {
    /// Starts one; `None` if PostgreSQL cannot be had here.
    pub async fn start() -> Option<Self> {
        let programs = tool("get-postgres")?;
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, ADMIN.1).unwrap();
        if is_root() {
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
            for path in [folder.path(), &password] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let data = folder.path().join("data");
        let made = program(&programs, "initdb", folder.path())
            .args(["--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C", "--username", ADMIN.0])
            .arg("--pwfile")
            .arg(&password)
            .arg("--pgdata")
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port();
        let log = folder.path().join("log");
        let mut process = Process::start(
            program(&programs, "postgres", folder.path())
                .arg("-D")
                .arg(&data)
                .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F"])
                .arg("-k")
                .arg(folder.path()),
            &log,
        );
        let ask = |sql: &str| psql(&programs, port, ADMIN, sql).is_ok();
        process.ready(&log, async || ask("select 1")).await;
        Some(Self {
            port,
            programs,
            _process: process,
            _folder: folder,
        })
    }

    /// The port that it listens on, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who may do everything, and the password.
    pub fn admin(&self) -> (&'static str, &'static str) {
        ADMIN
    }

    /// Asks as the one who may do everything: the rows, a line each.
    pub fn query(&self, sql: &str) -> String {
        psql(&self.programs, self.port, ADMIN, sql).unwrap()
    }

    /// Asks as another user.
    ///
    /// # Errors
    /// What the server said.
    pub fn query_as(&self, user: &str, password: &str, sql: &str) -> Result<String, String> {
        psql(&self.programs, self.port, (user, password), sql)
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program of PostgreSQL's, as a user that it runs as, with the libraries that came with it.
fn program(programs: &Path, name: &str, folder: &Path) -> Command {
    let mut command = Command::new(programs.join(name));
    command.current_dir(folder).env("LC_ALL", "C");
    // Where it was unpacked beside its libraries: ROOT/usr/lib/postgresql/VERSION/bin.
    if let Some(lib) = programs.ancestors().nth(3) {
        let own = lib.join(format!("{}-linux-gnu", std::env::consts::ARCH));
        if lib != Path::new("/usr/lib") && own.is_dir() {
            command.env("LD_LIBRARY_PATH", own);
        }
    }
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn psql(programs: &Path, port: u16, who: (&str, &str), sql: &str) -> Result<String, String> {
    let done = program(programs, "psql", Path::new("/"))
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", who.0])
        .args(["-d", "postgres", "-X", "-A", "-t", "-w", "-c", sql])
        .env("PGPASSWORD", who.1)
        .output()
        .unwrap();
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
    }
}
