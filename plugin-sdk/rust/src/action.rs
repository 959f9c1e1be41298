//! What an action is to the SDK: types in and out, and how they become JSON. Pure; the same code
//! runs in the component and in native tests.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_path_to_error::{Path, Segment};

use crate::error::{Error, FieldError};
use crate::output::Streamed;

/// One operation of a plugin. Implemented by [`#[action]`](crate::action), never by hand.
pub trait Action {
    /// The name that executions call.
    const NAME: &'static str;
    /// What it does, for a person.
    const DESCRIPTION: &'static str;
    /// Whether running it twice does no harm.
    const IDEMPOTENT: bool;
    /// What comes in.
    type Input: DeserializeOwned + JsonSchema;
    /// What goes out.
    type Output: Output;

    /// Runs the function.
    fn call(input: Self::Input) -> Result<Self::Output, Error>;
}

/// The input of an action that needs none: the empty object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoInput {}

/// What an action may give back: any type that serialises and has a JSON Schema, or
/// [`Streamed`] if it was written piece by piece.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of an action",
    note = "derive `serde::Serialize` and `schemars::JsonSchema` for it"
)]
pub trait Output {
    /// The JSON Schema (2020-12) of the output.
    fn schema() -> Schema;

    /// The output as the host takes it.
    fn encode(self) -> Result<Encoded, Error>;
}

/// An output on its way to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoded {
    /// The whole document.
    Json(String),
    /// The document was written through the `output` interface.
    Streamed,
}

impl<T: Serialize + JsonSchema> Output for T {
    fn schema() -> Schema {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<T>()
    }

    fn encode(self) -> Result<Encoded, Error> {
        serde_json::to_string(&self)
            .map(Encoded::Json)
            .map_err(|e| {
                Error::failed(
                    "output",
                    format_args!("the output cannot be written as JSON: {e}"),
                )
            })
    }
}

impl<T: JsonSchema> Output for Streamed<T> {
    fn schema() -> Schema {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<T>()
    }

    fn encode(self) -> Result<Encoded, Error> {
        Ok(Encoded::Streamed)
    }
}

/// What the function of an action returns: a `Result` whose error converts into [`Error`].
#[diagnostic::on_unimplemented(
    message = "an action returns `Result<Output, wharf_plugin::Error>`, not `{Self}`"
)]
pub trait Outcome {
    /// The output if all goes well.
    type Output: Output;

    /// The same with the SDK's error.
    fn settle(self) -> Result<Self::Output, Error>;
}

impl<O: Output, E: Into<Error>> Outcome for Result<O, E> {
    type Output = O;

    fn settle(self) -> Result<O, Error> {
        self.map_err(Into::into)
    }
}

/// The JSON Schema (2020-12) of an input.
pub(crate) fn input_schema<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.into_generator().into_root_schema_for::<T>()
}

/// Reads an input. Whatever is wrong with it is `InvalidInput`, with the place where it is wrong.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = pointer(error.path());
        invalid(path, error.inner())
    })?;
    deserializer.end().map_err(|e| invalid(String::new(), &e))?;
    Ok(value)
}

fn invalid(path: String, error: &serde_json::Error) -> Error {
    let mut message = error.to_string();
    // Lines and columns are of the document as the host sent it, which its author never saw.
    if error.is_data()
        && let Some(end) = message.rfind(" at line ")
    {
        message.truncate(end);
    }
    Error::InvalidInput(vec![FieldError { path, message }])
}

/// RFC 6901, as far as the path is known.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let token = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => break,
        };
        pointer.push('/');
        pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[allow(dead_code)]
        inner: BTreeMap<String, Vec<u8>>,
    }

    fn fault(text: &str) -> FieldError {
        match decode::<Outer>(text) {
            Err(Error::InvalidInput(mut fields)) if fields.len() == 1 => fields.remove(0),
            other => panic!("expected one field error, got {other:?}"),
        }
    }

    #[test]
    fn a_wrong_type_is_reported_with_a_json_pointer() {
        let fault = fault(r#"{"inner":{"a/b~c":[1,2,"x"]}}"#);
        assert_eq!(fault.path, "/inner/a~1b~0c/2");
        assert_eq!(fault.message, "invalid type: string \"x\", expected u8");
    }

    #[test]
    fn a_missing_field_is_reported_at_its_object() {
        let fault = fault("{}");
        assert_eq!(fault.path, "");
        assert_eq!(fault.message, "missing field `inner`");
    }

    #[test]
    fn broken_json_and_trailing_text_are_invalid_input() {
        assert!(fault("{\"inner\":").message.contains("EOF"));
        assert!(fault("{\"inner\":{}} x").message.contains("trailing"));
    }
}
