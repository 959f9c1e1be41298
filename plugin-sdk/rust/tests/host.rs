//! The other helpers against the in-memory host.

use std::time::Duration;

use wharf_plugin::control::{self, Interrupted};
use wharf_plugin::log::{self, Level};
use wharf_plugin::secrets::{Digest, Secret};
use wharf_plugin::testing::Host;
use wharf_plugin::{Error, config, progress, reveal};

#[test]
fn what_is_not_granted_is_not_there() {
    assert_eq!(config::get("region"), None);
    assert!(
        matches!(config::require("region"), Err(Error::Denied(what)) if what.contains("`region`"))
    );
    let secret = Error::from(Secret::open("key").unwrap_err());
    assert_eq!(secret, Error::denied("operate of the secret `key`"));
    let revealed = Error::from(reveal::reveal("key").unwrap_err());
    assert_eq!(revealed, Error::denied("reveal of the secret `key`"));
}

#[test]
fn each_rung_of_a_secret_is_granted_by_itself() {
    let _host = Host::new().operate("key", "k").install();
    assert!(Secret::open("key").is_ok());
    assert!(reveal::reveal("key").is_err());
}

#[test]
fn an_hmac_is_that_of_rfc_4231() {
    let _host = Host::new()
        .operate("jefe", "Jefe")
        .reveal("jefe", "Jefe")
        .install();
    let mac = |digest| {
        Secret::open("jefe")
            .unwrap()
            .hmac(digest, b"what do ya want for nothing?")
            .unwrap()
    };
    assert_eq!(
        mac(Digest::Sha256).hex(),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_eq!(mac(Digest::Sha384).as_bytes().len(), 48);
    assert_eq!(&mac(Digest::Sha512).hex()[..16], "164b7a7bfcf819e2");
    assert_eq!(reveal::reveal("jefe").unwrap(), b"Jefe");
}

#[test]
fn settings_are_read_as_what_they_are() {
    let _host = Host::new()
        .config("limit", "20")
        .config("bad", "x")
        .install();
    assert_eq!(config::parse("limit"), Ok(Some(20)));
    assert_eq!(config::parse::<u8>("none"), Ok(None));
    assert!(matches!(config::parse::<u8>("bad"), Err(Error::Failed(f)) if f.code == "bad-config"));
    assert_eq!(config::names(), ["bad", "limit"]);
}

#[test]
fn waiting_takes_no_time_of_the_test_and_stops_when_asked() {
    let host = Host::new()
        .cancelled_after(Duration::from_secs(5))
        .install();
    assert_eq!(control::wait(Duration::from_secs(3)), Ok(()));
    assert_eq!(
        control::wait(Duration::from_secs(3)),
        Err(Interrupted::Cancelled)
    );
    assert_eq!(host.waited(), Duration::from_secs(5));
    assert!(control::cancelled());
}

#[test]
fn a_wait_beyond_the_deadline_does_not_begin() {
    let host = Host::new().deadline(Duration::from_secs(2)).install();
    assert_eq!(
        control::wait(Duration::from_secs(3)),
        Err(Interrupted::Deadline)
    );
    assert_eq!(host.waited(), Duration::ZERO);
    assert_eq!(control::remaining(), Duration::from_secs(2));
}

#[test]
fn logs_and_progress_are_kept_for_the_test() {
    let host = Host::new().call("01J0", 2).install();
    log::info("sent", &[("status", &200)]);
    progress::report(2.0, "done");
    let line = &host.logs()[0];
    assert_eq!((line.level, line.message.as_str()), (Level::Info, "sent"));
    assert_eq!(line.fields, [("status".to_owned(), "200".to_owned())]);
    assert_eq!(host.progress()[0].fraction, Some(1.0));
    assert_eq!(
        (control::call().execution.as_str(), control::call().attempt),
        ("01J0", 2)
    );
}

#[test]
fn a_host_is_gone_when_it_is_dropped() {
    let outer = Host::new().config("a", "outer").install();
    let inner = Host::new().config("a", "inner").install();
    assert_eq!(config::get("a").as_deref(), Some("inner"));
    drop(inner);
    assert_eq!(config::get("a").as_deref(), Some("outer"));
    drop(outer);
    assert_eq!(config::get("a"), None);
}
