//! What is wrong with a filter, and where: jaq's errors as errors of the action.

use std::fmt::Write;

use jaq_core::compile::Undefined;
use jaq_core::load;
use jaq_core::{Exn, compile};
use jaq_json::Val;
use wharf_plugin::Error;

/// Values in messages of jq can be whole documents: longer messages are cut there.
const MESSAGE: usize = 1024;

/// A filter that cannot be read.
pub(crate) fn load(code: &str, errors: load::Errors<&str, ()>) -> Error {
    let mut found = Vec::new();
    for (_, error) in errors {
        match error {
            load::Error::Io(errors) => {
                found.extend(
                    errors
                        .into_iter()
                        .map(|(at, why)| (at, format!("cannot import: {why}"))),
                );
            }
            load::Error::Lex(errors) => {
                for (expected, rest) in errors {
                    // jaq points at the rest of the filter; its first character is the place.
                    found.push((first_char(rest), format!("expected {}", expected.as_str())));
                }
            }
            load::Error::Parse(errors) => {
                found.extend(
                    errors
                        .into_iter()
                        .map(|(expected, at)| (at, format!("expected {}", expected.as_str()))),
                );
            }
        }
    }
    invalid(code, &found)
}

/// A filter that names what is not there.
pub(crate) fn compile(code: &str, errors: compile::Errors<&str, ()>) -> Error {
    let errors = errors.into_iter().flat_map(|(_, errors)| errors);
    let found: Vec<_> = errors
        .map(|(at, undefined)| (at, missing(at, &undefined)))
        .collect();
    invalid(code, &found)
}

fn missing(name: &str, undefined: &Undefined) -> String {
    match undefined {
        Undefined::Filter(arity) => format!("there is no filter `{name}/{arity}`"),
        Undefined::Var => format!("there is no variable `{name}`; give it in `variables`"),
        other => format!("there is no {} `{name}`", other.as_str()),
    }
}

/// An error, or another end, of a running filter.
pub(crate) fn exception(exception: Exn<'_, Val>) -> Error {
    match exception.get_err() {
        Ok(error) => {
            let mut message = error.to_string();
            if message.len() > MESSAGE {
                message.truncate(message.floor_char_boundary(MESSAGE));
                message.push('…');
            }
            Error::failed("jq", format_args!("the filter failed: {message}"))
        }
        Err(other) => {
            let code = other.get_halt().unwrap_or_default();
            Error::failed(
                "jq-halt",
                format_args!("the filter ended itself with exit code {code}"),
            )
            .with_details(serde_json::json!({ "exit_code": code }))
        }
    }
}

fn first_char(text: &str) -> &str {
    text.chars().next().map_or(text, |c| &text[..c.len_utf8()])
}

/// Each fault with its line, its column and what stands there. The parts point into the code.
fn invalid(code: &str, found: &[(&str, String)]) -> Error {
    let mut message = String::from("the filter is not valid jq");
    for (index, (at, what)) in found.iter().enumerate() {
        let separator = if index == 0 { ": " } else { "; " };
        let place = match position(code, at) {
            Some((line, column)) => format!(" at line {line}, column {column}"),
            None => String::new(),
        };
        let seen = match *at {
            "" => "the end".to_owned(),
            text => format!("`{}`", first_line(text)),
        };
        // Writing to a String cannot fail.
        let _ = write!(message, "{separator}{what}{place}, at {seen}");
    }
    Error::invalid_input("/filter", message)
}

fn first_line(text: &str) -> String {
    let line: String = text.chars().take_while(|c| *c != '\n').take(40).collect();
    if line.len() < text.len() {
        format!("{line}…")
    } else {
        line
    }
}

/// Line and column, counted from 1, of a part of the code; nothing if it is not one.
fn position(code: &str, part: &str) -> Option<(usize, usize)> {
    let offset = (part.as_ptr() as usize).checked_sub(code.as_ptr() as usize)?;
    let before = code.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    Some((line, before[line_start..].chars().count() + 1))
}
