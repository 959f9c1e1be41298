//! A plugin as a list of actions whose types are forgotten: finding an action by name, running
//! it, describing all of them.

use crate::action::{Action, Encoded, Output, decode, input_schema};
use crate::error::Error;

/// The actions of one plugin, as [`export!`](crate::export) lists them.
#[derive(Debug, Clone, Copy)]
pub struct Plugin {
    actions: &'static [Entry],
}

/// One action of a [`Plugin`], its types forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    name: &'static str,
    description: &'static str,
    idempotent: bool,
    run: fn(&str) -> Result<Encoded, Error>,
    schemas: fn() -> (String, String),
}

/// What an action tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The name that executions call.
    pub name: &'static str,
    /// What it does, for a person.
    pub description: &'static str,
    /// JSON Schema (2020-12) of the input: a JSON document.
    pub input_schema: String,
    /// JSON Schema (2020-12) of the output: a JSON document.
    pub output_schema: String,
    /// Whether running it twice does no harm.
    pub idempotent: bool,
}

impl Entry {
    /// The entry of an action.
    #[must_use]
    pub const fn of<A: Action>() -> Self {
        Self {
            name: A::NAME,
            description: A::DESCRIPTION,
            idempotent: A::IDEMPOTENT,
            run: run::<A>,
            schemas: schemas::<A>,
        }
    }
}

fn run<A: Action>(input: &str) -> Result<Encoded, Error> {
    A::call(decode(input)?)?.encode()
}

fn schemas<A: Action>() -> (String, String) {
    let input = input_schema::<A::Input>();
    let output = <A::Output as Output>::schema();
    (input.as_value().to_string(), output.as_value().to_string())
}

impl Plugin {
    /// A plugin of these actions.
    ///
    /// # Panics
    /// When two actions have one name. [`export!`](crate::export) calls this at compile time, so
    /// there it is an error of the compiler.
    #[must_use]
    pub const fn new(actions: &'static [Entry]) -> Self {
        let mut i = 0;
        while i < actions.len() {
            let mut j = i + 1;
            while j < actions.len() {
                assert!(
                    !same(actions[i].name.as_bytes(), actions[j].name.as_bytes()),
                    "two actions of this plugin have the same name"
                );
                j += 1;
            }
            i += 1;
        }
        Self { actions }
    }

    /// Runs the action of that name on an input, JSON to JSON, as the host would.
    ///
    /// # Errors
    /// `no-such-action` if there is none of that name, `InvalidInput` if the input does not fit,
    /// and whatever the action answers.
    pub fn run(&self, action: &str, input: &str) -> Result<Encoded, Error> {
        match self.actions.iter().find(|entry| entry.name == action) {
            Some(entry) => (entry.run)(input),
            None => Err(Error::failed(
                "no-such-action",
                format_args!(
                    "this plugin has no action `{action}`; it has {}",
                    self.names()
                ),
            )),
        }
    }

    /// Describes every action, in the order in which `export!` names them.
    #[must_use]
    pub fn describe(&self) -> Vec<Description> {
        let describe = |entry: &Entry| {
            let (input_schema, output_schema) = (entry.schemas)();
            Description {
                name: entry.name,
                description: entry.description,
                input_schema,
                output_schema,
                idempotent: entry.idempotent,
            }
        };
        self.actions.iter().map(describe).collect()
    }

    fn names(&self) -> String {
        let names: Vec<_> = self
            .actions
            .iter()
            .map(|e| format!("`{}`", e.name))
            .collect();
        names.join(", ")
    }
}

/// `==` on byte strings, for `const`.
const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
