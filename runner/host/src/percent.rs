//! Percent-encoding (RFC 3986) of bytes that need not be text.

/// What need not be encoded anywhere, besides letters and digits.
pub(crate) const UNRESERVED: &[u8] = b"-_.~";

/// Appends bytes, with everything but letters, digits and `keep` encoded. Hexadecimal digits are
/// large, as RFC 3986 wants them.
pub(crate) fn encode_into(out: &mut String, bytes: &[u8], keep: &[u8]) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                // A nibble is a digit.
                let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
}

/// The bytes of a part of a query, where `+` is a space. What is no encoding stays as it is.
pub(crate) fn decode_query(text: &[u8]) -> Vec<u8> {
    decode(text, b' ')
}

/// The bytes of a path. What is no encoding stays as it is.
pub(crate) fn decode_path(text: &[u8]) -> Vec<u8> {
    decode(text, b'+')
}

fn decode(text: &[u8], plus: u8) -> Vec<u8> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => out.push(plus),
            b'%' => match tail {
                [high, low, after @ ..] => match (digit(high), digit(low)) {
                    (Some(high), Some(low)) => {
                        out.push(high << 4 | low);
                        rest = after;
                    }
                    _ => out.push(b'%'),
                },
                _ => out.push(b'%'),
            },
            other => out.push(*other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut text = String::new();
            encode_into(&mut text, &bytes, UNRESERVED);
            prop_assert_eq!(decode_query(text.as_bytes()), bytes);
        }
    }

    #[test]
    fn what_is_no_encoding_stays() {
        assert_eq!(decode_query(b"a%2"), b"a%2");
        assert_eq!(decode_query(b"%zz+%41"), b"%zz A");
        assert_eq!(decode_path(b"%zz+%41%2"), b"%zz+A%2");
    }
}
