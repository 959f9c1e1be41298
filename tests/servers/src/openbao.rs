//! OpenBao in its development mode: in memory, unsealed, with a root token.

use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::Postgres;
use crate::process::{Process, free_port};
use crate::tool::tool;

/// The root token of every server here.
const ROOT: &str = "root";

/// A server.
pub struct OpenBao {
    url: String,
    http: reqwest::Client,
    _process: Process,
    folder: tempfile::TempDir,
}

impl OpenBao {
    /// Starts one; `None` if OpenBao cannot be had here.
    pub async fn start() -> Option<Self> {
        Self::launch("http", &[]).await
    }

    /// Starts one that serves over TLS, with a certificate of an authority of its own.
    pub async fn start_with_tls() -> Option<Self> {
        Self::launch("https", &["-dev-tls"]).await
    }

    async fn launch(scheme: &str, more: &[&str]) -> Option<Self> {
        let program = tool("get-openbao")?;
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = folder.path().join("log");
        let mut command = Command::new(program);
        command
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .args(more)
            .env("HOME", folder.path());
        if scheme == "https" {
            command.arg("-dev-tls-cert-dir").arg(folder.path());
        }
        let mut process = Process::start(&mut command, &log);
        let url = format!("{scheme}://127.0.0.1:{port}");
        // Asks as root, and only its own server: whose certificate is not what a test is about here.
        let http = reqwest::Client::builder()
            .no_proxy()
            .danger_accept_invalid_certs(true)
            .build()
            .unwrap();
        let health = format!("{url}/v1/sys/health");
        process
            .ready(&log, async || {
                let answer = http.get(&health).send().await;
                answer.is_ok_and(|answer| answer.status().is_success())
            })
            .await;
        Some(Self {
            url,
            http,
            _process: process,
            folder,
        })
    }

    /// The certificate of the authority, as PEM, of one that serves over TLS.
    pub fn authority(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("vault-ca.pem")).unwrap()
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A token that may do everything.
    pub fn root(&self) -> &str {
        ROOT
    }

    /// Writes as root, and gives what is answered.
    pub async fn write(&self, path: &str, body: Value) -> Value {
        self.write_in("", path, body).await
    }

    /// The same, in a namespace.
    pub async fn write_in(&self, namespace: &str, path: &str, body: Value) -> Value {
        loop {
            let (status, answer) = self.send(Method::POST, namespace, path, Some(&body)).await;
            // A key/value engine that has just been mounted takes nothing for a moment.
            if status == 400 && answer.to_string().contains("will resume service shortly") {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            assert!((200..300).contains(&status), "{path}: {status} {answer}");
            return answer;
        }
    }

    /// Reads as root: the status and what is answered.
    pub async fn read(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, "", path, None).await
    }

    /// Mounts the database engine at `database`: its role `app` makes roles in that server that hold
    /// for `ttl`, such as `1h`.
    pub async fn lend_roles(&self, postgres: &Postgres, ttl: &str) {
        let (user, password) = postgres.admin();
        self.write("sys/mounts/database", json!({ "type": "database" }))
            .await;
        let url = format!(
            "postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable",
            postgres.port()
        );
        self.write(
            "database/config/app",
            json!({
                "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
                "connection_url": url, "username": user, "password": password,
            }),
        )
        .await;
        self.write(
            "database/roles/app",
            json!({
                "db_name": "app", "default_ttl": ttl, "max_ttl": "1h",
                "creation_statements": [
                    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'",
                ],
            }),
        )
        .await;
    }

    /// The names below a path.
    pub async fn list(&self, path: &str) -> Vec<String> {
        let method = Method::from_bytes(b"LIST").unwrap();
        let (_, answer) = self.send(method, "", path, None).await;
        let names = answer["data"]["keys"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        names
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    }

    async fn send(
        &self,
        method: Method,
        namespace: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut request = self
            .http
            .request(method, format!("{}/v1/{path}", self.url))
            .header("x-vault-token", ROOT);
        if !namespace.is_empty() {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }
}
