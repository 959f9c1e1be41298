use std::collections::BTreeSet;

use super::*;

#[test]
fn the_document_lists_every_route_and_every_schema_that_it_names_is_there() {
    let (_, document) = routes();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            found.insert(format!("{} {path}", verb.to_uppercase()));
            assert!(!operation["summary"].as_str().unwrap().is_empty());
        }
    }
    let expected = "
        GET /healthz
        GET /openapi.json
        GET /v1/groups
        POST /v1/groups
        POST /v1/tokens
        POST /v1/tokens/revoke
        GET /v1/runners
        DELETE /v1/runners/{id}
        POST /v1/runners/enrol
        GET /v1/runner/connect
        GET /v1/groups/{group}/secrets
        PUT /v1/groups/{group}/secrets/{name}
        GET /v1/groups/{group}/secrets/{name}
        DELETE /v1/groups/{group}/secrets/{name}
        GET /v1/runner/secrets/{name}
        PUT /v1/bundles/{digest}
        GET /v1/bundles/{digest}
        PUT /v1/bundles/{digest}/signature
        GET /v1/bundles/{digest}/signature
        PUT /v1/bundles/{digest}/attestations
        GET /v1/bundles/{digest}/attestations
        GET /v1/plugins
        POST /v1/executions
        GET /v1/executions
        GET /v1/executions/{id}
        POST /v1/executions/{id}/cancel
        GET /v1/executions/{id}/logs
        GET /v1/dead-letters
        PUT /v1/payloads/{digest}
        GET /v1/payloads/{digest}";
    let expected: BTreeSet<String> = expected
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(found, expected);

    let text = document.to_string();
    let named = text
        .match_indices("#/components/schemas/")
        .map(|(at, prefix)| {
            let rest = &text[at + prefix.len()..];
            rest.split('"').next().unwrap()
        });
    for name in named {
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name} is missing"
        );
    }
}

#[test]
fn no_route_is_added_beside_the_document() {
    // Routes reach the router only through `Routes::add`, which documents them.
    for (file, text) in [
        ("mod.rs", include_str!("mod.rs")),
        ("submit.rs", include_str!("submit.rs")),
        ("executions.rs", include_str!("executions.rs")),
        ("bundles.rs", include_str!("bundles.rs")),
        ("enrol.rs", include_str!("enrol.rs")),
        ("health.rs", include_str!("health.rs")),
    ] {
        assert!(!text.contains(".route("), "{file} adds a route by itself");
    }
}
