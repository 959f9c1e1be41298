//! The published plugins: what a reference means, and whether an input fits an action.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use jsonschema::{Draft, PatternOptions, Validator};
use semver::Version;
use wharf_bundle::Action;
use wharf_policy::{ActionName, Digest, PluginName};
use wharf_protocol::FieldError;

use crate::model::BundleRecord;

/// The most field errors that one answer names.
const MAX_FIELDS: usize = 20;

/// How far a pattern of a schema may backtrack over an input.
const BACKTRACK_LIMIT: usize = 100_000;

/// A published plugin, with what is made of its schemas once.
#[derive(Debug)]
pub(crate) struct Plugin {
    pub(crate) record: Arc<BundleRecord>,
    validators: HashMap<ActionName, OnceLock<Result<Validator, String>>>,
}

/// Why an input is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InputRefusal {
    /// It does not fit the schema.
    Misfit(Vec<FieldError>),
    /// The schema is of no use.
    BadSchema(String),
}

impl Plugin {
    fn new(record: Arc<BundleRecord>) -> Self {
        let validators = record
            .manifest
            .actions
            .keys()
            .map(|name| (name.clone(), OnceLock::new()))
            .collect();
        Self { record, validators }
    }

    /// An action by name.
    pub(crate) fn action(&self, name: &ActionName) -> Option<&Action> {
        self.record.manifest.actions.get(name)
    }

    /// Checks an input against the schema of an action that exists.
    pub(crate) fn check_input(&self, name: &ActionName, input: &str) -> Result<(), InputRefusal> {
        let (Some(action), Some(slot)) = (self.action(name), self.validators.get(name)) else {
            return Err(InputRefusal::BadSchema(
                "there is no such action".to_owned(),
            ));
        };
        let validator = slot
            .get_or_init(|| compile(&action.input_schema))
            .as_ref()
            .map_err(|why| InputRefusal::BadSchema(why.clone()))?;
        let whole = |message: String| {
            InputRefusal::Misfit(vec![FieldError {
                path: String::new(),
                message,
            }])
        };
        let value = serde_json::from_str(input).map_err(|error| whole(error.to_string()))?;
        let fields: Vec<_> = validator
            .iter_errors(&value)
            .take(MAX_FIELDS)
            .map(|error| FieldError {
                path: error.instance_path().to_string(),
                message: error.to_string().chars().take(400).collect(),
            })
            .collect();
        if fields.is_empty() {
            Ok(())
        } else {
            Err(InputRefusal::Misfit(fields))
        }
    }
}

/// A schema never fetches anything: the crate is built without that.
fn compile(schema: &serde_json::Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_LIMIT))
        .build(schema)
        .map_err(|error| error.to_string())
}

/// How a caller names a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PluginRef {
    /// The highest version.
    Latest(PluginName),
    /// This version, as published last.
    Version(PluginName, Version),
    /// These bytes.
    Exactly(Digest),
}

impl std::str::FromStr for PluginRef {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("sha256:") {
            return text
                .parse()
                .map(Self::Exactly)
                .map_err(|error: wharf_policy::ParseError| error.to_string());
        }
        let name = |text: &str| {
            text.parse::<PluginName>()
                .map_err(|error| error.to_string())
        };
        match text.split_once('@') {
            None => Ok(Self::Latest(name(text)?)),
            Some((plugin, version)) => {
                let version = Version::parse(version)
                    .map_err(|error| format!("`{version}` is not a version: {error}"))?;
                Ok(Self::Version(name(plugin)?, version))
            }
        }
    }
}

#[derive(Debug, Default)]
struct Shelves {
    plugins: HashMap<Digest, Arc<Plugin>>,
    names: BTreeMap<PluginName, BTreeMap<Version, Digest>>,
}

/// All of them. Reading is by many, writing when something is published.
#[derive(Debug, Default)]
pub(crate) struct Catalog(RwLock<Shelves>);

impl Catalog {
    /// Adds what was published; what is there already stays as it is.
    pub(crate) fn add(&self, record: &Arc<BundleRecord>) {
        let mut shelves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let manifest = &record.manifest;
        shelves
            .names
            .entry(manifest.name.clone())
            .or_default()
            .insert(manifest.version.clone(), record.digest);
        shelves
            .plugins
            .entry(record.digest)
            .or_insert_with(|| Arc::new(Plugin::new(Arc::clone(record))));
    }

    /// What a reference means now.
    pub(crate) fn resolve(&self, reference: &PluginRef) -> Option<Arc<Plugin>> {
        let shelves = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let digest = match reference {
            PluginRef::Exactly(digest) => digest,
            PluginRef::Latest(name) => shelves.names.get(name)?.last_key_value()?.1,
            PluginRef::Version(name, version) => shelves.names.get(name)?.get(version)?,
        };
        shelves.plugins.get(digest).cloned()
    }

    /// All plugins by name and version.
    pub(crate) fn list(&self) -> Vec<Arc<Plugin>> {
        let shelves = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut plugins: Vec<_> = shelves.plugins.values().cloned().collect();
        plugins.sort_by(|a, b| {
            let key = |plugin: &Arc<Plugin>| {
                let manifest = &plugin.record.manifest;
                (
                    manifest.name.clone(),
                    manifest.version.clone(),
                    plugin.record.published,
                )
            };
            key(a).cmp(&key(b))
        });
        plugins
    }
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
