//! An ordinary program that knows nothing of Wharf: it reads JSON from standard input, writes JSON
//! to standard output and ends with an exit code. Compiled to `wasm32-wasip2` it is a plugin.
//!
//! The input may say `{"exit": n}` to end so, `{"exit-with-code": n}` to end so in the way that WASI
//! has for it (the standard library of Rust tells only success and failure), `{"stderr": "…"}` to write a line there,
//! `{"stdout": "…"}` to write that in place of JSON, and `{"panic": true}`.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> io::Result<ExitCode> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let input: Value = serde_json::from_str(&text)?;

    assert!(input["panic"] != true, "asked to panic");
    if let Some(line) = input["stderr"].as_str() {
        eprintln!("{line}");
    }
    let out = match input["stdout"].as_str() {
        Some(raw) => raw.to_owned(),
        None => report(&input).to_string(),
    };
    io::stdout().write_all(out.as_bytes())?;
    if let Some(code) = code(&input["exit-with-code"]) {
        io::stdout().flush()?;
        wasip2::cli::exit::exit_with_code(code);
    }
    Ok(ExitCode::from(code(&input["exit"]).unwrap_or(0)))
}

fn code(value: &Value) -> Option<u8> {
    value.as_u64().and_then(|code| u8::try_from(code).ok())
}

fn report(input: &Value) -> Value {
    // The first argument is the program's own name.
    let args: Vec<String> = std::env::args().skip(1).collect();
    let env: BTreeMap<String, String> = std::env::vars().collect();
    json!({ "args": args, "env": env, "input": input })
}
