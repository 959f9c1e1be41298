//! `wharf pull`: a plugin from an OCI registry, verified before it is kept.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use wharf_bundle::oci::Reference;
use wharf_bundle::{MAX_COMPONENT, read_file};

use crate::exit::{Exit, Failure, Result};
use crate::registry::{Reach, Whom, note_form, write_plugin};
use crate::{replace, terminal};

/// Fetch a plugin from an OCI registry, verify it, and only then keep it
///
/// The tag is resolved once; from then on there are only digests, and every one is compared. What is
/// at the target already is not fetched again, and is verified again.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// Where from: REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:HEX
    reference: Reference,
    /// The file to write, with FILE.sigstore.json and FILE.attestations.jsonl beside it; the last part of the repository and
    /// .wasm if left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    reach: Reach,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Pull {
    pub(crate) async fn run(self) -> Result<Exit> {
        let trusted = self.whom.load()?.ok_or_else(|| {
            Failure::usage("nothing is kept that nobody vouches for, and nobody is named")
                .help("name a trust policy with --policy, or a public key with --key")
        })?;
        let file = self
            .output
            .unwrap_or_else(|| format!("{}.wasm", self.reference.short_name()).into());
        replace::check(&file)?;
        let here = read_file(&file, MAX_COMPONENT).ok();
        let (published, transferred) = self.reach.fetch(&self.reference, here, self.json).await?;
        let pinned = self.reference.at(published.digest());
        let accepted = trusted.verify(&pinned, &published)?;
        write_plugin(&file, &published)?;
        if self.json {
            terminal::print_json(&json!({
                "ok": true,
                "reference": self.reference.to_string(),
                "digest": published.digest(),
                "pinned": pinned.to_string(),
                "component": accepted.digest,
                "signers": accepted.signers,
                "signatures": published.signatures().count(),
                "attestations": published.attestations().count(),
                "attested": accepted.attested,
                "transferred": transferred,
                "file": file,
            }));
        } else {
            terminal::note(format_args!("{pinned}"));
            terminal::note(format_args!(
                "verified {}, signed by {}{}",
                accepted.digest,
                accepted.signers.join(", "),
                if transferred == 0 {
                    "; it was here already"
                } else {
                    ""
                }
            ));
            terminal::print(file.display());
        }
        note_form(&accepted, &file);
        Ok(Exit::Done)
    }
}
