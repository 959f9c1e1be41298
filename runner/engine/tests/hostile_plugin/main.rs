//! A hostile plugin against the real engine and the real host, with real servers on loopback: each
//! attack is a test and a row of the table in docs/hostile-plugin.md. After each, everything that
//! the run told and everything that a server received is searched for the secrets.
//!
//! The plugin is `tests/plugins/intruder`, which plays the scripts that stand here.

#![allow(clippy::unwrap_used)]

mod dns;
mod leak;
mod servers;
mod world;

mod addresses;
mod channels;
mod destinations;
mod echoes;
mod exhaustion;
mod lifetime;
mod names;
mod smuggling;
mod sockets;

/// One attack, as the table in the docs tells it.
pub(crate) struct Row {
    name: &'static str,
    tries: &'static str,
    must: &'static str,
}

/// Makes a test and a row of each attack: `name: "what the plugin tries" => "what must happen"`.
macro_rules! attacks {
    ($($name:ident: $tries:literal => $must:literal, |$world:ident| $body:block)*) => {
        pub(crate) const TABLE: &[crate::Row] = &[$(crate::Row {
            name: stringify!($name),
            tries: $tries,
            must: $must,
        }),*];
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let $world = crate::world::World::new().await;
                $body
                $world.leaked_nothing();
            }
        )*
    };
}
pub(crate) use attacks;

const HEAD: &str = "# The hostile-plugin suite

Each row is a test of `runner/engine/tests/hostile_plugin`, which runs the attack in the real engine and host against real
servers, and then searches everything that was told and everything that a server received for the secrets, whole, in
pieces and encoded. Run one with `cargo test --release -p wharf -p wharf-engine --test hostile_plugin NAME`. This page is
written from the tests: with `WHARF_WRITE_DOCS=1` the test `the_page_in_the_docs_is_of_these_attacks` writes it anew.
";

#[test]
fn the_page_in_the_docs_is_of_these_attacks() {
    let parts = [
        ("Addresses", "addresses", addresses::TABLE),
        ("Destinations", "destinations", destinations::TABLE),
        ("Smuggling", "smuggling", smuggling::TABLE),
        ("Servers that echo", "echoes", echoes::TABLE),
        ("Names and handles", "names", names::TABLE),
        ("Channels", "channels", channels::TABLE),
        ("Before and after the run", "lifetime", lifetime::TABLE),
        ("Sockets", "sockets", sockets::TABLE),
        ("Exhaustion", "exhaustion", exhaustion::TABLE),
    ];
    let mut page = HEAD.to_owned();
    let mut count = 0;
    for (title, module, table) in parts {
        page += &format!(
            "\n## {title}\n\n| test | the plugin tries | what happens |\n| --- | --- | --- |\n"
        );
        for Row { name, tries, must } in table {
            page += &format!("| `{module}::{name}` | {tries} | {must} |\n");
        }
        count += table.len();
    }
    page += &format!("\n{count} attacks.\n");
    assert!(count >= 40, "{count}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/hostile-plugin.md");
    if std::env::var_os("WHARF_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/hostile-plugin.md is not of these attacks"
    );
}
