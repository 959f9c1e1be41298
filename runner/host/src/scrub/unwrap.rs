//! A text as it was before a writer broke it into lines, as MIME, PEM and YAML do.
//!
//! A break that comes right after [`LINE`] characters of base64 or more is taken out, with the
//! indentation behind it. Ordinary text has a space long before that, so its lines stay as they
//! are, and nothing of a live log is held back for a line that may go on.

/// How many characters of base64 stand before a break that is taken out. The shortest lines in
/// use have 60 to 64.
pub(super) const LINE: usize = 32;

/// How much indentation is taken out with a break.
const INDENT: usize = 32;

/// A text without the breaks in its base64, and where in the original everything is.
pub(super) struct Unwrapped {
    pub(super) bytes: Vec<u8>,
    /// For each break, where in `bytes` it was, and how much was taken out up to there.
    breaks: Vec<(usize, usize)>,
}

impl Unwrapped {
    /// The text without breaks, or none if there is no break to take out. `before` characters of
    /// base64 stand directly before the text.
    pub(super) fn of(text: &[u8], before: usize) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut breaks = Vec::new();
        let (mut copied, mut removed) = (0, 0);
        for at in memchr::memchr3_iter(b'\n', b'\r', b'\\', text) {
            if at < copied {
                continue;
            }
            let length = break_at(&text[at..]);
            if length == 0 || base64_before(&text[..at], before) < LINE {
                continue;
            }
            bytes.extend_from_slice(&text[copied..at]);
            removed += length;
            breaks.push((bytes.len(), removed));
            copied = at + length;
        }
        if breaks.is_empty() {
            return None;
        }
        bytes.extend_from_slice(&text[copied..]);
        Some(Self { bytes, breaks })
    }

    /// Where in the original a byte of this text is.
    pub(super) fn place(&self, at: usize) -> usize {
        let after = self.breaks.partition_point(|(place, _)| *place <= at);
        at + after.checked_sub(1).map_or(0, |last| self.breaks[last].1)
    }
}

impl Drop for Unwrapped {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.bytes);
    }
}

/// How many characters of base64 stand at the end of a text, with so many before it. Counts no
/// further than needed.
pub(super) fn base64_before(text: &[u8], before: usize) -> usize {
    let found = text
        .iter()
        .rev()
        .take(LINE)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte))
        .count();
    if found == text.len() {
        (found + before).min(LINE)
    } else {
        found
    }
}

/// The length of the break at the beginning of a text, with the indentation behind it; 0 if there
/// is none. A break is one line end, as it is or as JSON writes it. A backslash at the very end
/// may become one, and is taken for it: there is nothing behind it that could be joined wrongly.
fn break_at(text: &[u8]) -> usize {
    const ENDS: [&[u8]; 6] = [b"\r\n", b"\n", b"\r", b"\\r\\n", b"\\n", b"\\r"];
    let end = match ENDS.iter().find(|end| text.starts_with(end)) {
        Some(end) => end.len(),
        None if text == b"\\" => 1,
        None => return 0,
    };
    // The second half of a JSON break may still come.
    let end = if text == b"\\r\\" { 3 } else { end };
    let indent = text[end..]
        .iter()
        .take(INDENT)
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    end + indent
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn";

    #[test]
    fn breaks_after_base64_are_taken_out_and_places_stay_known() {
        for end in ["\n", "\r\n", "\r", "\\n", "\\r\\n", "\n  ", "\\n\t"] {
            let text = format!("x: {LONG}{end}AAAA\nBB");
            let unwrapped = Unwrapped::of(text.as_bytes(), 0).unwrap();
            let expected = format!("x: {LONG}AAAA\nBB");
            assert_eq!(unwrapped.bytes, expected.as_bytes());
            for (at, byte) in unwrapped.bytes.iter().enumerate() {
                assert_eq!(text.as_bytes()[unwrapped.place(at)], *byte);
            }
        }
    }

    #[test]
    fn ordinary_lines_stay_as_they_are() {
        for text in [
            "a line of text that is much longer than thirty-two characters\nand another",
            "short\nshort",
            "",
            "{\"text\":\"one line\\nand another\"}",
        ] {
            assert!(Unwrapped::of(text.as_bytes(), 0).is_none(), "{text}");
        }
        assert!(Unwrapped::of(b"AA\nBB", LINE - 2).is_some());
        assert!(Unwrapped::of(b" AA\nBB", LINE).is_none());
    }
}
