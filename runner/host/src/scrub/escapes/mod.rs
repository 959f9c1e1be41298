//! Reading a text in which characters are written as escapes: percent-encoding, the backslashes
//! of JSON and of programming languages, the character references of HTML and XML.
//!
//! What stands at a place can be read in more than one way: as it is, as an escape, or as an
//! escape whose own characters are escaped (JSON in a URL). Nothing here depends on what stands
//! before a place, so a text reads the same wherever a reader begins, and however it came in
//! chunks.

mod backslash;
pub(super) mod entity;
mod percent;

use std::cell::Cell;

/// How deep escapes may be within escapes.
pub(super) const LEVELS: u8 = 2;

/// A text, and whether something was looked for behind its end.
pub(super) struct Reader<'t> {
    text: &'t [u8],
    ran_out: Cell<bool>,
}

/// An escape: what it stands for, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Escape {
    bytes: [u8; 4],
    count: u8,
    pub(super) next: usize,
}

impl Escape {
    fn byte(byte: u8, next: usize) -> Self {
        Self {
            bytes: [byte, 0, 0, 0],
            count: 1,
            next,
        }
    }

    /// A character, which is more bytes than one beyond ASCII.
    fn code(code: u32, next: usize) -> Option<Self> {
        let mut bytes = [0; 4];
        let count = char::from_u32(code)?.encode_utf8(&mut bytes).len();
        Some(Self {
            bytes,
            count: u8::try_from(count).ok()?,
            next,
        })
    }

    /// Whether an escape of a higher level may begin with it.
    pub(super) fn may_go_deeper(&self) -> bool {
        self.count == 1 && begins(self.bytes[0])
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.count)]
    }
}

/// Whether an escape begins with this, as it is.
pub(super) fn begins(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&')
}

/// What stands at a place where an escape begins, told by a glance at it.
pub(super) enum Glance {
    /// Only this byte, however deep one reads.
    Only(u8),
    /// No escape, however deep one reads.
    None,
    /// More than that can tell.
    More,
}

/// Reads the escapes that most texts have, and leaves the others.
pub(super) fn glance(text: &[u8], at: usize) -> Glance {
    let only = |byte| match begins(byte) {
        true => Glance::More,
        false => Glance::Only(byte),
    };
    match text[at..] {
        // What is escaped itself is more.
        [_, next, ..] if begins(next) => Glance::More,
        [b'\\', next, ..] => match backslash::behind(next) {
            backslash::Behind::Byte(byte) => only(byte),
            backslash::Behind::Number => Glance::More,
            backslash::Behind::Nothing => Glance::None,
        },
        [b'%', high, low, ..] => match (digit(high), digit(low)) {
            (Some(high), Some(low)) => only(high << 4 | low),
            _ => Glance::More,
        },
        _ => Glance::More,
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            ran_out: Cell::new(false),
        }
    }

    pub(super) fn text(&self) -> &'t [u8] {
        self.text
    }

    /// Whether something was looked for behind the end since this was asked last.
    pub(super) fn ran_out(&self) -> bool {
        self.ran_out.replace(false)
    }

    /// Puts back what was asked before something was looked at that is not to change it.
    pub(super) fn set_ran_out(&self, ran_out: bool) {
        self.ran_out.set(ran_out);
    }

    /// The byte at a place, as it is.
    pub(super) fn raw(&self, at: usize) -> Option<u8> {
        let byte = self.text.get(at).copied();
        if byte.is_none() {
            self.ran_out.set(true);
        }
        byte
    }

    /// The escape at a place whose own characters may be escapes of lower levels.
    pub(super) fn escape(&self, at: usize, level: u8) -> Option<Escape> {
        // However deep, it begins with a character that is not escaped.
        if !begins(self.raw(at)?) {
            return None;
        }
        let level = level.checked_sub(1)?;
        let (first, next) = self.unit(at, level)?;
        match first {
            b'%' => percent::read(self, next, level),
            b'\\' => backslash::read(self, next, level),
            b'&' => entity::read(self, next, level),
            _ => None,
        }
    }

    /// One byte and where the next begins: an escape of this level or a lower one, if there is
    /// one, or the byte as it is.
    pub(super) fn unit(&self, at: usize, level: u8) -> Option<(u8, usize)> {
        let byte = self.raw(at)?;
        if level == 0 || !begins(byte) {
            return Some((byte, at + 1));
        }
        for level in (1..=level).rev() {
            if let Some(escape) = self.escape(at, level)
                && let [byte] = *escape.bytes()
            {
                return Some((byte, escape.next));
            }
        }
        Some((byte, at + 1))
    }

    /// So many hexadecimal digits.
    fn hex(&self, at: usize, digits: usize, level: u8) -> Option<(u32, usize)> {
        let (mut value, mut at) = (0, at);
        for _ in 0..digits {
            let (digit, next) = self.unit(at, level)?;
            value = value << 4 | char::from(digit).to_digit(16)?;
            at = next;
        }
        Some((value, at))
    }

    /// A UTF-16 unit of four hexadecimal digits; the second of two follows behind `again`.
    fn utf16(&self, at: usize, again: &[u8], level: u8) -> Option<Escape> {
        let (first, next) = self.hex(at, 4, level)?;
        if !(0xd800..0xdc00).contains(&first) {
            return Escape::code(first, next);
        }
        let mut at = next;
        for expected in again {
            let (byte, next) = self.unit(at, level)?;
            if byte != *expected {
                return None;
            }
            at = next;
        }
        let (second, next) = self.hex(at, 4, level)?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        Escape::code(0x1_0000 + ((first - 0xd800) << 10 | low), next)
    }
}
