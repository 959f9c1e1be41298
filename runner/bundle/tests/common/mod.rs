//! Small components made in memory, and the files around them.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

pub mod changes;

use std::sync::OnceLock;

use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentImportSection,
    ComponentInstanceSection, ComponentTypeRef, ComponentTypeSection, CustomSection, InstanceType,
    Module, ModuleSection,
};
use wharf_bundle::oci::Published;
use wharf_bundle::{PluginToml, SigningKey, TrustPolicy, pack, sign};
use wharf_policy::Policy;

pub const ACTIONS: &str = wharf_bundle::ACTIONS_EXPORT;
pub const RUN: &str = "wasi:cli/run@0.2.6";

/// A component that imports and exports empty instances of these names.
pub fn component(imports: &[&str], exports: &[&str]) -> Vec<u8> {
    let mut component = Component::new();
    let mut types = ComponentTypeSection::new();
    types.instance(&InstanceType::new());
    component.section(&types);

    let mut section = ComponentImportSection::new();
    for import in imports {
        section.import(*import, ComponentTypeRef::Instance(0));
    }
    component.section(&section);

    let mut instances = ComponentInstanceSection::new();
    instances.export_items(std::iter::empty::<(&str, ComponentExportKind, u32)>());
    component.section(&instances);

    let instance = u32::try_from(imports.len()).unwrap();
    let mut section = ComponentExportSection::new();
    for export in exports {
        section.export(*export, ComponentExportKind::Instance, instance, None);
    }
    component.section(&section);
    component.finish()
}

/// Appends a custom section to a component.
pub fn with_custom(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    use wasm_encoder::{Encode as _, Section as _};
    let mut bytes = component.to_vec();
    let section = CustomSection {
        name: name.into(),
        data: data.into(),
    };
    bytes.push(section.id());
    section.encode(&mut bytes);
    bytes
}

/// A component around a module that has this custom section.
pub fn nested(name: &str, data: &[u8]) -> Vec<u8> {
    let mut module = Module::new();
    module.section(&CustomSection {
        name: name.into(),
        data: data.into(),
    });
    let mut outer = Component::new();
    outer.section(&ModuleSection(&module));
    outer.finish()
}

pub const ACTION: &str = r#"
    [[action]]
    name = "greet"
    description = "Says hello"
    input-schema = { type = "object" }
    output-schema = { type = "object" }
"#;

/// A `plugin.toml` of that name and version, with more lines behind the head.
pub fn toml(name: &str, version: &str, rest: &str) -> PluginToml {
    let text = format!(
        "[plugin]\nname = \"{name}\"\nversion = \"{version}\"\ndescription = \"A test\"\n{rest}"
    );
    PluginToml::parse(&text, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap()
}

/// A packed plugin with one action.
pub fn plugin(name: &str, version: &str) -> Vec<u8> {
    pack(
        &component(&[], &[ACTIONS]),
        &toml(name, version, ACTION),
        &[],
    )
    .unwrap()
}

/// Keys are slow to make, so the tests share two.
pub fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate().unwrap())
}

/// The key of somebody else.
pub fn stranger() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate().unwrap())
}

/// The trust policy of this text, in which `ours.pub` and `theirs.pub` are the two keys.
pub fn trust(text: &str) -> TrustPolicy {
    TrustPolicy::with_keys(&Policy::from_toml(text).unwrap(), |path| {
        Ok(match path {
            "ours.pub" | "ours-too.pub" => key().public().clone(),
            "theirs.pub" => stranger().public().clone(),
            other => panic!("no key {other}"),
        })
    })
    .unwrap()
}

pub const TRUST_ALL: &str = "[[trust]]\nplugins = ['*']\nkeys = ['ours.pub']";

/// A plugin as it is published, signed by these keys.
pub fn published(name: &str, version: &str, keys: &[&SigningKey]) -> Published {
    let component = plugin(name, version);
    let file: Vec<u8> = keys
        .iter()
        .flat_map(|key| sign(&component, key).unwrap())
        .collect();
    Published::new(
        component.into(),
        (!keys.is_empty()).then_some(file.as_slice()),
    )
    .unwrap()
}
