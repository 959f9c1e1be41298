//! HTTP methods, and what RFC 9110 says about them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// An HTTP method. Those of RFC 9110 and PATCH are constants; any other token works too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Method(Cow<'static, str>);

/// Not a method: methods are made of letters, digits and ``!#$%&'*+-.^_`|~``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMethod(String);

impl Method {
    /// GET
    pub const GET: Self = Self(Cow::Borrowed("GET"));
    /// HEAD
    pub const HEAD: Self = Self(Cow::Borrowed("HEAD"));
    /// POST
    pub const POST: Self = Self(Cow::Borrowed("POST"));
    /// PUT
    pub const PUT: Self = Self(Cow::Borrowed("PUT"));
    /// PATCH
    pub const PATCH: Self = Self(Cow::Borrowed("PATCH"));
    /// DELETE
    pub const DELETE: Self = Self(Cow::Borrowed("DELETE"));
    /// OPTIONS
    pub const OPTIONS: Self = Self(Cow::Borrowed("OPTIONS"));
    /// TRACE
    pub const TRACE: Self = Self(Cow::Borrowed("TRACE"));

    const KNOWN: [Self; 8] = [
        Self::GET,
        Self::HEAD,
        Self::POST,
        Self::PUT,
        Self::PATCH,
        Self::DELETE,
        Self::OPTIONS,
        Self::TRACE,
    ];

    /// The method as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether sending a request twice has the effect of sending it once (RFC 9110, 9.2.2).
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        matches!(
            self.as_str(),
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
        )
    }
}

impl FromStr for Method {
    type Err = InvalidMethod;

    /// Known methods in any case; others are case-sensitive and kept as they are.
    fn from_str(text: &str) -> Result<Self, InvalidMethod> {
        if let Some(known) = Self::KNOWN
            .into_iter()
            .find(|m| m.0.eq_ignore_ascii_case(text))
        {
            return Ok(known);
        }
        let is_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
        if text.is_empty() || !text.bytes().all(is_token) {
            return Err(InvalidMethod(text.to_owned()));
        }
        Ok(Self(Cow::Owned(text.to_owned())))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not an HTTP method; use one such as GET or POST",
            self.0.escape_debug()
        )
    }
}

impl std::error::Error for InvalidMethod {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_methods_are_read_in_any_case_and_others_as_they_are() {
        assert_eq!("get".parse(), Ok(Method::GET));
        assert_eq!("PropFind".parse::<Method>().unwrap().as_str(), "PropFind");
        assert!("".parse::<Method>().is_err());
        assert!("GET /".parse::<Method>().is_err());
    }

    #[test]
    fn idempotent_methods_are_those_of_rfc_9110() {
        let idempotent = Method::KNOWN.into_iter().filter(Method::is_idempotent);
        let idempotent: Vec<_> = idempotent.map(|m| m.to_string()).collect();
        assert_eq!(
            idempotent,
            ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]
        );
    }
}
