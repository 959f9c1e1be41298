//! Debian's docker-registry: an OCI registry, of the kind that keeps no lists of referrers.

use std::path::Path;
use std::process::Command;

use crate::process::{Process, free_port};
use crate::tool::tool;

/// A server.
pub struct DockerRegistry {
    port: u16,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl DockerRegistry {
    /// Starts one that everybody may use; `None` if it cannot be had here.
    pub async fn start() -> Option<Self> {
        Self::start_with("").await
    }

    /// Starts one that asks for a name and a password: the lines of a file as `htpasswd -B` writes it.
    pub async fn start_with_passwords(htpasswd: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("htpasswd");
        std::fs::write(&file, htpasswd).unwrap();
        let lines = format!(
            "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
            file.display()
        );
        Self::run(folder, &lines).await
    }

    /// Starts one that is asked over https, with a certificate and its key (PEM files).
    pub async fn start_with_tls(certificate: &Path, key: &Path) -> Option<Self> {
        let lines = format!(
            "  tls:\n    certificate: {}\n    key: {}\n",
            certificate.display(),
            key.display()
        );
        Self::start_with(&lines).await
    }

    async fn start_with(lines: &str) -> Option<Self> {
        Self::run(tempfile::tempdir().unwrap(), lines).await
    }

    /// The last lines of its configuration follow those of `http`.
    async fn run(folder: tempfile::TempDir, lines: &str) -> Option<Self> {
        let program = tool("get-docker-registry")?;
        let port = free_port();
        let config = folder.path().join("config.yml");
        let data = folder.path().join("data");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n{lines}",
            data.display()
        );
        std::fs::write(&config, text).unwrap();
        let log = folder.path().join("log");
        let mut process = Process::start(
            Command::new(program)
                .arg("serve")
                .arg(&config)
                .current_dir(folder.path()),
            &log,
        );
        let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
        process.ready(&log, async || listens().await.is_ok()).await;
        Some(Self {
            port,
            _process: process,
            _folder: folder,
        })
    }

    /// What references into it begin with.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
