//! A Sigstore instance: an issuer of identity tokens, Fulcio with a certificate transparency log,
//! Rekor, and a timestamp authority, by npm's `@sigstore/mock`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Process;
use crate::tool::tool;

/// An instance of its own keys.
pub struct Sigstore {
    url: String,
    http: reqwest::Client,
    tools: PathBuf,
    folder: tempfile::TempDir,
    _process: Process,
}

impl Sigstore {
    /// Starts one; `None` if it cannot be had here.
    pub async fn start() -> Option<Self> {
        let tools = tool("get-sigstore-mock")?;
        let folder = tempfile::tempdir().unwrap();
        let (log, address) = (folder.path().join("log"), folder.path().join("address"));
        let mut process = Process::start(
            Command::new("node")
                .arg(tools.join("serve.mjs"))
                .arg(folder.path()),
            &log,
        );
        process.ready(&log, async || address.exists()).await;
        Some(Self {
            url: std::fs::read_to_string(&address).unwrap(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            tools,
            folder,
            _process: process,
        })
    }

    /// Where everything is, and the issuer of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder with `trusted_root.json`, `signing_config.json` and, for both, `trust_config.json`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder with the JavaScript client.
    pub fn tools(&self) -> &Path {
        &self.tools
    }

    /// An identity token with these claims, as a query.
    pub async fn token(&self, claims: &str) -> String {
        let answer = self.http.get(format!("{}/token?{claims}", self.url));
        let answer = answer.send().await.unwrap().error_for_status().unwrap();
        answer.text().await.unwrap()
    }
}
