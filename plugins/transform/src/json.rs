//! JSON to jaq's values and back. jaq knows more than JSON does (bytes, keys that are not strings, numbers
//! that are not numbers) and writes them; here the output is JSON or an error.

use std::fmt::Write;

use jaq_json::{Num, Val, read};
use serde_json::value::RawValue;
use wharf_plugin::Error;

/// How deep values may be nested. The host reads no deeper either, and the stack is finite.
const DEPTH: usize = 120;

/// Reads a value that stands at `place` in the input.
pub(crate) fn read(document: &RawValue, place: &str) -> Result<Val, Error> {
    let text = document.get();
    if depth(text) > DEPTH {
        let message = format_args!("is nested deeper than {DEPTH} levels");
        return Err(Error::invalid_input(place, message));
    }
    read::parse_single(text.as_bytes()).map_err(|e| Error::invalid_input(place, e))
}

/// How deep a proper JSON document is nested.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Writes a value as JSON.
pub(crate) fn write(value: &Val) -> Result<Box<RawValue>, Error> {
    let mut text = String::new();
    write_value(value, 0, &mut text)?;
    RawValue::from_string(text).map_err(|e| not_json(&e.to_string()))
}

fn not_json(what: &str) -> Error {
    Error::failed("not-json", format_args!("the result is not JSON: {what}"))
}

fn write_value(value: &Val, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > DEPTH {
        return Err(not_json(&format!(
            "it is nested deeper than {DEPTH} levels"
        )));
    }
    match value {
        Val::Null => out.push_str("null"),
        Val::Bool(true) => out.push_str("true"),
        Val::Bool(false) => out.push_str("false"),
        Val::Num(number) => write_number(number, out),
        Val::TStr(bytes) => write_string(bytes, out)?,
        Val::BStr(_) => {
            return Err(not_json(
                "it has a byte string; use `@base64` or `tostring`",
            ));
        }
        Val::Arr(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, depth + 1, out)?;
            }
            out.push(']');
        }
        Val::Obj(fields) => {
            out.push('{');
            for (index, (key, item)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                let Val::TStr(key) = key else {
                    return Err(not_json(
                        "an object has a key that is not a string; use `tostring`",
                    ));
                };
                write_string(key, out)?;
                out.push(':');
                write_value(item, depth + 1, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Strings of jaq may hold bytes that are not UTF-8; JSON has none.
fn write_string(bytes: &[u8], out: &mut String) -> Result<(), Error> {
    out.push_str(&serde_json::to_string(&String::from_utf8_lossy(bytes))?);
    Ok(())
}

fn write_number(number: &Num, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match number {
        Num::Int(int) => write!(out, "{int}"),
        Num::BigInt(int) => write!(out, "{int}"),
        // As it was written: a decimal that was only moved keeps its digits.
        Num::Dec(text) => write!(out, "{text}"),
        Num::Float(float) => write_float(*float, out),
    };
}

/// As jq does: no fraction where there is none, and for what JSON has no number the nearest it has.
fn write_float(float: f64, out: &mut String) -> std::fmt::Result {
    const EXACT: f64 = 1e17;
    if float.is_nan() {
        write!(out, "null")
    } else if float.is_infinite() {
        write!(out, "{:?}", f64::MAX.copysign(float))
    } else if float.fract() == 0.0 && float.abs() < EXACT {
        write!(out, "{float:.0}")
    } else {
        write!(out, "{float:?}")
    }
}
