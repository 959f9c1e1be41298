//! The documents of registries, changed in every way that can be made up: never a panic, and nothing is
//! accepted beyond the limits.

#![allow(clippy::unwrap_used)]

mod common;

use common::{key, plugin};
use proptest::prelude::*;
use serde_json::{Value, json};
use wharf_bundle::oci::{
    BUNDLE_TYPE, COMPONENT_TYPE, CONFIG_TYPE, Descriptor, ImageManifest, Index, MANIFEST_TYPE,
    MAX_CONFIG, MAX_SIGNATURE, Published, Referrer,
};
use wharf_bundle::{MAX_COMPONENT, sign};

fn published() -> Published {
    let component = plugin("http", "1.0.0");
    let signature = sign(&component, key()).unwrap();
    Published::new(component.into(), Some(&signature)).unwrap()
}

/// What `cosign attest` said of the image of a plugin counts wherever that plugin runs, because the image
/// follows from it. So no version of Wharf may make another image of the same plugin.
#[test]
fn the_image_of_a_plugin_is_the_same_in_every_version() {
    let component = std::fs::read("tests/golden/http.wasm").unwrap();
    let published = Published::new(component.into(), None).unwrap();
    assert_eq!(
        [
            published.image().component.digest,
            published.image().config.digest,
            published.digest()
        ]
        .map(|digest| digest.to_hex()),
        GOLDEN
    );
}

/// The component, the configuration and the image manifest.
const GOLDEN: [&str; 3] = [
    "80b52fd62bbf6da22c15dc2f87cf9fbae7b1c6d734e350751ec9ef8ee9060b00",
    "2da640a03f19d7ffe3ec41a22b2b65b66076b281deaf930f525daad508f4175d",
    "33184baa17c65ada4c8419454be7db219dcc2f22e79e7de494e82a05bc3c0c89",
];

/// Every member and element of a document, by its path.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |name: &str, value: &Value| {
        let path = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        found.push(path.clone());
        paths(value, &path, found);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| below(name, value)),
        Value::Array(elements) => {
            for (number, value) in elements.iter().enumerate() {
                below(&number.to_string(), value);
            }
        }
        _ => {}
    }
}

/// The document with each member once replaced by each of these, and once left out.
fn changes(document: &Value) -> Vec<(String, Vec<u8>)> {
    let others = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("text"),
        json!([]),
        json!({}),
    ];
    let mut all = Vec::new();
    paths(document, "", &mut all);
    let mut changed = Vec::new();
    for path in &all {
        for other in &others {
            let mut copy = document.clone();
            *copy.pointer_mut(path).unwrap() = other.clone();
            changed.push((format!("{path} = {other}"), copy.to_string().into_bytes()));
        }
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mut copy = document.clone();
        if let Some(Value::Object(members)) = copy.pointer_mut(parent) {
            members.remove(&name.replace("~1", "/").replace("~0", "~"));
            changed.push((format!("{path} left out"), copy.to_string().into_bytes()));
        }
    }
    changed
}

/// What may be changed without consequence: remarks.
fn is_remark(change: &str) -> bool {
    change.starts_with("/annotations") || change.contains("/annotations ")
}

#[test]
fn every_member_of_an_image_manifest_that_is_changed_makes_it_unusable() {
    let document: Value = serde_json::from_slice(published().manifest()).unwrap();
    let changed = changes(&document);
    assert!(changed.len() > 100, "{}", changed.len());
    for (change, bytes) in changed {
        assert!(
            ImageManifest::parse(&bytes).is_err() || is_remark(&change),
            "{change}"
        );
    }
}

#[test]
fn every_member_of_a_signature_s_manifest_that_is_changed_makes_it_unusable() {
    let published = published();
    let referrer = &published.referrers()[0];
    let document: Value = serde_json::from_slice(referrer.manifest()).unwrap();
    for (change, bytes) in changes(&document) {
        let other = Referrer::from_parts(published.digest(), bytes, referrer.bundle().to_vec());
        let harmless = is_remark(&change)
            // Neither is used for anything: what counts is the digest.
            || change.starts_with("/config/mediaType")
            || change.starts_with("/config/size")
            || change.starts_with("/subject/size");
        assert!(other.is_err() || harmless, "{change}");
    }
}

