//! That each action does the bad thing it is for, as far as a native test survives it.

use serde_json::json;
use wharf_plugin::http::Response;
use wharf_plugin::log::Level;
use wharf_plugin::testing::{self, Host};

use super::*;

#[test]
fn it_echoes_what_it_gets() {
    let value = json!({ "a": [1, null, "x"] });
    assert_eq!(testing::run(echo, &value), Ok(value));
}

#[test]
fn it_hoards_as_much_as_asked() {
    let hoarded = testing::run(hoard, json!({ "bytes": 3_000_000 }));
    assert_eq!(hoarded, Ok(json!({ "bytes": 3 * 1024 * 1024 })));
}

#[test]
fn it_floods_the_log_and_the_output() {
    let host = Host::new().install();
    let flood = json!({ "count": 3, "bytes": 2 });
    assert_eq!(testing::run(flood_log, &flood), Ok(json!({ "count": 3 })));
    assert_eq!(host.messages(Level::Info), ["xx"; 3]);
    assert_eq!(
        testing::run(flood_output, &flood),
        Ok(json!(["xx", "xx", "xx"]))
    );
}

#[test]
fn it_fetches_and_asks_for_metadata() {
    let host = Host::new()
        .http(|_| Ok(Response::new(200).with_body("hi")))
        .install();
    let fetched = testing::run(fetch, json!({ "url": "https://a/" })).unwrap();
    assert_eq!(fetched["body"], "hi");
    testing::run(metadata, json!({})).unwrap();
    assert_eq!(host.requests()[1].request.url(), link_local());
}

#[test]
fn it_breaks_the_promise_of_its_schema() {
    let host = Host::new().install();
    assert_eq!(testing::run(wrong_output, json!("type")), Ok(json!("one")));
    drop(host);
    let host = Host::new().install();
    assert!(testing::run(wrong_output, json!("syntax")).is_err());
    drop(host);
}

#[test]
fn it_stops_politely_only_if_told_to() {
    let _host = Host::new().cancelled().install();
    assert_eq!(
        testing::run(hold, json!({ "ms": 50, "polite": true })),
        Err(Error::Cancelled)
    );
    assert!(testing::run(hold, json!({ "ms": 1 })).is_ok());
}

fn link_local() -> &'static str {
    "http://169.254.169.254/latest/meta-data/"
}
