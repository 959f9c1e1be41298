//! `wharf plugin`: make, build, pack, inspect, publish.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use wharf_bundle::{
    AttestationFile, MAX_ATTESTATION_FILE, MAX_SIGNATURE_FILE, Manifest, PackOptions, PluginToml,
    attestations_path, read_file, signature_path,
};
use wharf_policy::PluginName;

use super::group::rows;
use crate::client::{Client, Connection};
use crate::exit::{Context, Exit, Result};
use crate::registry::Reach;
use crate::source::Source;
use crate::{local, plugin_build, scaffold, terminal};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a plugin that builds, with a test, in a new folder
    New {
        /// Its name, such as tickets or acme/tickets
        name: PluginName,
        /// The language it is written in
        #[arg(long, value_enum, default_value_t = Language::Rust)]
        lang: Language,
    },
    /// Build a plugin: the component with its manifest → target/wharf/NAME.wasm
    Build {
        /// Its folder
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Pack any component, however it was built, with its manifest
    Pack {
        /// A component that exports wharf:plugin/actions or wasi:cli/run
        component: PathBuf,
        /// The plugin.toml
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
        /// Where to write it
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a plugin is, what it asks for, and who signed it
    Inspect {
        /// A packed plugin
        file: PathBuf,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Upload a plugin, its signatures and its attestations to a controller
    Publish {
        /// A packed plugin, FILE.sigstore.json and FILE.attestations.jsonl beside it; or oci://REFERENCE, in a registry, whose
        /// authorities WHARF_REGISTRY_CA_FILE names
        #[arg(value_name = "FILE")]
        plugin: Source,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the plugins that a controller has
    List {
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Language {
    /// Rust, with the wharf-plugin SDK
    Rust,
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::New { .. } => false,
            Self::Build { json, .. }
            | Self::Pack { json, .. }
            | Self::Inspect { json, .. }
            | Self::Publish { json, .. }
            | Self::List { json, .. } => *json,
        }
    }

    pub(crate) async fn run(self) -> Result<Exit> {
        match self {
            Self::New {
                name,
                lang: Language::Rust,
            } => {
                let folder = PathBuf::from(name.as_str().replace('/', "-"));
                for file in scaffold::create(&folder, &name)? {
                    terminal::print(file.display());
                }
                terminal::note(format_args!(
                    "next: cd {} && cargo test && wharf plugin build",
                    folder.display()
                ));
            }
            Self::Build { dir, json } => {
                let bar = spinner();
                let packed = plugin_build::build(&dir, PackOptions::default(), &mut |line| {
                    bar.set_message(line.to_owned());
                })
                .await;
                bar.finish_and_clear();
                tell(&packed?, json);
            }
            Self::Pack {
                component,
                manifest,
                output,
                json,
            } => {
                let toml = PluginToml::load(&manifest).or_exit(Exit::Usage, manifest.display())?;
                tell(
                    &plugin_build::pack(&component, &toml, PackOptions::default(), &output).await?,
                    json,
                );
            }
            Self::Inspect { file, json } => inspect(&file, json)?,
            Self::Publish {
                plugin,
                json,
                connection,
            } => {
                let client = Client::connect(&connection)?;
                let found = plugin.read(&Reach::from_env(), json).await?;
                if found.papers.signatures.is_none() {
                    terminal::note(format_args!(
                        "{plugin} is not signed: no runner will run it; sign it with `wharf sign` and publish it again"
                    ));
                }
                let published = client.publish(found.bytes.to_vec(), found.papers).await?;
                if json {
                    terminal::print_json(&published);
                } else {
                    let member = |name: &str| terminal::cell(&published[name]);
                    terminal::print(format_args!(
                        "{}@{} {}",
                        member("name"),
                        member("version"),
                        member("digest")
                    ));
                }
            }
            Self::List { json, connection } => {
                let listing: Value = Client::connect(&connection)?.get("/v1/plugins").await?;
                if json {
                    terminal::print_json(&listing);
                } else {
                    terminal::print(terminal::table(
                        &["name", "version", "digest", "signed"],
                        rows(&listing),
                    ));
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// A line that shows what a long step is doing.
pub(crate) fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) =
        ProgressStyle::with_template("{spinner:.cyan} {elapsed:>3} {prefix} {wide_msg:.dim}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}

fn tell(packed: &plugin_build::Packed, json: bool) {
    let manifest = &packed.manifest;
    if json {
        terminal::print_json(&json!({
            "file": packed.file,
            "digest": packed.digest,
            "name": manifest.name,
            "version": manifest.version,
        }));
    } else {
        terminal::print(packed.file.display());
        terminal::note(format_args!(
            "{}@{} {}",
            manifest.name, manifest.version, packed.digest
        ));
    }
}

/// What lies beside a plugin as attestations, for people. Nothing of it is verified.
fn attested(file: &Path, bytes: &[u8]) -> String {
    let Ok(content) = read_file(&attestations_path(file), MAX_ATTESTATION_FILE) else {
        return "nothing".to_owned();
    };
    let read = AttestationFile::parse(&content)
        .and_then(|attestations| attestations.check_about(bytes).map(|()| attestations));
    match read {
        Ok(attestations) => {
            let types: Vec<&str> = attestations.predicate_types().collect();
            format!("{}; by whom is not verified here", types.join(", "))
        }
        Err(reason) => format!("something that cannot be used: {reason}"),
    }
}

fn inspect(file: &Path, json: bool) -> Result<()> {
    let bytes = local::read(file)?;
    let manifest = Manifest::read(&bytes).or_exit(Exit::Usage, file.display())?;
    let shape = wharf_bundle::shape(&bytes).or_exit(Exit::Usage, file.display())?;
    let signature = read_file(&signature_path(file), MAX_SIGNATURE_FILE).ok();
    let signed = match &signature {
        None => "not signed".to_owned(),
        Some(bundle) => match wharf_bundle::SignatureFile::parse(bundle) {
            Ok(bundle) if bundle.signed() == wharf_bundle::digest(&bytes) => {
                "has a signature; `wharf verify` tells whether it is to be trusted".to_owned()
            }
            Ok(_) => "has the signature of another file".to_owned(),
            Err(reason) => format!("has a signature that cannot be used: {reason}"),
        },
    };
    let attested = attested(file, &bytes);
    let digest = wharf_bundle::digest(&bytes);
    if json {
        terminal::print_json(&json!({
            "file": file,
            "digest": digest,
            "size": bytes.len(),
            "manifest": manifest,
            "imports": shape.imports,
            "exports": shape.exports,
            "signature": signed,
            "attestations": attested,
        }));
        return Ok(());
    }
    terminal::print(format_args!(
        "{}@{}  {}",
        manifest.name, manifest.version, manifest.description
    ));
    terminal::print(format_args!("digest     {digest}"));
    terminal::print(format_args!("size       {} bytes", bytes.len()));
    terminal::print(format_args!("signature  {signed}"));
    terminal::print(format_args!("attested   {attested}"));
    let capabilities = serde_json::to_value(&manifest.capabilities).unwrap_or_default();
    let asks: Vec<String> = capabilities
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    terminal::print(format_args!(
        "asks for   {}",
        if asks.is_empty() {
            "nothing".to_owned()
        } else {
            asks.join("\n           ")
        }
    ));
    terminal::print(format_args!(
        "imports    {}",
        shape.imports.join("\n           ")
    ));
    for (name, action) in &manifest.actions {
        let kind = if action.command.is_some() {
            " (program)"
        } else {
            ""
        };
        let again = if action.idempotent {
            ", may be tried again"
        } else {
            ""
        };
        terminal::print(format_args!(
            "\naction {name}{kind}{again}\n  {}",
            action.description
        ));
        terminal::print(format_args!("  input   {}", action.input_schema));
        terminal::print(format_args!("  output  {}", action.output_schema));
    }
    Ok(())
}