#[test]
fn every_member_of_an_index_that_is_changed_is_refused_or_stays_as_it_is() {
    let mut index = Index::default();
    let mut entry = Descriptor::of(MANIFEST_TYPE, b"theirs");
    entry.artifact_type = Some(BUNDLE_TYPE.to_owned());
    index.add(entry);
    let document: Value = serde_json::from_slice(&index.to_bytes()).unwrap();
    for (change, bytes) in changes(&document) {
        if let Ok(mut index) = Index::parse(&bytes) {
            assert_eq!(index.to_bytes(), bytes, "{change}");
            index.add(Descriptor::of(MANIFEST_TYPE, b"ours"));
            let again = Index::parse(&index.to_bytes()).unwrap();
            assert!(again.has(wharf_bundle::digest(b"ours")), "{change}");
        }
    }
}

#[test]
fn a_descriptor_that_is_a_list_of_its_values_is_refused() {
    let list = |descriptor: &Value| {
        let members = ["mediaType", "digest", "size"].map(|name| descriptor[name].clone());
        json!([&members[..], &[Value::Null, json!({})]].concat())
    };
    let mut image: Value = serde_json::from_slice(published().manifest()).unwrap();
    image["layers"][0] = list(&image["layers"][0]);
    assert!(ImageManifest::parse(image.to_string().as_bytes()).is_err());
    let mut index = Index::default();
    index.add(Descriptor::of(MANIFEST_TYPE, b"theirs"));
    let mut index: Value = serde_json::from_slice(&index.to_bytes()).unwrap();
    index["manifests"][0] = list(&index["manifests"][0]);
    assert!(Index::parse(index.to_string().as_bytes()).is_err());
}

#[test]
fn every_truncation_is_refused() {
    let published = published();
    let referrer = published.referrers()[0].manifest();
    for end in 0..published.manifest().len() {
        assert!(ImageManifest::parse(&published.manifest()[..end]).is_err());
    }
    for end in 0..referrer.len() {
        assert!(Referrer::layer(published.digest(), &referrer[..end]).is_err());
    }
    let mut index = Index::default();
    for referrer in published.referrers() {
        index.add(referrer.descriptor().clone());
    }
    let index = index.to_bytes();
    assert!(Index::parse(&index).is_ok());
    for end in 0..index.len() {
        assert!(Index::parse(&index[..end]).is_err());
    }
}

proptest! {
    #[test]
    fn sizes_are_accepted_up_to_the_limits_and_not_beyond(component: u64, config: u64, signature: u64) {
        let published = published();
        let near = |size: u64, limit: u64| size % (2 * limit);
        let (component, config) = (near(component, MAX_COMPONENT as u64), near(config, MAX_CONFIG));
        let mut document: Value = serde_json::from_slice(published.manifest()).unwrap();
        document["layers"][0]["size"] = component.into();
        document["config"]["size"] = config.into();
        let good = (1..=MAX_COMPONENT as u64).contains(&component) && (1..=MAX_CONFIG).contains(&config);
        prop_assert_eq!(ImageManifest::parse(document.to_string().as_bytes()).is_ok(), good);
        let size = near(signature, MAX_SIGNATURE);
        let referrer = published.referrers()[0].manifest();
        let mut document: Value = serde_json::from_slice(referrer).unwrap();
        document["layers"][0]["size"] = size.into();
        let layer = Referrer::layer(published.digest(), document.to_string().as_bytes());
        prop_assert_eq!(layer.is_ok(), (1..=MAX_SIGNATURE).contains(&size));
    }

    #[test]
    fn no_change_of_bytes_panics(at: prop::sample::Index, with: Vec<u8>) {
        let published = published();
        let mut bytes = published.manifest().to_vec();
        let at = at.index(bytes.len());
        bytes.splice(at..(at + with.len()).min(published.manifest().len()), with);
        if let Ok(image) = ImageManifest::parse(&bytes) {
            prop_assert_eq!(image.component.media_type, COMPONENT_TYPE);
            prop_assert_eq!(image.config.media_type, CONFIG_TYPE);
        }
        let _ = Index::parse(&bytes);
        let _ = Referrer::layer(published.digest(), &bytes);
    }
}
