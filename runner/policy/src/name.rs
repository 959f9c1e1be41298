//! Names of plugins, actions and secrets, and patterns over plugin names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

const LONGEST: usize = 128;

/// Lower-case letters, digits, `-` and `_`, beginning with a letter or digit.
fn is_segment(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:expr, $why:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                let check: fn(&str) -> bool = $check;
                if text.len() <= LONGEST && check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(ParseError::new($what, text, $why))
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = ParseError;
            fn try_from(text: String) -> Result<Self, ParseError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a plugin, such as `http` or `acme/tickets`.
    PluginName,
    "plugin name",
    |text| !text.is_empty() && text.split('/').all(is_segment),
    "write lower-case letters, digits, `-` and `_`, with `/` between namespaces, at most 128 bytes"
);
name!(
    /// The name of an action within its plugin, such as `request`.
    ActionName,
    "action name",
    is_segment,
    "write lower-case letters, digits, `-` and `_`, at most 128 bytes"
);
name!(
    /// The name that an operator gives a secret binding, such as `internal-api`.
    SecretName,
    "secret name",
    |text| !text.is_empty() && text.split('/').all(is_segment),
    "write lower-case letters, digits, `-` and `_`, with `/` between namespaces, at most 128 bytes"
);

/// Which plugins a rule is about: an exact name, `*` for all, or `acme/*` for a namespace and
/// everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NamePattern {
    /// Every plugin.
    Any,
    /// Every plugin whose name begins with these segments and has more.
    Below(PluginName),
    /// This plugin.
    Exactly(PluginName),
}

impl NamePattern {
    /// Whether the pattern covers this plugin.
    pub fn matches(&self, name: &PluginName) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(exact) => exact == name,
            Self::Below(space) => name
                .as_str()
                .strip_prefix(space.as_str())
                .is_some_and(|rest| rest.starts_with('/')),
        }
    }

    /// Whether there can be a plugin that both cover.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Exactly(name), pattern) | (pattern, Self::Exactly(name)) => {
                pattern.matches(name)
            }
            (Self::Below(one), Self::Below(two)) => {
                one == two || self.matches(two) || other.matches(one)
            }
        }
    }
}

impl FromStr for NamePattern {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        match text.strip_suffix("/*") {
            Some(space) => space.parse().map(Self::Below),
            None => text.parse().map(Self::Exactly),
        }
    }
}

impl TryFrom<String> for NamePattern {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(space) => write!(f, "{space}/*"),
            Self::Exactly(name) => write!(f, "{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_pattern_does_not_cover_a_name_that_only_begins_alike() {
        let pattern: NamePattern = "acme/*".parse().unwrap();
        assert!(pattern.matches(&"acme/tickets".parse().unwrap()));
        assert!(pattern.matches(&"acme/a/b".parse().unwrap()));
        assert!(!pattern.matches(&"acme".parse().unwrap()));
        assert!(!pattern.matches(&"acme2/tickets".parse().unwrap()));
    }

    #[test]
    fn patterns_overlap_where_one_plugin_can_be_covered_by_both() {
        let patterns = [
            "*", "acme/*", "acme/x/*", "acme/x", "acme/x/y", "acme", "b/*",
        ];
        let names = ["acme", "acme/x", "acme/x/y", "acme/x/z", "b/c", "d"];
        for one in patterns.map(|text| text.parse::<NamePattern>().unwrap()) {
            for two in patterns.map(|text| text.parse::<NamePattern>().unwrap()) {
                let both = names.iter().any(|name| {
                    let name: PluginName = name.parse().unwrap();
                    one.matches(&name) && two.matches(&name)
                });
                assert_eq!(one.overlaps(&two), both, "{one} {two}");
            }
        }
    }

    #[test]
    fn names_that_could_be_paths_or_patterns_are_refused() {
        for bad in ["", "/", "a//b", "../x", "A", "a b", "*", "a/*", "-a", "é"] {
            assert!(bad.parse::<PluginName>().is_err(), "{bad:?} was taken");
        }
    }
}
