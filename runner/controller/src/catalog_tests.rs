use serde_json::json;

use super::*;

fn record(version: &str, mark: &str) -> Arc<BundleRecord> {
    let manifest = json!({
        "format": 1, "name": "shop/orders", "version": version, "description": "",
        "actions": {"find": {
            "description": "", "idempotent": true,
            "input-schema": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "code": {"type": "string", "pattern": "^(a+)+$"}},
                "required": ["id"],
            },
            "output-schema": true,
        }},
    });
    let manifest = manifest.to_string();
    Arc::new(BundleRecord {
        digest: wharf_bundle::digest(mark.as_bytes()),
        manifest: wharf_bundle::Manifest::from_json(manifest.as_bytes()).unwrap(),
        size: 1,
        published: 1,
    })
}

#[test]
fn a_name_means_its_highest_version_and_a_version_what_was_published_last() {
    let catalog = Catalog::default();
    for (version, mark) in [("1.10.0", "a"), ("1.9.0", "b"), ("1.9.0", "c")] {
        catalog.add(&record(version, mark));
    }
    let resolve = |text: &str| {
        let plugin = catalog.resolve(&text.parse().unwrap());
        plugin.map(|plugin| plugin.record.digest)
    };
    let digest = |mark: &str| Some(wharf_bundle::digest(mark.as_bytes()));
    assert_eq!(resolve("shop/orders"), digest("a"));
    assert_eq!(resolve("shop/orders@1.9.0"), digest("c"));
    assert_eq!(resolve(&digest("b").unwrap().to_string()), digest("b"));
    assert_eq!(resolve("shop/orders@2.0.0"), None);
    assert_eq!(resolve("shop"), None);
    assert!("shop/orders@latest".parse::<PluginRef>().is_err());
}

#[test]
fn an_input_that_does_not_fit_is_refused_with_the_place() {
    let catalog = Catalog::default();
    catalog.add(&record("1.0.0", "a"));
    let plugin = catalog.resolve(&"shop/orders".parse().unwrap()).unwrap();
    let find = "find".parse().unwrap();
    assert_eq!(plugin.check_input(&find, "{\"id\": 3}"), Ok(()));
    let Err(InputRefusal::Misfit(fields)) = plugin.check_input(&find, "{\"id\": \"x\"}") else {
        panic!("taken");
    };
    assert_eq!(fields[0].path, "/id");
}

#[test]
fn a_pattern_that_explodes_ends_as_an_error_and_not_as_a_hang() {
    let catalog = Catalog::default();
    catalog.add(&record("1.0.0", "a"));
    let plugin = catalog.resolve(&"shop/orders".parse().unwrap()).unwrap();
    let input = json!({"id": 1, "code": format!("{}!", "a".repeat(50_000))}).to_string();
    assert!(
        plugin
            .check_input(&"find".parse().unwrap(), &input)
            .is_err()
    );
}
