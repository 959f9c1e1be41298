//! Whether a document is a JSON Schema that a runner can check inputs and outputs with.
//!
//! Nothing is fetched: a schema that refers to another document is refused.

use serde_json::Value;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Checks a schema against the 2020-12 meta-schema and compiles it once.
///
/// # Errors
/// What is wrong, for a person.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    if !(schema.is_object() || schema.is_boolean()) {
        return Err("it must be an object".to_owned());
    }
    if let Some(dialect) = schema.get("$schema")
        && dialect.as_str().map(|text| text.trim_end_matches('#')) != Some(DRAFT)
    {
        return Err(format!(
            "`$schema` is {dialect}, and only {DRAFT} is understood"
        ));
    }
    jsonschema::draft202012::meta::validate(schema)
        .map_err(|error| format!("at `{}`: {error}", error.instance_path()))?;
    jsonschema::draft202012::new(schema).map_err(|error| error.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_of_the_right_draft_is_taken() {
        for good in [
            json!({}),
            json!(true),
            json!({"$schema": DRAFT, "type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}),
        ] {
            assert_eq!(check(&good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_is_not_a_schema_or_needs_the_network_is_refused() {
        for bad in [
            json!(null),
            json!("object"),
            json!({"type": "objekt"}),
            json!({"properties": []}),
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
            json!({"$ref": "https://schemas.test/other.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"$ref": "#/$defs/missing"}),
            json!({"pattern": "("}),
        ] {
            assert!(check(&bad).is_err(), "{bad} was taken");
        }
    }
}
