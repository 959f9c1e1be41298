//! What is linked is what is granted.

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};
use wharf_policy::Rights;

use super::support::*;
use crate::{State, link};

const IMPORTS: [(&str, &str); 4] = [
    (
        "config",
        r#"(export "get" (func (param "name" string) (result (option string))))"#,
    ),
    ("secrets", r#"(export "secret" (type (sub resource)))"#),
    (
        "reveal",
        r#"(type $e (enum "denied" "not-found" "unavailable")) (export "reveal-error" (type $x (eq $e)))
           (export "reveal" (func (param "name" string) (result (result (list u8) (error $x)))))"#,
    ),
    (
        "http-credentials",
        r#"(export "credential" (type (sub resource)))"#,
    ),
];

fn engine() -> Engine {
    Engine::new(&Config::new()).unwrap()
}

fn loads(rights: &Rights, import: &str, body: &str) -> Result<(), String> {
    let engine = engine();
    let mut linker = Linker::<State>::new(&engine);
    link(&mut linker, rights).unwrap();
    let text = format!(r#"(component (import "{import}" (instance {body})))"#);
    let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
    linker
        .instantiate_pre(&component)
        .map(drop)
        .map_err(|error| format!("{error:#}"))
}

#[test]
fn everything_is_linked_where_everything_is_granted() {
    let rights = rights(
        "[[secret]]\nname='s'\nfrom='mem:token'\nto=[{origin='http://h'}]\n[[grant]]\nplugins=['http']\nhttp=[{origin='http://h'}]\nsecrets=[{name='s',rungs=['inject','attach','operate','reveal']}]\nconfig={a='b'}",
    );
    for (name, body) in IMPORTS {
        loads(&rights, &format!("wharf:plugin/{name}@0.1.0"), body).unwrap();
    }
    for (import, body) in [
        (
            "wasi:http/types@0.2.12",
            r#"(export "fields" (type (sub resource)))"#,
        ),
        ("wharf:plugin/types@0.1.0", ""),
    ] {
        loads(&rights, import, body).unwrap();
    }
}

#[test]
fn nothing_that_is_not_granted_is_linked() {
    let rights = rights_asking("", "");
    for (name, body) in IMPORTS {
        let why = loads(&rights, &format!("wharf:plugin/{name}@0.1.0"), body).unwrap_err();
        assert!(why.contains(name), "{why}");
    }
    loads(
        &rights,
        "wasi:http/types@0.2.12",
        r#"(export "fields" (type (sub resource)))"#,
    )
    .unwrap_err();
}

#[test]
fn what_every_plugin_has_is_linked_without_a_grant() {
    let rights = rights_asking("", "");
    for (import, body) in [
        (
            "wharf:plugin/control@0.1.0",
            r#"(export "cancelled" (func (result bool)))"#,
        ),
        (
            "wasi:clocks/monotonic-clock@0.2.12",
            r#"(export "now" (func (result u64)))"#,
        ),
        (
            "wasi:random/random@0.2.0",
            r#"(export "get-random-u64" (func (result u64)))"#,
        ),
        ("wasi:filesystem/preopens@0.2.3", ""),
        (
            "wasi:sockets/tcp@0.2.6",
            r#"(export "tcp-socket" (type (sub resource)))"#,
        ),
        (
            "wasi:random/random@0.3.0",
            r#"(export "get-random-u64" (func (result u64)))"#,
        ),
    ] {
        loads(&rights, import, body).unwrap_or_else(|why| panic!("{import}: {why}"));
    }
}
