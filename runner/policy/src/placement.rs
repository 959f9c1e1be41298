//! Where on a request a credential goes, as the operator says it.
//!
//! What cannot be a place for a credential is refused when the policy is read, so that no request
//! meets it.

mod names;
mod shared;

use serde::{Deserialize, Serialize};

pub use self::names::{Parameter, are_alike};
pub(crate) use self::shared::Taken;
use crate::ParseError;
use crate::check::as_toml;

/// Where on a request the credential goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Placement {
    /// `authorization: Bearer VALUE` (RFC 6750).
    Bearer,
    /// `authorization: Basic …` (RFC 7617) with this user and the value as password.
    Basic {
        /// The user name.
        user: BasicUser,
    },
    /// A header of this name, with the value behind a fixed prefix.
    Header {
        /// The name, in lower case.
        name: CredentialHeader,
        /// What stands before the value.
        #[serde(default)]
        prefix: HeaderPrefix,
    },
    /// A parameter of this name in the query.
    Query {
        /// The name, as it is before percent-encoding.
        name: QueryName,
    },
    /// A signature of the whole request by AWS Signature Version 4.
    AwsSigv4(AwsSigv4),
}

impl Placement {
    /// The line of a `[[secret]]` block that says this.
    pub fn line(&self) -> String {
        format!("as = {}", as_toml(self))
    }
}

/// How to sign for AWS.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AwsSigv4 {
    /// The region, such as `eu-west-1`.
    pub region: AwsWord,
    /// The name of the service in signatures, such as `s3`.
    pub service: AwsWord,
    /// The id of the key, where the stored value is the secret access key itself. Without it the
    /// stored value is a JSON object with the id, the key, and perhaps a session token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<AwsWord>,
    /// Leaves the body out of the signature (`UNSIGNED-PAYLOAD`), so that a body need not be held
    /// in memory before it is sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned_payload: bool,
}

macro_rules! text {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:expr, $why:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = ParseError;
            fn try_from(text: String) -> Result<Self, ParseError> {
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(ParseError::new($what, &text, $why))
                }
            }
        }

        impl From<$type> for String {
            fn from(text: $type) -> Self {
                text.0
            }
        }
    };
}

text!(
    /// A header that a credential can go into: a token of RFC 9110 in lower case, and none that
    /// is about the connection or the message.
    CredentialHeader,
    "header for a credential",
    |text| is_token(text) && !RESERVED.contains(&text),
    "write a header name in lower case that is not about the connection or the length, such as `x-api-key`"
);
text!(
    /// What stands before a credential in a header: nothing that would end the header.
    #[derive(Default)]
    HeaderPrefix,
    "prefix of a credential in a header",
    |text| text.len() <= 256 && !text.contains(|c: char| c.is_control() && c != '\t'),
    "write at most 256 bytes without line ends and other control characters, such as `Key `"
);
text!(
    /// A parameter of a query that a credential can go into.
    QueryName,
    "query parameter for a credential",
    |text| !text.is_empty() && text.len() <= 128 && !text.contains(char::is_control),
    "write its name, such as `api_key`"
);
text!(
    /// A user name of RFC 7617: no colon, because that ends it.
    BasicUser,
    "user of basic authentication",
    |text| text.len() <= 256 && !text.contains(|c: char| c == ':' || c.is_control()),
    "write a name without `:` and control characters"
);
text!(
    /// A region, a service or a key id of AWS.
    AwsWord,
    "AWS name",
    |text| !text.is_empty()
        && text.len() <= 128
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
    "write letters, digits, `-`, `_` and `.`"
);

/// Headers that belong to the connection or to the message, and so to the host.
const RESERVED: [&str; 19] = [
    "accept-encoding",
    "alt-used",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Placement, toml::de::Error> {
        #[derive(Deserialize)]
        struct Binding {
            r#as: Placement,
        }
        toml::from_str::<Binding>(&format!("as = {text}")).map(|binding| binding.r#as)
    }

    #[test]
    fn every_place_is_written_as_the_documentation_says() {
        for text in [
            "'bearer'",
            "{ basic = { user = 'wharf' } }",
            "{ header = { name = 'x-api-key', prefix = 'Key ' } }",
            "{ header = { name = 'x-api-key', prefix = \"K\\té \" } }",
            "{ query = { name = 'api_key' } }",
            "{ aws-sigv4 = { region = 'eu-west-1', service = 's3', access-key-id = 'AKIDEXAMPLE' } }",
            "{ aws-sigv4 = { region = 'eu-west-1', service = 's3', unsigned-payload = true } }",
        ] {
            read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    #[test]
    fn the_line_of_a_placement_says_all_of_it() {
        for text in [
            "'bearer'",
            "{ basic = { user = 'a \"b\" e\u{301}' } }",
            "{ header = { name = 'x-api-key', prefix = 'Key ' } }",
            "{ header = { name = 'x-api-key' } }",
            "{ query = { name = 'api_key' } }",
            "{ aws-sigv4 = { region = 'r', service = 's3', access-key-id = 'A', unsigned-payload = true } }",
        ] {
            let placement = read(text).unwrap();
            let line = placement.line();
            assert!(!line.contains('\n'), "{line}");
            let (_, value) = line.split_once(" = ").unwrap();
            assert_eq!(read(value).unwrap(), placement, "{line}");
        }
    }

    #[test]
    fn what_is_no_place_for_a_credential_is_refused_when_the_policy_is_read() {
        for text in [
            "{ header = { name = 'Host' } }",
            "{ header = { name = 'host' } }",
            "{ header = { name = 'transfer-encoding' } }",
            "{ header = { name = 'content-length' } }",
            "{ header = { name = 'x key' } }",
            "{ header = { name = '' } }",
            "{ header = { name = 'x-key', prefix = \"K\\n\" } }",
            "{ header = { name = 'x-key', prefix = \"K\\r\\nx: \" } }",
            "{ header = { name = 'x-key', prefix = \"\\u0000\" } }",
            "{ header = { name = 'x-key', prefix = \"\\u007f\" } }",
            "{ query = { name = '' } }",
            "{ query = { name = \"a\\nb\" } }",
            "{ basic = { user = 'a:b' } }",
            "{ aws-sigv4 = { region = 'eu/west', service = 's3' } }",
            "{ aws-sigv4 = { service = 's3' } }",
            "{ aws-sigv4 = { region = 'r', service = 's', presign = true } }",
        ] {
            assert!(read(text).is_err(), "{text} was taken");
        }
    }
}
