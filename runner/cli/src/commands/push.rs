//! `wharf push`: publish a plugin, its signatures and attestations in an OCI registry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use wharf_bundle::oci::{OciError, Published, Reference};
use wharf_bundle::registry::{Access, RegistryError};

use super::keys;
use crate::exit::{Context, Exit, Failure, Result};
use crate::local::{self, Papers};
use crate::registry::{Reach, failure, progress};
use crate::terminal;

/// Publish a plugin, its signatures and attestations in an OCI registry
///
/// The same plugin always gets the same digest. Its FILE.sigstore.json and FILE.attestations.jsonl go
/// with it: each signature and each attestation becomes a referrer of the image.
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
        if published.signature_file().is_none() {
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
                "attestations": pushed.attestations,
                "transferred": pushed.transferred,
            }));
        } else {
            terminal::print(digest);
        }
        Ok(Exit::Done)
    }
}

/// A packed plugin with its signatures and attestations, if it has any.
pub(super) fn read(file: &Path) -> Result<Published> {
    let bytes = local::read(file)?;
    let papers = Papers::beside(file)?;
    Published::with(bytes.into(), papers.as_beside()).map_err(|error: OciError| {
        let unpacked = matches!(error, OciError::NotAPlugin(_));
        let message = format!("{}: {error}", file.display());
        let failure = match RegistryError::from(error).verdict() {
            wharf_bundle::registry::Verdict::Usage => Failure::usage(message),
            _ => Failure::refused(message),
        };
        match unpacked {
            true => failure.help(
                "what is published is a packed plugin: `wharf plugin build DIR` makes one of a project, `wharf plugin pack PROG.wasm --manifest plugin.toml -o FILE` of a component",
            ),
            false => failure,
        }
    })
}
