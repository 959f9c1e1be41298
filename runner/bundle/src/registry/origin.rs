//! Where requests may go: pure decisions about URLs that others name.

use reqwest::Url;

use crate::oci::{Authority, is_loopback};

/// Docker Hub answers under another name than the one in references.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// The address of a registry: https; on this machine http, unless authorities of its own were named.
pub(super) fn base(registry: &Authority, own_authorities: bool) -> Result<Url, String> {
    let scheme = match registry.is_loopback() && !own_authorities {
        true => "http",
        false => "https",
    };
    let host = match registry.host() {
        DOCKER_HUB => DOCKER_HUB_API,
        host => host,
    };
    let port = registry.port().map(|port| format!(":{port}"));
    Url::parse(&format!("{scheme}://{host}{}/", port.unwrap_or_default()))
        .map_err(|error| format!("{registry} is not an address: {error}"))
}

/// Where a redirect of an answer leads, for something that will be compared by its digest. From https
/// only to https; from http, which is this machine, to this machine or to https.
pub(super) fn redirect(from: &Url, location: &str) -> Result<Url, String> {
    let to = from
        .join(location)
        .map_err(|_| "it redirects to something that is no URL".to_owned())?;
    let here = |url: &Url| url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
    match to.scheme() {
        "https" => Ok(to),
        "http" if here(from) && here(&to) => Ok(to),
        _ => Err(format!(
            "it redirects to {}, which is not https",
            origin(&to)
        )),
    }
}

/// Where an upload goes on: nowhere but to the registry itself.
pub(super) fn upload(base: &Url, from: &Url, location: &str) -> Result<Url, String> {
    let to = from
        .join(location)
        .map_err(|_| "it wants the upload at something that is no URL".to_owned())?;
    if to.origin() == base.origin() {
        return Ok(to);
    }
    Err(format!(
        "it wants the upload at {}; nothing is uploaded but to {}",
        origin(&to),
        origin(base)
    ))
}

/// Whether a token service may be asked at all: over https, or on this machine for a registry that is
/// on this machine.
pub(super) fn may_ask(base: &Url, realm: &Url) -> bool {
    let here = |url: &Url| url.host_str().is_some_and(is_loopback);
    realm.scheme() == "https" || (realm.scheme() == "http" && here(realm) && here(base))
}

/// Whether a token service may see the registry's credentials: if it is on the same host, or if both
/// have the same parent domain, as registry-1.docker.io and auth.docker.io have.
pub(super) fn may_know(base: &Url, realm: &Url) -> bool {
    let (Some(registry), Some(service)) = (base.host_str(), realm.host_str()) else {
        return false;
    };
    if !may_ask(base, realm) {
        return false;
    }
    if registry == service {
        return true;
    }
    // Addresses have no parents. Nor have names of two labels: their parent is everybody's.
    if registry.parse::<std::net::IpAddr>().is_ok() || registry.starts_with('[') {
        return false;
    }
    let Some((_, parent)) = registry.split_once('.') else {
        return false;
    };
    parent.contains('.') && (service == parent || service.ends_with(&format!(".{parent}")))
}

/// A URL without what may be secret in it.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Reference;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn base_of(reference: &str, own: bool) -> String {
        let reference: Reference = reference.parse().unwrap();
        base(reference.registry(), own).unwrap().to_string()
    }

    #[test]
    fn only_this_machine_is_asked_over_plain_http() {
        assert_eq!(
            base_of("registry.example.com/a:1", false),
            "https://registry.example.com/"
        );
        assert_eq!(base_of("10.0.0.1:80/a:1", false), "https://10.0.0.1:80/");
        assert_eq!(
            base_of("127.0.0.1:5000/a:1", false),
            "http://127.0.0.1:5000/"
        );
        assert_eq!(base_of("[::1]:5000/a:1", false), "http://[::1]:5000/");
        assert_eq!(
            base_of("localhost:5000/a:1", true),
            "https://localhost:5000/"
        );
        assert_eq!(
            base_of("docker.io/a/b:1", false),
            "https://registry-1.docker.io/"
        );
    }

    #[test]
    fn a_redirect_leads_to_https_or_stays_on_this_machine() {
        let registry = url("https://registry.example.com/v2/");
        assert!(redirect(&registry, "https://cdn.example.net/x").is_ok());
        assert!(redirect(&registry, "/x").is_ok());
        for bad in [
            "http://registry.example.com/x",
            "http://127.0.0.1/x",
            "ftp://x/",
            "file:///etc/passwd",
            "https://",
        ] {
            assert!(redirect(&registry, bad).is_err(), "{bad}");
        }
        let here = url("http://127.0.0.1:5000/v2/");
        assert!(redirect(&here, "http://localhost:5001/x").is_ok());
        assert!(redirect(&here, "http://10.0.0.1/x").is_err());
    }

    #[test]
    fn an_upload_stays_with_the_registry() {
        let base = url("https://registry.example.com/");
        let at = url("https://registry.example.com/v2/a/blobs/uploads/");
        assert!(upload(&base, &at, "/v2/a/blobs/uploads/1?s=2").is_ok());
        assert!(upload(&base, &at, "https://registry.example.com:443/x").is_ok());
        for bad in [
            "http://registry.example.com/x",
            "https://registry.example.com:444/x",
            "https://registry.example.com.evil.test/x",
            "//evil.test/x",
            "https://registry.example.com@evil.test/x",
        ] {
            assert!(upload(&base, &at, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn credentials_go_to_the_registry_and_its_own_domain_only() {
        let knows = |registry: &str, realm: &str| may_know(&url(registry), &url(realm));
        assert!(knows("https://ghcr.io/", "https://ghcr.io/token"));
        assert!(knows(
            "https://registry-1.docker.io/",
            "https://auth.docker.io/token"
        ));
        assert!(knows(
            "https://registry.gitlab.com/",
            "https://gitlab.com/jwt/auth"
        ));
        assert!(knows(
            "http://127.0.0.1:5000/",
            "http://127.0.0.1:5001/token"
        ));
        for (registry, realm) in [
            ("https://ghcr.io/", "https://evil.io/token"),
            (
                "https://registry-1.docker.io/",
                "https://docker.io.evil.test/token",
            ),
            (
                "https://registry-1.docker.io/",
                "https://notdocker.io/token",
            ),
            (
                "https://registry-1.docker.io/",
                "http://auth.docker.io/token",
            ),
            ("https://10.0.0.1/", "https://10.0.0.2/token"),
            ("https://1.0.0.1/", "https://2.0.0.1/token"),
            ("https://registry.example.com/", "http://127.0.0.1/token"),
            ("http://127.0.0.1:5000/", "http://localhost:5000/token"),
            ("http://127.0.0.1:5000/", "http://10.0.0.1/token"),
        ] {
            assert!(!knows(registry, realm), "{registry} {realm}");
        }
    }
}
