//! Line breaks that a writer puts into base64 and hexadecimal, as MIME, PEM and YAML do.
//!
//! A break is taken for one only after [`LINE`] characters of base64 or more, so ordinary lines
//! stay as they are, and nothing of a live log is held back for a line that may go on.

use super::escapes::Reader;

/// How many characters of base64 stand before a break. The shortest lines in use have 60 to 64.
pub(super) const LINE: usize = 32;

/// How much indentation belongs to a break.
pub(super) const INDENT: usize = 32;

/// Base64, and what its characters may be escaped with.
static IS_JOINED: [bool; 256] = {
    let mut joined = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        joined[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let more = b"+/-_=%\\&#;{}.";
    let mut at = 0;
    while at < more.len() {
        joined[more[at] as usize] = true;
        at += 1;
    }
    joined
};

/// How many characters of base64, or of escapes of such, stand at the end of a text, with so many
/// before it. Counts no further than needed.
pub(super) fn base64_before(text: &[u8], before: usize) -> usize {
    let found = text
        .iter()
        .rev()
        .take(LINE)
        .take_while(|byte| IS_JOINED[usize::from(**byte)])
        .count();
    if found == text.len() {
        (found + before).min(LINE)
    } else {
        found
    }
}

/// Whether enough stands before a line end that it may break a form.
pub(super) fn may_be_at(text: &[u8], at: usize, before: usize) -> bool {
    base64_before(&text[..at], before) == LINE
}

/// Where the text goes on behind the break at a place: one line end, as it is or escaped, and the
/// indentation behind it. Nothing if there is no break.
pub(super) fn behind(reader: &Reader<'_>, at: usize, level: u8, before: usize) -> Option<usize> {
    if !may_be_at(reader.text(), at, before) {
        return None;
    }
    after(reader, at, level)
}

/// The same where [`may_be_at`] has said yes.
pub(super) fn after(reader: &Reader<'_>, at: usize, level: u8) -> Option<usize> {
    let (first, mut at_next) = reader.unit(at, level)?;
    if !matches!(first, b'\r' | b'\n') {
        return None;
    }
    if first == b'\r'
        && let Some((b'\n', next)) = reader.unit(at_next, level)
    {
        at_next = next;
    }
    let blank = |at: &usize| matches!(reader.raw(*at), Some(b' ' | b'\t'));
    Some(at_next + (at_next..at_next + INDENT).take_while(blank).count())
}
