//! Policies over a server, and the values that come of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use wharf_policy::Policy;
use wharf_stores::{Resolution, ResolveError, Stores};
use wharf_test_servers::OpenBao;

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A server and a folder with what a runner would have there.
pub(crate) struct World {
    pub(crate) bao: Arc<OpenBao>,
    folder: tempfile::TempDir,
}

impl World {
    /// `None` if OpenBao cannot be had here.
    pub(crate) async fn start() -> Option<Self> {
        OpenBao::start().await.map(Self::around)
    }

    pub(crate) fn around(bao: OpenBao) -> Self {
        let world = Self {
            bao: Arc::new(bao),
            folder: tempfile::tempdir().unwrap(),
        };
        world.file("root.token", world.bao.root());
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn file(&self, name: &str, content: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A policy with one store over this server, and these secrets, named `s0`, `s1`…
    pub(crate) fn policy(&self, table: &str, secrets: &[&str]) -> Policy {
        policy(self.bao.url(), table, secrets)
    }

    pub(crate) fn stores(&self, policy: &Policy) -> Stores {
        Stores::open(policy, self.path(), None).unwrap()
    }

    /// The values of these references, in their order.
    pub(crate) async fn get(
        &self,
        table: &str,
        secrets: &[&str],
    ) -> Vec<Result<String, ResolveError>> {
        let policy = self.policy(table, secrets);
        values(&self.stores(&policy).resolve(&policy.secrets).await)
    }
}

/// Logs in with the root token.
pub(crate) const ROOT: &str = "login = { token = 'file:root.token' }";

pub(crate) fn policy(url: &str, table: &str, secrets: &[&str]) -> Policy {
    let mut text = format!("[store.vault]\nkind = 'vault'\naddress = '{url}'\n{table}\n");
    for (number, from) in secrets.iter().enumerate() {
        text += &format!("[[secret]]\nname = 's{number}'\nfrom = '{from}'\n");
    }
    Policy::from_toml(&text).unwrap()
}

pub(crate) fn values(resolution: &Resolution) -> Vec<Result<String, ResolveError>> {
    let values = resolution.values.values();
    values
        .map(|value| {
            let value = value.as_ref().map_err(Clone::clone)?;
            Ok(String::from_utf8(value.expose().to_vec()).unwrap())
        })
        .collect()
}

/// A token that a fresh key signs for this subject and audience, and the key as PEM.
pub(crate) fn jwt(subject: &str, audience: &str) -> (String, String) {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    let key = SigningKey::from_bytes(&seed);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = [
        part(serde_json::json!({ "alg": "EdDSA", "typ": "JWT" })),
        part(serde_json::json!({
            "sub": subject, "aud": audience, "iat": now, "exp": now + 600,
        })),
    ]
    .join(".");
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes());
    // SubjectPublicKeyInfo of Ed25519 (RFC 8410), whose key is the last 32 bytes.
    let mut der = vec![
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    der.extend_from_slice(key.verifying_key().as_bytes());
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der)
    );
    (format!("{signed}.{signature}"), pem)
}

/// Asks again until it is so; gives up, loudly, after a minute.
pub(crate) async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if is().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("after a minute still not: {what}");
}

/// Starts the world, or ends the test as skipped.
macro_rules! world {
    () => {
        match $crate::support::World::start().await {
            Some(world) => world,
            None => return,
        }
    };
}
pub(crate) use world;
