//! Addresses of stores, as tables name them.

use url::{Host, Url};

use crate::open::Unusable;

/// An address of a table: https, or http on loopback, or because the table says so.
pub(crate) fn parse(text: &str, plain_http: bool) -> Result<Url, Unusable> {
    let wrong = |why: &str| Unusable::Table(format!("the address `{text}` {why}"));
    let url = Url::parse(text).map_err(|_| wrong("is no URL: write https://HOST:PORT"))?;
    let Some(host) = url.host() else {
        return Err(wrong("names no host"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        // Without repeating it.
        return Err(Unusable::Table(
            "the address has a user or a password in it: credentials belong into `login`".into(),
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment: write https://HOST:PORT"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if plain_http || is_loopback(&host) => Ok(url),
        "http" => Err(wrong(
            "would show secrets to everyone on the way: write https, or plain-http = true",
        )),
        _ => Err(wrong("is neither https nor http")),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_plain_http_only_on_loopback_or_when_the_table_says_so() {
        for good in [
            "https://vault.test:8200",
            "http://127.0.0.1:8200",
            "http://[::1]:8200",
            "http://localhost:8200/prefix",
        ] {
            assert!(parse(good, false).is_ok(), "{good}");
        }
        for bad in [
            "http://vault.test",
            "http://10.0.0.1",
            "http://localhost.evil.test",
            "http://127.0.0.1.evil.test",
            "ftp://vault.test",
            "vault.test:8200",
            "https://vault.test/?x=1",
            "https://user:hunter2@vault.test",
        ] {
            let Err(Unusable::Table(why)) = parse(bad, false) else {
                panic!("{bad} was taken");
            };
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(parse("http://vault.test", true).is_ok());
    }
}
