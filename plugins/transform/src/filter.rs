//! A compiled filter. What jaq offers beyond computing is taken out here: the environment, modules,
//! data files and ending the process.

use jaq_core::data::JustLut;
use jaq_core::load::{Arena, File, Loader, import};
use jaq_core::native::{Fun, run, v};
use jaq_core::{Compiler, Ctx, Vars};
use jaq_json::Val;
use wharf_plugin::{Error, log};

use crate::diagnose;

type Data = JustLut<Val>;

/// Functions of the standard library that are not offered as they are: `env` would read the
/// environment, the other two write to a log that nobody reads.
const REPLACED: [&str; 3] = ["env", "debug_empty", "stderr_empty"];

/// A longer message of `debug` is cut there.
const MESSAGE: usize = 4096;

/// A filter, ready to run.
pub(crate) struct Filter {
    compiled: jaq_core::Filter<Data>,
}

impl Filter {
    /// Compiles a filter that may use variables of these names, without the `$`.
    pub(crate) fn compile<'a>(
        code: &str,
        variables: impl Iterator<Item = &'a String>,
    ) -> Result<Self, Error> {
        let variables: Vec<String> = variables
            .map(|name| variable(name))
            .collect::<Result<_, _>>()?;

        let definitions = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs());
        let arena = Arena::default();
        let modules = Loader::new(definitions)
            .load(&arena, File { code, path: () })
            .map_err(|errors| diagnose::load(code, errors))?;
        import(&modules, |_| {
            Err("there are no files here; pass data as a variable".to_owned())
        })
        .map_err(|errors| diagnose::load(code, errors))?;
        let compiled = Compiler::default()
            .with_funs(functions())
            .with_global_vars(variables.iter().map(String::as_str))
            .compile(modules)
            .map_err(|errors| diagnose::compile(code, errors))?;
        Ok(Self { compiled })
    }

    /// Runs the filter. The variables come in the order of their names when it was compiled.
    pub(crate) fn run(
        &self,
        variables: Vec<Val>,
        input: Val,
    ) -> impl Iterator<Item = Result<Val, Error>> {
        let context = Ctx::<Data>::new(&self.compiled.lut, Vars::new(variables));
        let results = self.compiled.id.run((context, input));
        results.map(|result| result.map_err(diagnose::exception))
    }
}

/// The name of a variable as jq writes it.
fn variable(name: &str) -> Result<String, Error> {
    let start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(start) && name.chars().all(part) {
        return Ok(format!("${name}"));
    }
    let message = format_args!(
        "`{}` cannot be the name of a variable; use letters, digits and `_`",
        name.escape_debug()
    );
    Err(Error::invalid_input("/variables", message))
}

fn functions() -> impl Iterator<Item = Fun<Data>> {
    let standard = jaq_std::funs().filter(|(name, ..)| !REPLACED.contains(name));
    let debug = run::<Data>(("debug_empty", v(0), |(_, value)| {
        say(log::debug, &value);
        Box::new(std::iter::empty())
    }));
    let stderr = run::<Data>(("stderr_empty", v(0), |(_, value)| {
        say(log::warn, &value);
        Box::new(std::iter::empty())
    }));
    let core = jaq_core::funs();
    core.chain(standard)
        .chain(jaq_json::funs())
        .chain([debug, stderr])
}

fn say(log: fn(&str, log::Fields<'_>), value: &Val) {
    let mut message = value.to_string();
    if message.len() > MESSAGE {
        message.truncate(message.floor_char_boundary(MESSAGE));
        message.push('…');
    }
    log(&message, &[]);
}
