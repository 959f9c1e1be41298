//! moto: answers as AWS does, from memory.

use std::process::Command;

use crate::process::{Process, free_port};
use crate::tool::tool;

/// A server.
pub struct Moto {
    url: String,
    http: reqwest::Client,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Moto {
    /// Starts one; `None` if moto cannot be had here.
    pub async fn start() -> Option<Self> {
        let program = tool("get-moto")?;
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = folder.path().join("log");
        let mut process = Process::start(
            Command::new(program)
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .current_dir(folder.path()),
            &log,
        );
        let url = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        process
            .ready(&log, async || http.get(&url).send().await.is_ok())
            .await;
        Some(Self {
            url,
            http,
            _process: process,
            _folder: folder,
        })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls an operation of Secrets Manager and gives what is answered.
    pub async fn secrets_manager(
        &self,
        operation: &str,
        body: serde_json::Value,
    ) -> serde_json::Value {
        let answer = self
            .http
            .post(&self.url)
            .header("x-amz-target", format!("secretsmanager.{operation}"))
            .header("content-type", "application/x-amz-json-1.1")
            // moto does not check the signature; it takes service and region from here.
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0",
            )
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{operation}: {answer:?}");
        answer.json().await.unwrap()
    }
}
