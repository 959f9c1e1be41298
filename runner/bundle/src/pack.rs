//! Packing: a component and what its author says about it become a plugin.
//!
//! Everything that can be known now is checked now, so that a plugin that packs is one that loads
//! wherever it is granted what it asks for. Same input, same bytes.

use wasm_encoder::{CustomSection, Encode, Section as _};
use wasmparser::{Validator, WasmFeatures};
use wharf_policy::{ActionName, Capabilities, Interface, Rung};

use crate::sections::{PREAMBLE, sections};
use crate::shape::{Kind, Shape, shape};
use crate::{Action, BundleError, Description, MANIFEST_SECTION, Manifest, PluginToml, schema};

/// The version of `wharf:plugin` that runners have.
const WIT_VERSION: &str = "0.1.0";

/// What packing lets pass that it otherwise would not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackOptions {
    /// Let the component import what its manifest does not ask for. Runners will refuse to load
    /// it: this is for testing that they do.
    pub allow_unasked_imports: bool,
}

/// Makes a plugin of a component: checks it, and puts the manifest into it. A manifest that is
/// there already is replaced.
///
/// # Errors
/// The component is not valid, cannot be run, imports what is unknown or not asked for, or its
/// actions do not fit it.
pub fn pack(
    component: &[u8],
    toml: &PluginToml,
    described: &[Description],
) -> Result<Vec<u8>, BundleError> {
    pack_with(component, toml, described, PackOptions::default())
}

/// [`pack`] with options.
///
/// # Errors
/// As [`pack`].
pub fn pack_with(
    component: &[u8],
    toml: &PluginToml,
    described: &[Description],
    options: PackOptions,
) -> Result<Vec<u8>, BundleError> {
    let bare = without_manifest(component)?;
    Validator::new_with_features(WasmFeatures::default())
        .validate_all(&bare)
        .map_err(|error| BundleError::Invalid(error.to_string()))?;
    let shape = shape(&bare)?;
    let manifest = manifest(toml, described, shape.kind)?;
    check_imports(&shape, &manifest.capabilities, options)?;
    Ok(with_manifest(bare, &manifest.to_json()?))
}

/// The manifest of the file and of the component's own description together.
fn manifest(
    toml: &PluginToml,
    described: &[Description],
    kind: Kind,
) -> Result<Manifest, BundleError> {
    let mut manifest = toml.manifest().clone();
    for description in described {
        let name: ActionName = description.name.parse()?;
        let action = described_action(description)?;
        if manifest.actions.insert(name, action).is_some() {
            return Err(BundleError::DuplicateAction(description.name.clone()));
        }
    }
    for (name, action) in &manifest.actions {
        match (kind, &action.command) {
            (Kind::Command, None) => return Err(BundleError::NeedsCommand(name.to_string())),
            (Kind::Actions, Some(_)) => return Err(BundleError::NotAProgram(name.to_string())),
            _ => {}
        }
        for (which, document) in [
            ("input", &action.input_schema),
            ("output", &action.output_schema),
        ] {
            schema::check(document).map_err(|why| bad_schema(name.as_str(), which, why))?;
        }
    }
    manifest.check()?;
    Ok(manifest)
}

fn described_action(description: &Description) -> Result<Action, BundleError> {
    let json = |which, text: &str| {
        serde_json::from_str(text).map_err(|error| {
            bad_schema(&description.name, which, format!("it is not JSON: {error}"))
        })
    };
    Ok(Action {
        description: description.description.clone(),
        idempotent: description.idempotent,
        input_schema: json("input", &description.input_schema)?,
        output_schema: json("output", &description.output_schema)?,
        command: None,
    })
}

fn bad_schema(action: &str, which: &'static str, why: String) -> BundleError {
    BundleError::Schema {
        action: action.to_owned(),
        which,
        why,
    }
}

fn check_imports(
    shape: &Shape,
    capabilities: &Capabilities,
    options: PackOptions,
) -> Result<(), BundleError> {
    for import in &shape.imports {
        let unknown = || BundleError::UnknownImport {
            import: import.clone(),
        };
        let interface = Interface::of_import(import).ok_or_else(unknown)?;
        if let Some((path, version)) = import.split_once('@')
            && path.starts_with("wharf:plugin/")
            && version != WIT_VERSION
        {
            return Err(unknown());
        }
        if let Some(asks) = missing_ask(interface, capabilities)
            && !options.allow_unasked_imports
        {
            return Err(BundleError::UnaskedImport {
                import: import.clone(),
                asks,
            });
        }
    }
    Ok(())
}

/// What the capabilities must ask for before the interface can ever be granted, if they do not.
fn missing_ask(interface: Interface, capabilities: &Capabilities) -> Option<&'static str> {
    let rung = |rung| {
        capabilities
            .secrets
            .iter()
            .any(|ask| ask.rungs.contains(&rung))
    };
    let http = !capabilities.http.is_empty();
    let (asked, line) = match interface {
        Interface::Log
        | Interface::Progress
        | Interface::Control
        | Interface::Output
        | Interface::Types
        | Interface::WasiBase
        | Interface::WasiTcp => return None,
        Interface::Config => (capabilities.config, "`config = true`"),
        Interface::Http | Interface::WasiHttp => (http, "`http = [{ origin = \"…\" }]`"),
        Interface::HttpCredentials => (
            http && rung(Rung::Attach),
            "`http = [{ origin = \"…\" }]` and `secrets = [{ name = \"…\", rungs = [\"attach\"] }]`",
        ),
        Interface::SignedHttp => (
            http && rung(Rung::Operate),
            "`http = [{ origin = \"…\" }]` and `secrets = [{ name = \"…\", rungs = [\"operate\"] }]`",
        ),
        Interface::Secrets => (
            rung(Rung::Operate),
            "`secrets = [{ name = \"…\", rungs = [\"operate\"] }]`",
        ),
        Interface::Reveal => (
            rung(Rung::Reveal),
            "`secrets = [{ name = \"…\", rungs = [\"reveal\"] }]`",
        ),
    };
    (!asked).then_some(line)
}

/// The component as its compiler made it: every top-level manifest section left out.
fn without_manifest(component: &[u8]) -> Result<Vec<u8>, BundleError> {
    let sections = sections(component)?;
    let mut bare = Vec::with_capacity(component.len());
    bare.extend_from_slice(&component[..PREAMBLE]);
    for section in sections {
        let section = section?;
        let is_manifest = section
            .custom(component)?
            .is_some_and(|custom| custom.name == MANIFEST_SECTION);
        if !is_manifest {
            bare.extend_from_slice(&component[section.whole]);
        }
    }
    Ok(bare)
}

fn with_manifest(mut component: Vec<u8>, json: &[u8]) -> Vec<u8> {
    let section = CustomSection {
        name: MANIFEST_SECTION.into(),
        data: json.into(),
    };
    component.push(section.id());
    section.encode(&mut component);
    component
}
