use proptest::prelude::*;

use super::*;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn why(text: &str) -> String {
    text.parse::<Reference>().unwrap_err().to_string()
}

#[test]
fn a_reference_has_a_registry_a_repository_and_a_tag_or_a_digest() {
    let both: Reference = format!("oci://registry.example.com:5000/acme/http:1.2@sha256:{HEX}")
        .parse()
        .unwrap();
    assert_eq!(both.registry().host(), "registry.example.com");
    assert_eq!(both.registry().port(), Some(5000));
    assert_eq!(both.repository(), "acme/http");
    assert_eq!(both.tag(), Some("1.2"));
    assert_eq!(both.digest().unwrap().to_hex(), HEX);
    assert_eq!(both.short_name(), "http");
    assert_eq!(
        both.to_string(),
        format!("registry.example.com:5000/acme/http:1.2@sha256:{HEX}")
    );
    let six: Reference = "[::1]:5000/a:1".parse().unwrap();
    assert!(six.registry().is_loopback());
    assert_eq!(six.registry().to_string(), "[::1]:5000");
}

#[test]
fn no_registry_and_no_tag_is_guessed() {
    assert!(why("http:1.0").contains("REGISTRY/REPOSITORY"));
    assert!(why("acme/http:1.0").contains("no registry is assumed"));
    assert!(why("registry.example.com/acme/http").contains("no tag and no digest"));
}

#[test]
fn what_is_not_a_reference_is_refused() {
    for text in [
        "",
        "/",
        "https://registry.example.com/a:1",
        "registry.example.com/:1",
        "registry.example.com/a:",
        "registry.example.com/a:.x",
        "registry.example.com/a@sha256:12",
        "registry.example.com/a@md5:12",
        "registry.example.com/../a:1",
        "registry.example.com/a/../b:1",
        "registry.example.com/a//b:1",
        "registry.example.com/A:1",
        "registry.example.com/a..b:1",
        "registry.example.com/a___b:1",
        "registry.example.com/a?b:1",
        "registry.example.com/a%2e:1",
        "registry.example.com:0/a:1",
        "registry.example.com:+80/a:1",
        "registry.example.com:65536/a:1",
        "user@registry.example.com/a:1",
        "Registry.example.com/a:1",
        "registry..com/a:1",
        "[::1/a:1",
        "[127.0.0.1]/a:1",
        "127.1/a:1",
        "0x7f.1/a:1",
        "2130706433:80/a:1",
        " registry.example.com/a:1",
        "registry.example.com/a:1\n",
    ] {
        assert!(text.parse::<Reference>().is_err(), "{text:?}");
    }
}

#[test]
fn only_this_machine_is_loopback() {
    for (host, loopback) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("127.255.0.9", true),
        ("[::1]", true),
        ("10.0.0.1", false),
        ("[::2]", false),
        ("localhost.example.com", false),
        ("127.0.0.1.example.com", false),
    ] {
        assert_eq!(is_loopback(host), loopback, "{host}");
    }
}

proptest! {
    #[test]
    fn whatever_is_a_reference_is_written_as_it_was_read(
        text in "([a-z0-9]{1,5}\\.)?[a-z][a-z0-9-]{0,5}(:[0-9]{1,5})?/[a-z0-9._/-]{1,12}(:[A-Za-z0-9._-]{1,9})?(@sha256:[0-9a-f]{64})?"
    ) {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn no_text_panics_and_no_path_leads_out(text in ".{0,80}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert!(!reference.repository().split('/').any(|part| part.is_empty() || part == ".." || part == "."));
        }
    }
}
