//! Names of headers and of parameters, in all the ways in which servers may read them. What one
//! server takes for another name is the host's header or parameter for the next.

/// Whether a gateway in the manner of CGI, which does not tell `-` from `_`, takes two names of
/// headers for the same. In either case, as headers are.
pub fn are_alike(one: &str, other: &str) -> bool {
    let plain = |byte: u8| match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    };
    one.bytes().map(plain).eq(other.bytes().map(plain))
}

/// The name of a parameter of a query, in all the ways in which servers may read it: in either case;
/// as a list or a map of its own (`key[]`, `key[x]`, `[key]`); as PHP does, which takes `.`, a space
/// and a stray `[` for `_`, does not see spaces before it, and nothing behind a zero byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    whole: Vec<u8>,
    base: Vec<u8>,
}

impl Parameter {
    /// A name as it is, decoded.
    pub fn new(name: &str) -> Self {
        Self::read(name.as_bytes())
    }

    fn read(name: &[u8]) -> Self {
        let end = name.iter().position(|byte| *byte == 0);
        let begin = |byte: &u8| !b" +[".contains(byte);
        let name = &name[..end.unwrap_or(name.len())];
        let name = &name[name.iter().position(begin).unwrap_or(name.len())..];
        let alike = |byte: &u8| match byte {
            b' ' | b'+' | b'.' | b'[' => b'_',
            other => other.to_ascii_lowercase(),
        };
        let base = name.split(|byte| b"[]".contains(byte)).next();
        Self {
            whole: name.iter().map(alike).collect(),
            base: base.unwrap_or_default().iter().map(alike).collect(),
        }
    }

    /// Whether a server may read that name as this one.
    pub fn is(&self, other: &[u8]) -> bool {
        let other = Self::read(other);
        other.whole == self.whole || other.base == self.base
    }
}
