//! `wharf sign FILE --attest`: a statement about a file, kept beside it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use wharf_bundle::{
    AttestationFile, MAX_ATTESTATION_FILE, add_attestation, attest, attestations_path, digest,
};

use super::keys;
use crate::exit::{Context, Exit, Failure, Result};
use crate::{local, terminal};

/// What is attested, where that is asked for.
#[derive(Debug, Args)]
pub(crate) struct Attest {
    /// Attest something of the file in place of signing it: the predicate (JSON) of an in-toto
    /// statement. It is added to FILE.attestations.jsonl. By a key only, without services
    #[arg(
        long,
        value_name = "PREDICATE.json",
        requires = "key",
        requires = "predicate_type",
        conflicts_with_all = ["add", "signing_config", "rekor_url", "timestamp_url"]
    )]
    attest: Option<PathBuf>,
    /// What it attests: a predicate type, such as `https://slsa.dev/provenance/v1`
    #[arg(
        long = "type",
        id = "predicate_type",
        value_name = "URL",
        requires = "attest"
    )]
    predicate_type: Option<String>,
}

/// Where it goes and how it is told.
pub(super) struct Target<'a> {
    pub(super) file: &'a Path,
    pub(super) key: &'a str,
    pub(super) bundle: Option<&'a Path>,
    pub(super) replace: bool,
    pub(super) json: bool,
}

impl Attest {
    /// What is to be attested, if anything: the predicate, and its type.
    pub(super) fn wanted(&self) -> Option<(&Path, &str)> {
        self.attest.as_deref().zip(self.predicate_type.as_deref())
    }
}

/// Attests, and writes the attestation beside those that are there.
pub(super) fn run(predicate: &Path, predicate_type: &str, to: &Target<'_>) -> Result<Exit> {
    let text = local::read_text(predicate)?;
    let predicate: Value = serde_json::from_str(&text).or_exit(
        Exit::Usage,
        format_args!("{} is not JSON", predicate.display()),
    )?;
    let content = local::read(to.file)?;
    let subject = digest(&content);
    let target = match to.bundle {
        Some(path) => path.to_owned(),
        None => attestations_path(to.file),
    };
    let new = attest(subject, predicate_type, &predicate, &keys::open(to.key)?)
        .or_exit(Exit::Usage, "nothing was attested")?;
    let there = match to.replace {
        true => None,
        false => local::read_if_there(&target, MAX_ATTESTATION_FILE)?,
    };
    let all = match there {
        None => AttestationFile::parse(&new).map(|_| [&new[..], b"\n"].concat()),
        Some(there) => add_attestation(&there, &new, &content),
    };
    let all = all.map_err(|error| {
        Failure::usage(format!("{}: {error}", target.display())).help(
            "put the new one in the place of what is there with --replace, or write it elsewhere with --bundle",
        )
    })?;
    local::write_whole(&target, &all)?;
    if to.json {
        let count = AttestationFile::parse(&all).or_exit(Exit::Usage, "the attestations")?;
        terminal::print_json(&json!({
            "ok": true,
            "file": to.file,
            "digest": subject,
            "bundle": target,
            "attestation": predicate_type,
            "attestations": count.count(),
        }));
    } else {
        terminal::print(target.display());
    }
    Ok(Exit::Done)
}
