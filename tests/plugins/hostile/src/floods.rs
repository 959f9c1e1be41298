//! Says too much, or what it promised not to say.

use std::io::Write;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use wharf_plugin::output::{Streamed, Writer};
use wharf_plugin::{Error, log, progress};

/// How much to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flood {
    /// How many pieces.
    #[serde(default = "many")]
    count: u64,
    /// How many bytes each.
    #[serde(default = "large")]
    bytes: usize,
}

fn many() -> u64 {
    1_000_000
}

fn large() -> usize {
    1024
}

/// What was said.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Flooded {
    count: u64,
}

/// Logs more than anyone reads.
#[wharf_plugin::action]
pub(crate) fn flood_log(input: Flood) -> Result<Flooded, Error> {
    let line = "x".repeat(input.bytes);
    for n in 0..input.count {
        log::info(&line, &[("n", &n)]);
    }
    Ok(Flooded { count: input.count })
}

/// Reports progress faster than anyone looks.
#[wharf_plugin::action]
pub(crate) fn flood_progress(input: Flood) -> Result<Flooded, Error> {
    let message = "x".repeat(input.bytes);
    for _ in 0..input.count {
        progress::report(0.5, &message);
    }
    Ok(Flooded { count: input.count })
}

/// Streams a list of long strings.
#[wharf_plugin::action]
pub(crate) fn flood_output(input: Flood) -> Result<Streamed<Vec<String>>, Error> {
    let piece = "x".repeat(input.bytes);
    let mut out = Writer::new();
    out.write_all(b"[")?;
    for n in 0..input.count {
        if n > 0 {
            out.write_all(b",")?;
        }
        out.json(&piece)?;
    }
    out.write_all(b"]")?;
    out.finish()
}

/// What to give in place of the number that was promised.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Wrong {
    /// A string.
    Type,
    /// Not JSON.
    Syntax,
    /// Not UTF-8.
    Encoding,
    /// No document, though one was announced.
    Nothing,
}

/// A lie: the schema says number.
#[derive(Debug)]
pub(crate) struct Number;

impl JsonSchema for Number {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        f64::json_schema(generator)
    }
}

/// Gives an output that is not what its schema promises.
#[wharf_plugin::action]
pub(crate) fn wrong_output(input: Wrong) -> Result<Streamed<Number>, Error> {
    let mut out = Writer::new();
    match input {
        Wrong::Type => out.write_all(b"\"one\"")?,
        Wrong::Syntax => out.write_all(b"{\"one\": ")?,
        Wrong::Encoding => out.write_all(b"\"\xff\xfe\"")?,
        Wrong::Nothing => {}
    }
    out.finish()
}
