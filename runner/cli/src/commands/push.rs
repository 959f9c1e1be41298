//! `wharf push`: publish a plugin and its signatures in an OCI registry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use wharf_bundle::oci::{OciError, Published, Reference};
use wharf_bundle::registry::{Access, RegistryError};
use wharf_bundle::signature_path;

use super::keys;
use crate::exit::{Context, Exit, Failure, Result};
use crate::registry::{Reach, failure, progress};
use crate::{local, terminal};

/// Publish a plugin and its signatures in an OCI registry
///
/// The same plugin always gets the same digest. Its FILE.sigstore.json goes with it: each signature
/// becomes a referrer of the image.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// Where to: REGISTRY/REPOSITORY:TAG
    reference: Reference,
    /// A packed plugin; its signature is expected beside it
    file: PathBuf,
    /// Sign the image as well, so that `cosign verify` finds it good: an encrypted key, a file or
    /// env://NAME, as for `wharf sign`
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    reach: Reach,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Push {
    pub(crate) async fn run(self) -> Result<Exit> {
        let mut published = read(&self.file)?;
        if published.referrers().is_empty() {
            terminal::note(format_args!(
                "{} is not signed: no runner will run it; sign it with `wharf sign` and push it again",
                self.file.display()
            ));
        }
        let client = self.reach.client(&self.reference, Access::Push)?;
        if let Some(key) = &self.key {
            let key = keys::open(key)?;
            // Signatures differ each time they are made: another one would only be one more.
            let there = client.is_signed(&published, key.public()).await;
            if !there.map_err(|error| failure(&self.reference, &error))? {
                published
                    .sign(&key)
                    .or_exit(Exit::Usage, "cannot sign the image")?;
            }
        }
        let pushed = client
            .push(&published, Arc::clone(&progress(self.json)))
            .await
            .map_err(|error| failure(&self.reference, &error))?;
        let digest = self.reference.at(pushed.digest);
        if self.json {
            terminal::print_json(&json!({
                "ok": true,
                "reference": self.reference.to_string(),
                "digest": pushed.digest,
                "pinned": digest.to_string(),
                "component": published.image().component.digest,
                "signatures": pushed.signatures,
                "transferred": pushed.transferred,
            }));
        } else {
            terminal::print(digest);
        }
        Ok(Exit::Done)
    }
}

/// A packed plugin with its signatures, if it has any.
pub(super) fn read(file: &Path) -> Result<Published> {
    let bytes = local::read(file)?;
    let beside = signature_path(file);
    let signature = match std::fs::read(&beside) {
        Ok(signature) => Some(signature),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Failure::usage(format!(
                "cannot read {}: {error}",
                beside.display()
            )));
        }
    };
    Published::new(bytes.into(), signature.as_deref()).map_err(|error: OciError| {
        let message = format!("{}: {error}", file.display());
        match RegistryError::from(error).verdict() {
            wharf_bundle::registry::Verdict::Usage => Failure::usage(message),
            _ => Failure::refused(message),
        }
    })
}
