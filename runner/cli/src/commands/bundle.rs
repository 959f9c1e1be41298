//! `wharf bundle`: plugins for networks without a registry, in one file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use wharf_bundle::layout;
use wharf_bundle::oci::{Published, Reference};

use super::push;
use crate::exit::{Context, Exit, Failure, Result};
use crate::registry::{Reach, Whom, bad_archive, note_form, write_plugin};
use crate::{local, terminal};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put plugins with all their signatures and attestations into one archive: an OCI image layout in a tar file
    ///
    /// The same plugins always give the same archive. Nothing is verified here: whoever loads it does.
    Save {
        /// Packed plugins, or references of a registry. What could be either begins with oci://
        #[arg(required = true, value_name = "REF|FILE")]
        plugins: Vec<String>,
        /// The archive to write
        #[arg(short, long, value_name = "ARCHIVE.tar")]
        output: PathBuf,
        #[command(flatten)]
        reach: Reach,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the plugins of an archive, each with its signatures and attestations beside it
    ///
    /// Every digest in the archive is compared. Whether somebody who is trusted signed the plugins
    /// is asked too if somebody is named, and by every runner before it runs one.
    Load {
        /// An archive of `wharf bundle save`
        #[arg(value_name = "ARCHIVE.tar")]
        archive: PathBuf,
        /// The folder to write into; made if it is missing
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
        #[command(flatten)]
        whom: Whom,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Save { json, .. } | Self::Load { json, .. } => *json,
        }
    }

    pub(crate) async fn run(self) -> Result<Exit> {
        match self {
            Self::Save {
                plugins,
                output,
                reach,
                json,
            } => save(&plugins, &output, &reach, json).await,
            Self::Load {
                archive,
                output,
                whom,
                json,
            } => load(&archive, &output, &whom, json),
        }
    }
}

async fn save(plugins: &[String], output: &Path, reach: &Reach, json: bool) -> Result<Exit> {
    let mut found = Vec::new();
    for named in plugins {
        // A file goes before a reference that is written the same.
        let published = match named.starts_with(Reference::SCHEME) {
            false if Path::new(named).exists() => push::read(Path::new(named))?,
            _ => {
                let reference: Reference = named.parse().map_err(|error| {
                    Failure::usage(format!("there is no file {named:?}, and {error}"))
                })?;
                reach.fetch(&reference, None, json).await?.0
            }
        };
        found.push((named, published));
    }
    let published: Vec<Published> = found.iter().map(|(_, plugin)| plugin.clone()).collect();
    let mut archive = Vec::new();
    layout::save(&published, &mut archive).map_err(|error| bad_archive(output, &error))?;
    local::write_whole(output, &archive)?;
    if json {
        let plugins: Vec<_> = found
            .iter()
            .map(|(named, plugin)| {
                json!({
                    "from": named,
                    "digest": plugin.digest(),
                    "component": plugin.image().component.digest,
                    "signatures": plugin.signatures().count(),
                    "attestations": plugin.attestations().count(),
                })
            })
            .collect();
        terminal::print_json(&json!({ "ok": true, "file": output, "plugins": plugins }));
    } else {
        terminal::print(output.display());
    }
    Ok(Exit::Done)
}

fn load(archive: &Path, output: &Path, whom: &Whom, json: bool) -> Result<Exit> {
    let trusted = whom.load()?;
    let file = File::open(archive).or_exit(
        Exit::Usage,
        format_args!("cannot read {}", archive.display()),
    )?;
    let plugins =
        layout::load(BufReader::new(file)).map_err(|error| bad_archive(archive, &error))?;
    // All of them are asked about before one is written.
    let mut accepted = Vec::new();
    for plugin in &plugins {
        let named = format!("{} in {}", plugin.digest(), archive.display());
        accepted.push(match &trusted {
            Some(trusted) => Some(trusted.verify(named, plugin)?),
            None => None,
        });
    }
    std::fs::create_dir_all(output).or_exit(
        Exit::Usage,
        format_args!("cannot make {}", output.display()),
    )?;
    let mut written = Vec::new();
    for ((name, plugin), accepted) in names(&plugins).into_iter().zip(&plugins).zip(&accepted) {
        let file = output.join(name);
        write_plugin(&file, plugin)?;
        if !json {
            terminal::print(file.display());
        }
        if let Some(accepted) = accepted {
            note_form(accepted, &file);
        }
        written.push(json!({
            "file": file,
            "digest": plugin.digest(),
            "component": plugin.image().component.digest,
            "signatures": plugin.signatures().count(),
            "attestations": plugin.attestations().count(),
            "signers": accepted.as_ref().map(|accepted| &accepted.signers),
        }));
    }
    if json {
        terminal::print_json(
            &json!({ "ok": true, "verified": trusted.is_some(), "plugins": written }),
        );
    } else if trusted.is_none() {
        terminal::note(
            "whole, as they were saved; who signed them was not asked: `wharf verify` does, and so does every runner",
        );
    }
    Ok(Exit::Done)
}

/// What the files of plugins are called: by the name that the image says, with the version where there
/// are several of a name, and with the digest where that is not enough. Names of an archive are only
/// ever parsed names and versions, never paths.
fn names(plugins: &[Published]) -> Vec<String> {
    let count = |of: &dyn Fn(&Published) -> String| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for plugin in plugins {
            *counts.entry(of(plugin)).or_default() += 1;
        }
        counts
    };
    let name = |plugin: &Published| match &plugin.image().name {
        Some(name) => name.as_str().replace('/', "-"),
        None => plugin.image().component.digest.to_hex(),
    };
    let versioned = |plugin: &Published| match &plugin.image().version {
        Some(version) => format!("{}-{version}", name(plugin)),
        None => name(plugin),
    };
    let (by_name, by_version) = (count(&name), count(&versioned));
    let one = |counts: &BTreeMap<String, usize>, key: &str| counts.get(key) == Some(&1);
    plugins
        .iter()
        .map(|plugin| {
            let (short, long) = (name(plugin), versioned(plugin));
            if one(&by_name, &short) {
                format!("{short}.wasm")
            } else if one(&by_version, &long) {
                format!("{long}.wasm")
            } else {
                format!("{long}-{}.wasm", plugin.digest().to_hex())
            }
        })
        .collect()
}
