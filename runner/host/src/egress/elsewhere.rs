//! Headers that name another path, method, host or sender than those that were checked.
//!
//! What proxies and frameworks heed in place of the request line is the host's to say and is
//! dropped. What a protocol takes for somebody else's request is refused where a credential goes. What
//! a protocol defines as a second path, such as the source of a copy, is refused where the first one is
//! bound: a credential for one folder would otherwise work in all of them. Nor may it lead to another
//! server, or another bucket, than those that are granted and bound.

use ::http::{HeaderMap, HeaderName};
use url::Url;
use wharf_policy::{Rights, Target};

use super::EgressError;
use super::inject::Planned;

/// What a server, or a proxy before it, may take for another path, method, host or sender.
const OVERRIDES: [&str; 16] = [
    "forwarded",
    "client-ip",
    // What a gateway in the manner of CGI takes off the path, or for it.
    "path-info",
    "remote-user",
    "script-name",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-http-host-override",
    "x-method",
    "x-method-override",
    "x-override-url",
    "x-real-ip",
    "x-request-uri",
    "x-script-name",
];
const OVERRIDE_PREFIXES: [&str; 10] = [
    "x-accel-",
    "x-auth-request-",
    "x-envoy-",
    "x-forwarded",
    "x-http-method",
    "x-middleware-",
    "x-original-",
    "x-remote-",
    "x-rewrite-",
    "x-webauth-",
];

/// What names an object besides the one in the path: of `WebDAV`, and of Swift. And what is put
/// before the path: of Vault.
const PLACES: [&str; 8] = [
    "destination",
    "destination-account",
    "x-copy-from",
    "x-copy-from-account",
    "x-object-manifest",
    "x-symlink-target",
    "x-symlink-target-account",
    "x-vault-namespace",
];
/// And of S3, Azure and those that speak as they do, whatever they put before it.
const PLACE_SUFFIXES: [&str; 2] = ["-copy-source", "-rename-source"];

/// What asks to act as somebody else than whose credential it is: of Kubernetes, GitLab and
/// Elasticsearch. Dropped, it would be done with all the rights of the credential.
const STAND_INS: [&str; 2] = ["es-security-runas-user", "sudo"];
const STAND_IN_PREFIX: &str = "impersonate-";

/// Gateways in the manner of CGI make one of `a_b` and `a-b`, so both are taken for the same.
pub(super) fn plain(name: &HeaderName) -> String {
    name.as_str().replace('_', "-")
}

/// Whether a guest may not set it, by its [`plain`] name.
pub(super) fn is_override(plain: &str) -> bool {
    OVERRIDES.contains(&plain)
        || OVERRIDE_PREFIXES
            .iter()
            .any(|prefix| plain.starts_with(prefix))
}

fn is_place(plain: &str) -> bool {
    PLACES.contains(&plain) || PLACE_SUFFIXES.iter().any(|end| plain.ends_with(end))
}

fn is_stand_in(plain: &str) -> bool {
    STAND_INS.contains(&plain) || plain.starts_with(STAND_IN_PREFIX)
}

