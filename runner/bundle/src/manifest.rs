//! The manifest: what the author of a plugin declares, as JSON in a custom section of the component.
//!
//! Reading one never runs the component and never looks inside nested modules.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use wharf_policy::{ActionName, Capabilities, LimitRequest, PluginName};

use crate::BundleError;
use crate::sections::sections;
use crate::strict_json;

/// The name of the custom section.
pub const MANIFEST_SECTION: &str = "wharf:manifest";

/// The format of manifests that this version reads and writes.
pub const FORMAT: u32 = 1;

/// The largest manifest, in bytes.
const MAX_MANIFEST: usize = 1 << 20;

/// The most that a manifest asks for, each method, port and rung counted, and the most actions. A
/// plugin asks for a few dozen; each ask is compared with each grant, for each action.
const MAX_ASKS: usize = 1024;
const MAX_ACTIONS: usize = 1024;

/// What the author declares about a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The name under which policies speak of the plugin.
    pub name: PluginName,
    /// The version, by semver.
    pub version: semver::Version,
    /// What the plugin is for, for a person.
    pub description: String,
    /// An SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Whether an instance may serve several runs, if the operator agrees.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reuse: bool,
    /// What it asks for beyond computing.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// The limits it can live with. They can only lower what the operator allows.
    #[serde(default)]
    pub limits: LimitRequest,
    /// Its actions by name.
    #[serde(deserialize_with = "without_repeats")]
    pub actions: BTreeMap<ActionName, Action>,
}

/// One action of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Action {
    /// What it does, for a person.
    pub description: String,
    /// Whether running it twice does no harm, so that it may be retried after an unknown outcome.
    pub idempotent: bool,
    /// JSON Schema (2020-12) of the input.
    pub input_schema: Value,
    /// JSON Schema (2020-12) of the output.
    pub output_schema: Value,
    /// How to run it as a program; none if it is run through `wharf:plugin/actions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
}

/// An action that is a `wasi:cli/run` program: JSON on stdin, JSON on stdout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Command {
    /// The arguments after the program's name.
    #[serde(default)]
    pub args: Vec<String>,
    /// The whole environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// One action as a component that describes itself tells it when it is packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The name of the action.
    pub name: String,
    /// What it does, for a person.
    pub description: String,
    /// JSON Schema of the input: a JSON document.
    pub input_schema: String,
    /// JSON Schema of the output: a JSON document.
    pub output_schema: String,
    /// Whether running it twice does no harm.
    pub idempotent: bool,
}

impl Manifest {
    /// Reads the manifest of a component: the one custom section `wharf:manifest` at its top level.
    ///
    /// # Errors
    /// Not a component, damaged, no manifest or several, or a manifest that is not fully understood.
    pub fn read(component: &[u8]) -> Result<Self, BundleError> {
        let mut found = Vec::new();
        for section in sections(component)? {
            if let Some(custom) = section?.custom(component)?
                && custom.name == MANIFEST_SECTION
            {
                found.push(custom.data);
            }
        }
        match found[..] {
            [] => Err(BundleError::NoManifest),
            [json] => Self::from_json(json),
            _ => Err(BundleError::SeveralManifests(found.len())),
        }
    }

    /// Reads a manifest from JSON.
    ///
    /// # Errors
    /// Too large, of another format, not JSON, or with anything that is not understood.
    pub fn from_json(json: &[u8]) -> Result<Self, BundleError> {
        bounded(json.len())?;
        /// Only what tells whether the rest can be understood.
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        let syntax = |error: serde_json::Error| BundleError::ManifestSyntax(error.to_string());
        let Head { format } = strict_json::from_slice(json).map_err(syntax)?;
        if format != u64::from(FORMAT) {
            return Err(BundleError::ManifestFormat {
                found: format,
                known: FORMAT,
            });
        }
        let manifest: Self = strict_json::from_slice(json).map_err(syntax)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The manifest as JSON; the same manifest is always the same bytes.
    ///
    /// # Errors
    /// It is too large.
    pub fn to_json(&self) -> Result<Vec<u8>, BundleError> {
        let mut sorted = self.clone();
        for action in sorted.actions.values_mut() {
            action.input_schema.sort_all_objects();
            action.output_schema.sort_all_objects();
        }
        let json = serde_json::to_vec(&sorted)
            .map_err(|error| BundleError::ManifestSyntax(error.to_string()))?;
        bounded(json.len())?;
        Ok(json)
    }

    /// What must hold between the parts of a manifest, wherever it came from.
    pub(crate) fn check(&self) -> Result<(), BundleError> {
        if self.actions.is_empty() {
            return Err(BundleError::NoActions);
        }
        at_most(
            MAX_ACTIONS,
            self.actions.len(),
            "actions",
            "make several plugins of it",
        )?;
        at_most(
            MAX_ASKS,
            self.capabilities.count(),
            "asks in its capabilities, each method, port and rung counted",
            "name what they have in common, such as `*.example.com`, a shorter `path`, no `methods` or `ports = \"*\"`, or make several plugins of it",
        )?;
        for (name, action) in &self.actions {
            if let Some(command) = &action.command {
                command.check().map_err(|why| BundleError::BadCommand {
                    action: name.to_string(),
                    why,
                })?;
            }
        }
        Ok(())
    }
}

impl Command {
    fn check(&self) -> Result<(), String> {
        if self.args.iter().any(|arg| arg.contains('\0')) {
            return Err("an argument contains a NUL character".to_owned());
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(format!(
                    "the environment variable {name:?} has an impossible name or value"
                ));
            }
        }
        Ok(())
    }
}

fn at_most(
    limit: usize,
    count: usize,
    what: &'static str,
    mend: &'static str,
) -> Result<(), BundleError> {
    if count > limit {
        return Err(BundleError::TooMany {
            what,
            count,
            limit,
            mend,
        });
    }
    Ok(())
}

fn bounded(size: usize) -> Result<(), BundleError> {
    if size > MAX_MANIFEST {
        return Err(BundleError::TooLarge {
            what: "the manifest",
            size,
            limit: MAX_MANIFEST,
        });
    }
    Ok(())
}

/// A map in which a name that comes twice is an error, not a replacement.
fn without_repeats<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<ActionName, Action>, D::Error> {
    struct Actions;
    impl<'de> Visitor<'de> for Actions {
        type Value = BTreeMap<ActionName, Action>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("actions by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut actions = BTreeMap::new();
            while let Some((name, action)) = map.next_entry::<ActionName, Action>()? {
                if actions.contains_key(&name) {
                    return Err(de::Error::custom(format!(
                        "the action `{name}` comes twice"
                    )));
                }
                actions.insert(name, action);
            }
            Ok(actions)
        }
    }
    deserializer.deserialize_map(Actions)
}
