//! `plugin.toml`: what an author writes by hand about a plugin, from which the manifest is made.
//!
//! It is read strictly: a field that is not known is an error, never ignored.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use serde::Deserialize;
use serde_json::Value;
use wharf_policy::{ActionName, Capabilities, LimitRequest, PluginName};

use crate::{Action, BundleError, Command, FORMAT, Manifest, read_file, read_text_file};

/// The largest such file, and the largest schema, in bytes: as a manifest, which holds them all.
const MAX_FILE: usize = 1 << 20;

/// A `plugin.toml`, with the schemas that it names by path read in.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginToml {
    /// The manifest without what the component itself may add.
    manifest: Manifest,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    plugin: About,
    #[serde(default)]
    capabilities: Capabilities,
    #[serde(default)]
    limits: LimitRequest,
    #[serde(default, rename = "action")]
    actions: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct About {
    name: PluginName,
    version: semver::Version,
    description: String,
    license: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
    homepage: Option<String>,
    #[serde(default)]
    reuse: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Block {
    name: ActionName,
    description: String,
    /// Not idempotent unless said: then nothing is retried that should not be.
    #[serde(default)]
    idempotent: bool,
    input_schema: Value,
    output_schema: Value,
    command: Option<Command>,
}

impl PluginToml {
    /// Reads the file, and the schemas that it names, from disk.
    ///
    /// # Errors
    /// The file or a schema cannot be read or is not understood.
    pub fn load(path: &Path) -> Result<Self, BundleError> {
        let text = read_text_file(path, MAX_FILE).map_err(|error| BundleError::File {
            path: path.display().to_string(),
            why: error.to_string(),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, |name| read_file(&folder.join(name), MAX_FILE))
    }

    /// Reads it from text. `schema` answers the content of a schema file that the text names.
    ///
    /// # Errors
    /// Not TOML, an unknown field, a bad value, or a schema file that cannot be had.
    pub fn parse(
        text: &str,
        schema: impl Fn(&str) -> io::Result<Vec<u8>>,
    ) -> Result<Self, BundleError> {
        let file: File =
            toml::from_str(text).map_err(|error| BundleError::Toml(error.to_string()))?;
        let mut actions = BTreeMap::new();
        for block in file.actions {
            let action = Action {
                description: block.description,
                idempotent: block.idempotent,
                input_schema: resolve(block.input_schema, &schema)?,
                output_schema: resolve(block.output_schema, &schema)?,
                command: block.command,
            };
            if actions.contains_key(&block.name) {
                return Err(BundleError::DuplicateAction(block.name.to_string()));
            }
            actions.insert(block.name, action);
        }
        let about = file.plugin;
        Ok(Self {
            manifest: Manifest {
                format: FORMAT,
                name: about.name,
                version: about.version,
                description: about.description,
                license: about.license,
                authors: about.authors,
                homepage: about.homepage,
                reuse: about.reuse,
                capabilities: file.capabilities,
                limits: file.limits,
                actions,
            },
        })
    }

    /// The name of the plugin.
    pub fn name(&self) -> &PluginName {
        &self.manifest.name
    }

    /// The manifest as far as this file tells it.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// A schema as it stands, or the content of the file that a string names.
fn resolve(
    schema: Value,
    read: &impl Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Value, BundleError> {
    let Value::String(path) = schema else {
        return Ok(schema);
    };
    let failed = |why: String| BundleError::File {
        path: path.clone(),
        why,
    };
    let below = Path::new(&path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !below {
        return Err(failed(
            "a schema file must be in the folder of plugin.toml or below it".to_owned(),
        ));
    }
    let json = read(&path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&json).map_err(|error| failed(format!("it is not JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        [plugin]
        name = "acme/http"
        version = "0.1.0"
        description = "Sends requests"
        license = "Apache-2.0"
        [capabilities]
        http = [{ origin = "https://*:*" }, { origin = "http://*:*", methods = ["GET"], path = "/" }]
        secrets = [{ name = "*", rungs = ["inject", "attach", "operate", "reveal"] }]
        config = false
        [limits]
        memory = "64MiB"
        [[action]]
        name = "greet"
        description = "Says hello"
        idempotent = true
        input-schema = { type = "object" }
        output-schema = "schemas/out.json"
        command = { args = ["--json"], env = { MODE = "x" } }
    "#;

    fn no_files(_: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    #[test]
    fn a_whole_file_is_read_with_the_schemas_it_names() {
        let toml = PluginToml::parse(WHOLE, |path| {
            assert_eq!(path, "schemas/out.json");
            Ok(br#"{"type":"string"}"#.to_vec())
        })
        .unwrap();
        let greet = &toml.manifest.actions[&"greet".parse().unwrap()];
        assert_eq!(greet.output_schema, serde_json::json!({"type": "string"}));
        assert_eq!(greet.command.as_ref().unwrap().args, ["--json"]);
        assert_eq!(toml.manifest.capabilities.http.len(), 2);
    }

    #[test]
    fn a_schema_file_that_is_missing_or_not_json_is_named() {
        let missing = PluginToml::parse(WHOLE, no_files).unwrap_err();
        assert!(missing.to_string().contains("schemas/out.json"));
        let broken = PluginToml::parse(WHOLE, |_| Ok(b"{".to_vec())).unwrap_err();
        assert!(broken.to_string().contains("not JSON"), "{broken}");
    }

    #[test]
    fn a_file_or_schema_that_does_not_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let endless = PluginToml::load(Path::new("/dev/zero")).unwrap_err();
        let (file, schema) = ("plugin.toml", "out.json");
        let text = WHOLE.replace("schemas/out.json", schema);
        std::fs::write(folder.path().join(file), text).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join(schema)).unwrap();
        let named = PluginToml::load(&folder.path().join(file)).unwrap_err();
        for (error, name) in [(endless, "/dev/zero"), (named, schema)] {
            let error = error.to_string();
            assert!(
                error.contains(name) && error.contains("more than"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_schema_file_outside_the_folder_is_not_read() {
        for outside in ["../x.json", "/etc/passwd", "a/../../x.json"] {
            let text = WHOLE.replace("schemas/out.json", outside);
            let error = PluginToml::parse(&text, |_| panic!("read")).unwrap_err();
            assert!(error.to_string().contains("below"), "{error}");
        }
    }

    #[test]
    fn an_unknown_field_is_an_error_anywhere() {
        for (old, new) in [
            ("license =", "licence ="),
            ("[limits]", "[limit]"),
            ("memory =", "ram ="),
            ("idempotent =", "idempotant ="),
            ("args =", "arg ="),
            ("config =", "configs ="),
        ] {
            let text = WHOLE.replace(old, new);
            let error = PluginToml::parse(&text, no_files).unwrap_err();
            assert!(matches!(error, BundleError::Toml(_)), "{new}: {error}");
        }
    }

    #[test]
    fn an_action_written_twice_is_an_error() {
        let block = "[[action]]\nname='a'\ndescription=''\ninput-schema={}\noutput-schema={}\n";
        let text = format!("[plugin]\nname='p'\nversion='1.0.0'\ndescription=''\n{block}{block}");
        let error = PluginToml::parse(&text, no_files).unwrap_err();
        assert_eq!(error, BundleError::DuplicateAction("a".to_owned()));
    }
}
