//! A runner whose policy asks for the word of somebody else beside the trusted signer's.

use std::path::PathBuf;

use wharf_bundle::SigningKey;
use wharf_policy::Digest;
use wharf_protocol::Verdict;

use super::key;
use super::real::{House, work};

/// The runner, with the key of whoever else is asked for, which its policy knows as `other.pub`.
pub(super) struct Beside {
    pub(super) house: House,
    pub(super) other: SigningKey,
    next: u128,
}

impl Beside {
    pub(super) async fn with_policy(text: &str) -> Self {
        let other = SigningKey::generate().unwrap();
        let pem = other.public().to_pem();
        Self {
            house: House::with_policy(text, &[("other.pub", &pem)]).await,
            other,
            next: 0,
        }
    }

    /// Runs the plugin `test` of that digest, as an attempt of its own.
    pub(super) async fn run(&mut self, digest: Digest) -> Verdict {
        self.next += 1;
        let ask = work(key(self.next), "test", digest);
        self.house.run(ask).await
    }

    /// Why it is not run.
    pub(super) async fn refused(&mut self, digest: Digest) -> String {
        match self.run(digest).await {
            Verdict::Refused { message } => message,
            other => panic!("{other:?}"),
        }
    }

    /// Where the runner keeps a component, or with a suffix what belongs to it.
    pub(super) fn on_disk(&self, digest: Digest, suffix: &str) -> PathBuf {
        let folder = self.house.state.join("bundles");
        folder.join(format!("{}.wasm{suffix}", digest.to_hex()))
    }
}