/// Whether the headers ask for nobody else where a credential goes, and name no other place, or every
/// path of that server may be asked for: by the grant, and by the binding of each credential that goes
/// onto the request.
///
/// # Errors
/// The header, and the line that would allow it.
pub(super) fn check(
    rights: &Rights,
    method: &str,
    url: &Url,
    plan: &[Planned<'_>],
    headers: &HeaderMap,
) -> Result<(), EgressError> {
    let stand_in = headers.keys().find(|name| is_stand_in(&plain(name)));
    if let (Some(header), Some(planned)) = (stand_in, plan.first()) {
        return Err(EgressError::Denied(format!(
            "the header `{header}` asks to act as somebody else than whom the secret `{}` is of, and no grant allows that: leave it out, or use a secret of that one",
            planned.binding.name
        )));
    }
    for (header, value) in headers.iter().filter(|(name, _)| is_place(&plain(name))) {
        let denied = |why: String| EgressError::Denied(format!("the header `{header}` {why}"));
        let text = value.to_str().ok();
        let place = text.and_then(|text| Some((text, url.join(text).ok()?)));
        let (text, place) = place
            .ok_or_else(|| denied("does not name a place in a way that can be read".to_owned()))?;
        if header.as_str().ends_with("source")
            && let Some(bucket) = bucket_of(url)
            && !names_bucket(text, bucket)
        {
            return Err(denied(format!(
                "names another bucket than {bucket}, which this host is for: ask that bucket's host for the object and send it, or use the host of all buckets"
            )));
        }
        // Of this server, and of another one if that is where the place is.
        for mut root in [url.clone(), place] {
            // What covers the root covers everything.
            root.set_path("/");
            let root = Target::of(&root).map_err(|error| denied(error.to_string()))?;
            let everywhere = |why: String| {
                denied(format!(
                    "names another path than the one that is checked, and not every path may be asked for there: {why}"
                ))
            };
            rights
                .check_request(method, &root)
                .map_err(|why| everywhere(why.to_string()))?;
            for planned in plan {
                planned
                    .binding
                    .check_destination(planned.rung, method, &root)
                    .map_err(|why| everywhere(format!("leave the header out, or {}", why.hint)))?;
            }
        }
    }
    Ok(())
}

/// The bucket that a host of S3 or Google Cloud Storage is for, where its name says so. The
/// credential may be for other buckets too, which have hosts of their own.
fn bucket_of(url: &Url) -> Option<&str> {
    let host = url.host_str()?;
    if let Some(bucket) = host.strip_suffix(".storage.googleapis.com") {
        return Some(bucket);
    }
    let ends = [".s3.", ".s3-", ".s3express-"].map(|service| host.find(service));
    let end = ends.into_iter().flatten().min()?;
    Some(&host[..end])
}

/// Whether the source of a copy, such as `bucket/key`, is in that bucket, and plainly so.
fn names_bucket(source: &str, bucket: &str) -> bool {
    let source = source.strip_prefix('/').unwrap_or(source);
    source
        .split_once('/')
        .is_some_and(|(first, _)| first == bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> (bool, bool) {
        let plain = plain(&HeaderName::from_bytes(name.as_bytes()).unwrap());
        (is_override(&plain), is_place(&plain))
    }

    #[test]
    fn what_proxies_take_for_the_request_line_or_the_sender_is_an_override() {
        for name in [
            "X-Original-URI",
            "X-Original-Method",
            "X_Original_Url",
            "X-Method",
            "X-Forwarded",
            "X-Forwarded-Host",
            "X-Envoy-Original-Path",
            "X-Envoy-Original-Host",
            "X-HTTP-Host-Override",
            "X-HTTP-Method",
            "True-Client-IP",
            "X_Client_IP",
            "X-Rewrite-URL",
            "SCRIPT_NAME",
            "Path-Info",
            "X-Script-Name",
            "Remote-User",
            "X_Remote_User",
            "X-WebAuth-User",
            "X-Auth-Request-Email",
        ] {
            assert_eq!(of(name), (true, false), "{name}");
        }
    }

    #[test]
    fn what_protocols_take_for_a_second_path_is_a_place() {
        for name in [
            "x-amz-copy-source",
            "x-amz-rename-source",
            "x-ms-copy-source",
            "x-ms-rename-source",
            "X-Goog-Copy-Source",
            "X_Amz_Copy_Source",
            "X-Copy-From",
            "X-Object-Manifest",
            "Destination",
            "X-Vault-Namespace",
        ] {
            assert_eq!(of(name), (false, true), "{name}");
        }
    }

    #[test]
    fn what_asks_to_act_as_somebody_else_is_known() {
        for name in [
            "Impersonate-User",
            "Impersonate_Extra-Scopes",
            "Sudo",
            "ES-Security-RunAs-User",
        ] {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            assert!(is_stand_in(&plain(&name)), "{name}");
        }
    }

    #[test]
    fn a_host_of_one_bucket_says_which() {
        let of = |host: &str| {
            let url = Url::parse(&format!("https://{host}/x")).unwrap();
            bucket_of(&url).map(str::to_owned)
        };
        for (host, bucket) in [
            ("a.s3.eu-west-1.amazonaws.com", Some("a")),
            ("my.own.s3.amazonaws.com", Some("my.own")),
            ("a.s3-accelerate.amazonaws.com", Some("a")),
            ("a.storage.googleapis.com", Some("a")),
            (
                "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com",
                Some("b--use1-az4--x-s3"),
            ),
            ("s3.eu-west-1.amazonaws.com", None),
            ("storage.googleapis.com", None),
            ("minio.internal", None),
        ] {
            assert_eq!(of(host).as_deref(), bucket, "{host}");
        }
        assert!(names_bucket("/a/x", "a") && names_bucket("a/x?versionId=1", "a"));
        for other in [
            "/b/a",
            "/%61/x",
            "//a/x",
            "a",
            "arn:aws:s3:r:1:accesspoint/a/object/x",
        ] {
            assert!(!names_bucket(other, "a"), "{other}");
        }
    }

    #[test]
    fn other_headers_are_neither() {
        for name in [
            "accept",
            "x-api-key",
            "x-amz-copy-source-range",
            "x-amz-meta-source",
            "x-request-id",
            "depth",
            "origin",
        ] {
            assert_eq!(of(name), (false, false), "{name}");
        }
    }
}
