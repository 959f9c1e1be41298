//! What a component imports and exports, read without running it.

use wasmparser::{ComponentExportSectionReader, ComponentImportSectionReader};

use crate::BundleError;
use crate::sections::{EXPORT, IMPORT, Section, damaged, sections};

/// The export that makes a component a plugin with actions.
pub const ACTIONS_EXPORT: &str = "wharf:plugin/actions@0.1.0";

/// The export that makes a component a program, up to its patch version.
const RUN_EXPORT: &str = "wasi:cli/run@0.2.";

/// The most imports, or exports, that are read. A plugin has a few dozen.
const MAX_NAMES: usize = 10_000;

/// What of a component can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `wharf:plugin/actions`.
    Actions,
    /// `wasi:cli/run`: a program, JSON on stdin and stdout.
    Command,
    /// Both; each action of the manifest says which by having a command or not.
    Both,
}

/// The outside of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The names of its imports, in the component's order.
    pub imports: Vec<String>,
    /// The names of its exports, in the component's order.
    pub exports: Vec<String>,
    /// What of it can be run.
    pub kind: Kind,
}

/// Reads the imports and exports of a component.
///
/// # Errors
/// Not a component, damaged, or nothing in it can be run.
pub fn shape(component: &[u8]) -> Result<Shape, BundleError> {
    let mut imports = Vec::new();
    let mut exports = Vec::new();
    for section in sections(component)? {
        let section = section?;
        match section.id {
            IMPORT => {
                let reader = ComponentImportSectionReader::new(section.reader(component));
                for import in reader.map_err(damaged)? {
                    push(&mut imports, import.map_err(damaged)?.name.name, &section)?;
                }
            }
            EXPORT => {
                let reader = ComponentExportSectionReader::new(section.reader(component));
                for export in reader.map_err(damaged)? {
                    push(&mut exports, export.map_err(damaged)?.name.name, &section)?;
                }
            }
            _ => {}
        }
    }
    let kind = kind_of(&exports)?;
    Ok(Shape {
        imports,
        exports,
        kind,
    })
}

fn push(names: &mut Vec<String>, name: &str, section: &Section) -> Result<(), BundleError> {
    if names.len() == MAX_NAMES {
        return Err(BundleError::Damaged {
            offset: section.content.start,
            why: format!("more than {MAX_NAMES} imports or exports"),
        });
    }
    names.push(name.to_owned());
    Ok(())
}

fn kind_of(exports: &[String]) -> Result<Kind, BundleError> {
    let actions = exports.iter().any(|name| name == ACTIONS_EXPORT);
    let command = exports.iter().any(|name| {
        name.strip_prefix(RUN_EXPORT)
            .is_some_and(|patch| patch.parse::<u32>().is_ok())
    });
    match (actions, command) {
        (true, true) => Ok(Kind::Both),
        (true, false) => Ok(Kind::Actions),
        (false, true) => Ok(Kind::Command),
        (false, false) => Err(BundleError::NothingToRun {
            exports: if exports.is_empty() {
                "nothing".to_owned()
            } else {
                exports.join(", ")
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(exports: &[&str]) -> Result<Kind, BundleError> {
        kind_of(&exports.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_exports_tell_what_can_be_run() {
        assert_eq!(kind(&[ACTIONS_EXPORT]), Ok(Kind::Actions));
        assert_eq!(kind(&["wasi:cli/run@0.2.3"]), Ok(Kind::Command));
        assert_eq!(
            kind(&["wasi:cli/run@0.2.0", ACTIONS_EXPORT]),
            Ok(Kind::Both)
        );
    }

    #[test]
    fn a_component_with_nothing_to_run_is_refused_with_what_it_has() {
        for near in [
            "wharf:plugin/actions@0.2.0",
            "wharf:plugin/actions",
            "wasi:cli/run@0.3.0",
            "wasi:cli/run@0.2.x",
        ] {
            let error = kind(&[near]).unwrap_err();
            assert!(error.to_string().contains(near), "{error}");
        }
        assert!(kind(&[]).unwrap_err().to_string().contains("nothing"));
    }
}
