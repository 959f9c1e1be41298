//! JSON Schemas of an action, compiled once. Never fetches anything: a schema that points outside
//! itself is refused when the plugin is loaded.

use jsonschema::{PatternOptions, Validator};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::FieldError;

/// Errors told of one document; the rest would be noise, and a document can have millions.
const TOLD: usize = 16;

/// A compiled schema.
#[derive(Debug)]
pub(crate) enum Schema {
    /// Takes every JSON document.
    Anything,
    /// Takes what the validator takes.
    Shape(Box<Validator>),
}

impl Schema {
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        if matches!(schema, Value::Bool(true)) || schema.as_object().is_some_and(|o| o.is_empty()) {
            return Ok(Self::Anything);
        }
        jsonschema::options()
            // Patterns come from the plugin's author: only the engine that is linear in its input.
            .with_pattern_options(PatternOptions::regex())
            .offline()
            .build(schema)
            .map(|validator| Self::Shape(Box::new(validator)))
            .map_err(|error| error.to_string())
    }

    /// Whether the text is a JSON document that the schema takes.
    pub(crate) fn check(&self, text: &str) -> Result<(), Vec<FieldError>> {
        match self {
            Self::Anything => serde_json::from_str::<IgnoredAny>(text)
                .map(drop)
                .map_err(not_json),
            Self::Shape(validator) => {
                let document: Value = serde_json::from_str(text).map_err(not_json)?;
                if validator.is_valid(&document) {
                    return Ok(());
                }
                // Masked: values may be long, or not for every reader of an error.
                Err(validator
                    .iter_errors(&document)
                    .take(TOLD)
                    .map(|error| FieldError {
                        path: error.instance_path().to_string(),
                        message: error.masked().to_string(),
                    })
                    .collect())
            }
        }
    }
}

fn not_json(error: serde_json::Error) -> Vec<FieldError> {
    vec![FieldError {
        path: String::new(),
        message: format!("not a JSON document: {error}"),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_error_says_where_and_shows_no_value() {
        let schema = Schema::compile(&json!({
            "type": "object",
            "required": ["url"],
            "properties": { "tries": { "type": "integer" } },
        }))
        .unwrap();
        let errors = schema.check(r#"{"tries":"hunter2"}"#).unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors.iter().any(|e| e.path == "/tries"), "{errors:?}");
        assert!(!format!("{errors:?}").contains("hunter2"), "{errors:?}");
        assert!(schema.check(r#"{"url":"x","tries":3}"#).is_ok());
    }

    #[test]
    fn a_schema_without_conditions_still_wants_json() {
        let schema = Schema::compile(&json!({})).unwrap();
        assert!(schema.check("[1, {}]").is_ok());
        for bad in ["", "{", "{} {}", "nul"] {
            let errors = schema.check(bad).unwrap_err();
            assert!(errors[0].message.contains("not a JSON document"), "{bad}");
        }
    }

    #[test]
    fn a_schema_that_points_outside_itself_is_refused() {
        for out in ["https://example.com/s.json", "file:///etc/passwd"] {
            assert!(Schema::compile(&json!({ "$ref": out })).is_err(), "{out}");
        }
    }
}
