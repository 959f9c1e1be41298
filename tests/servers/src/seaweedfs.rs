//! SeaweedFS: an object store that speaks S3, and checks signatures.

use std::process::Command;

use serde_json::json;

use crate::process::{Process, free_ports};
use crate::tool::tool;

/// The key that may do everything. What it is made of has to be encoded, wherever something is.
const ACCESS_KEY_ID: &str = "AKIDWHARF";
const SECRET_ACCESS_KEY: &str = "a/secret+access=key";

/// What has to be told a port, or takes one that is 10,000 above another.
const OTHER_PORTS: [&str; 7] = [
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port.grpc",
];

/// A server.
pub struct SeaweedFs {
    url: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl SeaweedFs {
    /// Starts one; `None` if SeaweedFS cannot be had here.
    pub async fn start() -> Option<Self> {
        let program = tool("get-seaweedfs")?;
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("s3.json");
        let identity = json!({
            "name": "wharf",
            "credentials": [{ "accessKey": ACCESS_KEY_ID, "secretKey": SECRET_ACCESS_KEY }],
            "actions": ["Admin", "Read", "Write", "List"],
        });
        std::fs::write(&config, json!({ "identities": [identity] }).to_string()).unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let log = folder.path().join("log");
        let [s3, others @ ..] = free_ports::<8>();
        let mut command = Command::new(program);
        command
            .args(["server", "-filer", "-s3", "-ip=127.0.0.1"])
            .args(["-ip.bind=127.0.0.1", "-metricsPort=0"])
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0"])
            .arg(format!("-dir={}", data.display()))
            .arg(format!("-s3.config={}", config.display()))
            .arg(format!("-s3.port={s3}"));
        for (part, port) in OTHER_PORTS.into_iter().zip(others) {
            command.arg(format!("-{part}={port}"));
        }
        let mut process = Process::start(&mut command, &log);
        let url = format!("http://127.0.0.1:{s3}");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        process
            .ready(&log, async || {
                let answer = http.get(format!("{url}/healthz")).send().await;
                answer.is_ok_and(|answer| answer.status().is_success())
            })
            .await;
        Some(Self {
            url,
            _process: process,
            _folder: folder,
        })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id of the key that it takes.
    pub fn access_key_id(&self) -> &str {
        ACCESS_KEY_ID
    }

    /// The secret of that key.
    pub fn secret_access_key(&self) -> &str {
        SECRET_ACCESS_KEY
    }
}
