//! `WWW-Authenticate`: how a registry wants to be asked.

use std::collections::BTreeMap;

/// The longest header that is read, in bytes.
const MAX_HEADER: usize = 4096;

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// The credentials themselves.
    Basic,
    /// A token, which this service gives.
    Bearer {
        /// Where the service is.
        realm: String,
        /// For whom the token is.
        service: Option<String>,
    },
}

impl Challenge {
    /// Reads one header. `None` if it is of a kind that is not known, or not well formed.
    pub(super) fn parse(header: &str) -> Option<Self> {
        if header.len() > MAX_HEADER {
            return None;
        }
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut parameters = parameters(rest)?;
        Some(Self::Bearer {
            realm: parameters.remove("realm")?,
            service: parameters.remove("service"),
        })
    }
}

/// `name="value"` or `name=value`, separated by commas; a name that comes twice is nothing to go by.
fn parameters(text: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(',').unwrap_or(after.len());
                let (value, after) = after.split_at(end);
                (value.trim().to_owned(), after)
            }
        };
        if name.is_empty() || found.insert(name, value).is_some() {
            return None;
        }
        rest = after.trim_start();
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start();
        }
    }
    Some(found)
}

/// The text up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        })
    }

    #[test]
    fn what_registries_send_is_understood() {
        assert_eq!(
            Challenge::parse(
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#
            ),
            bearer("https://auth.docker.io/token", Some("registry.docker.io"))
        );
        assert_eq!(
            Challenge::parse(r#"bearer service=x , realm="https://a/\"b\"" "#),
            bearer("https://a/\"b\"", Some("x"))
        );
        assert_eq!(
            Challenge::parse(r#"Basic realm="Registry""#),
            Some(Challenge::Basic)
        );
    }

    #[test]
    fn what_is_not_well_formed_is_not_guessed() {
        for header in [
            "",
            "Negotiate",
            "Bearer",
            "Bearer service=\"x\"",
            "Bearer realm=\"https://a",
            "Bearer realm=\"https://a\" realm=\"https://b\"",
            "Bearer realm=\"https://a\",realm=\"https://b\"",
            "Bearer realm=\"https://a\"junk",
            "Bearer =\"x\",realm=\"https://a\"",
        ] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
        assert_eq!(
            Challenge::parse(&format!("Basic {}", "x".repeat(5000))),
            None
        );
    }

    proptest! {
        #[test]
        fn no_header_panics(header in "(Bearer )?[ -~é]{0,60}") {
            let _ = Challenge::parse(&header);
        }
    }
}
