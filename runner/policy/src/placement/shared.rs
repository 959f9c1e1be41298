//! What two credentials of one request both want. The host refuses such a request, and whoever
//! checks a policy is told before.

use super::{AwsSigv4, Parameter, Placement, are_alike};
use crate::Operation;

/// What a credential takes of a request for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken<'a> {
    headers: Vec<&'a str>,
    parameters: Vec<&'a str>,
}

impl Taken<'_> {
    /// The header or parameter that both take, in words, if there is one.
    pub(crate) fn shared_with(&self, other: &Taken<'_>) -> Option<String> {
        let is_header = |name: &&&str| other.headers.iter().any(|other| are_alike(name, other));
        if let Some(name) = self.headers.iter().find(is_header) {
            return Some(format!("the header `{name}`"));
        }
        let is_parameter = |name: &&&str| {
            let name = Parameter::new(name);
            (other.parameters.iter()).any(|other| name.is(other.as_bytes()))
        };
        let name = self.parameters.iter().find(is_parameter)?;
        Some(format!("the query parameter `{name}`"))
    }
}

impl Placement {
    /// The header or parameter that both take for themselves, in words, if there is one.
    pub fn shared_with(&self, other: &Self) -> Option<String> {
        self.takes().shared_with(&other.takes())
    }

    pub(crate) fn takes(&self) -> Taken<'_> {
        let (headers, parameters) = match self {
            Self::Bearer | Self::Basic { .. } => (vec!["authorization"], Vec::new()),
            Self::Header { name, .. } => (vec![name.as_str()], Vec::new()),
            Self::Query { name } => (Vec::new(), vec![name.as_str()]),
            Self::AwsSigv4(_) => return AwsSigv4::takes(),
        };
        Taken {
            headers,
            parameters,
        }
    }
}

impl Operation {
    /// What it takes of the request that it is for; nothing, if it is for none.
    pub(crate) fn takes(self) -> Taken<'static> {
        match self {
            Self::Bearer | Self::Basic => Placement::Bearer.takes(),
            Self::AwsSigv4 => AwsSigv4::takes(),
            Self::Hmac | Self::Sign | Self::Jwt => Taken::default(),
        }
    }
}

impl AwsSigv4 {
    /// The headers that a signature sets.
    pub const HEADERS: [&'static str; 4] = [
        "authorization",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
    ];

    /// The parameters of a query that a signature can be in instead: none of them may stay beside
    /// one in headers.
    pub const PARAMETERS: [&'static str; 7] = [
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    ];

    fn takes() -> Taken<'static> {
        Taken {
            headers: Self::HEADERS.to_vec(),
            parameters: Self::PARAMETERS.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn shared(one: &str, two: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Binding {
            r#as: Placement,
        }
        let place = |text: &str| -> Placement {
            let binding: Binding = toml::from_str(&format!("as = {text}")).unwrap();
            binding.r#as
        };
        place(one).shared_with(&place(two))
    }

    const BEARER: &str = "'bearer'";
    const BASIC: &str = "{ basic = { user = 'a' } }";
    const KEY: &str = "{ header = { name = 'x-key' } }";
    const QUERY: &str = "{ query = { name = 'key' } }";
    const AWS: &str = "{ aws-sigv4 = { region = 'r', service = 's' } }";

    #[test]
    fn credentials_that_want_the_same_place_are_told_apart_from_others() {
        for (one, two, place) in [
            (BEARER, BASIC, "header `authorization`"),
            (AWS, BASIC, "header `authorization`"),
            (AWS, AWS, "header `authorization`"),
            (
                BEARER,
                "{ header = { name = 'authorization' } }",
                "header `authorization`",
            ),
            (KEY, "{ header = { name = 'x_key' } }", "header `x-key`"),
            (
                "{ header = { name = 'x_amz_date' } }",
                AWS,
                "header `x_amz_date`",
            ),
            (
                QUERY,
                "{ query = { name = 'KEY[]' } }",
                "query parameter `key`",
            ),
            (
                "{ query = { name = 'api.key' } }",
                "{ query = { name = 'api_key' } }",
                "query parameter `api.key`",
            ),
            (
                "{ query = { name = 'X-Amz-Date' } }",
                AWS,
                "query parameter `X-Amz-Date`",
            ),
        ] {
            assert_eq!(
                shared(one, two),
                Some(format!("the {place}")),
                "{one} {two}"
            );
            assert!(shared(two, one).is_some(), "{two} {one}");
        }
        for (one, two) in [
            (BEARER, KEY),
            (QUERY, KEY),
            (AWS, QUERY),
            (AWS, KEY),
            (KEY, "{ query = { name = 'x-key' } }"),
            (KEY, "{ header = { name = 'x-key-2' } }"),
        ] {
            assert_eq!(shared(one, two), None, "{one} {two}");
            assert_eq!(shared(two, one), None, "{two} {one}");
        }
    }

    #[test]
    fn headers_are_alike_in_either_case_and_with_either_dash() {
        assert!(are_alike("X_Key-a", "x-key_A"));
        assert!(!are_alike("x-key", "x-ke"));
        assert!(!are_alike("x.key", "x-key"));
    }
}
