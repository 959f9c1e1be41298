//! The escapes of JSON, JavaScript, C, Python, Go, Rust and shells, which are nearly one language.

use super::{Escape, Reader};

/// The most digits of a code point between braces.
const MOST_DIGITS: usize = 8;

/// What a character behind a backslash stands for.
#[derive(Clone, Copy)]
pub(super) enum Behind {
    /// For itself or another one.
    Byte(u8),
    /// For what its digits say.
    Number,
    /// For nothing.
    Nothing,
}

pub(super) const fn behind(first: u8) -> Behind {
    Behind::Byte(match first {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'f' => 0x0c,
        b'v' => 0x0b,
        b'a' => 0x07,
        b'u' | b'U' | b'x' | b'0'..=b'3' => return Behind::Number,
        // Itself: a quote, a slash, and whatever a shell or a pattern takes for special.
        b' ' => first,
        _ if first.is_ascii_punctuation() => first,
        _ => return Behind::Nothing,
    })
}

/// What follows the backslash.
pub(super) fn read(reader: &Reader<'_>, at: usize, level: u8) -> Option<Escape> {
    let (first, next) = reader.unit(at, level)?;
    match behind(first) {
        Behind::Byte(byte) => return Some(Escape::byte(byte, next)),
        Behind::Nothing => return None,
        Behind::Number => {}
    }
    match first {
        b'u' => unicode(reader, next, level),
        b'U' => {
            let (code, next) = reader.hex(next, 8, level)?;
            Escape::code(code, next)
        }
        b'x' => {
            let (value, next) = reader.hex(next, 2, level)?;
            Some(Escape::byte(u8::try_from(value).ok()?, next))
        }
        _ => octal(reader, first, next, level),
    }
}

/// What follows `\u`: four digits, or any number of them between braces.
fn unicode(reader: &Reader<'_>, at: usize, level: u8) -> Option<Escape> {
    let (first, mut at_digit) = reader.unit(at, level)?;
    if first != b'{' {
        return reader.utf16(at, b"\\u", level);
    }
    let mut code = 0;
    for digits in 0..=MOST_DIGITS {
        let (digit, next) = reader.unit(at_digit, level)?;
        if digit == b'}' && digits > 0 {
            return Escape::code(code, next);
        }
        // The last turn is for the brace alone.
        if digits == MOST_DIGITS {
            return None;
        }
        code = code << 4 | char::from(digit).to_digit(16)?;
        at_digit = next;
    }
    None
}

/// Three octal digits, or a zero alone.
fn octal(reader: &Reader<'_>, first: u8, next: usize, level: u8) -> Option<Escape> {
    let digit = |at| {
        let (byte, next) = reader.unit(at, level)?;
        Some((char::from(byte).to_digit(8)?, next))
    };
    let Some((second, after)) = digit(next) else {
        return (first == b'0').then(|| Escape::byte(0, next));
    };
    let (third, after) = digit(after)?;
    let value = u32::from(first - b'0') << 6 | second << 3 | third;
    Some(Escape::byte(u8::try_from(value).ok()?, after))
}
