//! The `transform` plugin: one action, `jq`, that runs a jq filter over JSON, by the `jaq` crates.
//!
//! It reaches nothing: no environment, no modules, no files. Numbers that the filter only moves keep
//! every digit, and integers are exact whatever their size.

mod diagnose;
mod filter;
mod json;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use wharf_plugin::{Error, control};

use filter::Filter;

/// What a filter may be asked for when nothing is said.
const RESULTS: usize = 10_000;

/// How many results pass before the next look whether to stop.
const LOOK: usize = 64;

/// A filter and what it works on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The filter, in the jq language, such as `.items[] | select(.size > $min) | .name`.
    #[schemars(length(min = 1, max = 65_536))]
    filter: String,

    /// What the filter works on: any JSON. Null if left out.
    #[serde(default)]
    #[schemars(with = "Value")]
    input: Option<Box<RawValue>>,

    /// Values that the filter sees as variables: `{"min": 3}` is `$min`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Value>")]
    variables: BTreeMap<String, Box<RawValue>>,

    /// Which results to give.
    #[serde(default)]
    collect: Collect,

    /// How many results there may be with `all`. More are an error, not cut off.
    #[serde(default = "results")]
    #[schemars(range(max = 1_000_000))]
    max_results: usize,
}

fn results() -> usize {
    RESULTS
}

/// Which results to give. A jq filter has any number of them.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Collect {
    /// The first, as `result`. It is an error if there is none.
    #[default]
    First,
    /// All, as the list `results`.
    All,
}

/// What the filter gave.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Output {
    /// The first result.
    #[schemars(with = "Value")]
    Result(Box<RawValue>),
    /// All results, in order.
    #[schemars(with = "Vec<Value>")]
    Results(Vec<Box<RawValue>>),
}

/// Runs a jq filter over JSON. It reaches nothing: no files, no environment, no modules.
#[wharf_plugin::action(idempotent)]
fn jq(input: Input) -> Result<Output, Error> {
    let filter = Filter::compile(&input.filter, input.variables.keys())?;
    let mut variables = Vec::new();
    for (name, value) in &input.variables {
        let place = format!("/variables/{}", name.replace('~', "~0").replace('/', "~1"));
        variables.push(json::read(value, &place)?);
    }
    let value = match &input.input {
        Some(value) => json::read(value, "/input")?,
        None => jaq_json::Val::Null,
    };

    let mut results = filter.run(variables, value);
    match input.collect {
        Collect::First => match results.next() {
            Some(result) => Ok(Output::Result(json::write(&result?)?)),
            None => Err(Error::failed(
                "no-result",
                "the filter gives no result; add `// null` to it, or collect `all`",
            )),
        },
        Collect::All => {
            let mut collected = Vec::new();
            for result in results {
                if collected.len() == input.max_results {
                    let message = format_args!(
                        "the filter gives more than max_results = {}; narrow it or allow more",
                        input.max_results
                    );
                    return Err(Error::failed("too-many-results", message));
                }
                if collected.len() % LOOK == LOOK - 1 && control::cancelled() {
                    return Err(Error::Cancelled);
                }
                collected.push(json::write(&result?)?);
            }
            Ok(Output::Results(collected))
        }
    }
}

wharf_plugin::export!(jq);

#[cfg(test)]
mod tests;
