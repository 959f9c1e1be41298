//! What a text is to lose, found the slow and obvious way: every form, at every place, each of its
//! characters in every spelling that there is a list of here.

use std::collections::BTreeSet;

use super::super::escapes::entity;
use super::super::{breaks, forms};

/// One character of a spelling.
#[derive(Clone, Copy)]
enum Sign {
    Exactly(u8),
    /// A hexadecimal digit of either case.
    Digit(u8),
    /// What follows is neither a digit of this radix nor, if so, a semicolon; nothing is read.
    NotBefore(u32, bool),
}

/// How many bytes are spelled, and how.
type Spelling = (usize, Vec<Sign>);

/// For each byte of the text whether it belongs to a secret that is written with escapes of so
/// many levels at most.
pub(super) fn covered(secrets: &[&[u8]], text: &[u8], level: u8) -> Vec<bool> {
    let mut covered = vec![false; text.len()];
    for secret in secrets {
        for form in forms::of(secret) {
            let may_begin = |byte: u8| byte == form[0] || b"%\\&+".contains(&byte);
            for start in (0..text.len()).filter(|start| may_begin(text[*start])) {
                for end in ends(text, &form, start, level, true) {
                    covered[start..end].fill(true);
                }
            }
        }
    }
    covered
}

const ESCAPES: [u8; 3] = *b"%\\&";

fn is_escape(byte: u8) -> bool {
    ESCAPES.contains(&byte)
}

fn ends(text: &[u8], form: &[u8], start: usize, level: u8, broken: bool) -> BTreeSet<usize> {
    if let ([wanted], Some(byte)) = (form, text.get(start))
        && !broken
        && !is_escape(*byte)
    {
        return (wanted == byte).then_some(start + 1).into_iter().collect();
    }
    let mut states = BTreeSet::from([(0, start, false)]);
    let mut found = BTreeSet::new();
    while let Some((seen, at, behind_break)) = states.pop_first() {
        if seen == form.len() {
            found.insert(at);
            continue;
        }
        let Some(byte) = text.get(at) else { continue };
        if *byte == form[seen] {
            states.insert((seen + 1, at + 1, false));
        }
        if broken && form[seen] == b' ' {
            let pluses = ends(text, b"+", at, level, false);
            states.extend(pluses.into_iter().map(|end| (seen + 1, end, false)));
        }
        if level > 0 && is_escape(*byte) {
            // What an escape can begin with here.
            let firsts: Vec<u8> = ESCAPES
                .into_iter()
                .filter(|first| !ends(text, &[*first], at, level - 1, false).is_empty())
                .collect();
            for (count, spelling) in spellings(&form[seen..], &firsts) {
                for end in signs(text, &spelling, at, level - 1) {
                    states.insert((seen + count, end, false));
                }
            }
        }
        let may_break = broken && seen > 0 && !behind_break;
        if may_break && breaks::base64_before(&text[..at], 0) >= breaks::LINE {
            let line_end = |at, end: &[u8]| ends_of_break(text, at, end, level);
            for first in line_end(at, b"\r") {
                let second = line_end(first, b"\n");
                let last = if second.is_empty() {
                    BTreeSet::from([first])
                } else {
                    second
                };
                states.extend(last.into_iter().map(|at| (seen, indented(text, at), true)));
            }
            for last in line_end(at, b"\n") {
                states.insert((seen, indented(text, last), true));
            }
        }
    }
    found
}

fn ends_of_break(text: &[u8], at: usize, end: &[u8], level: u8) -> BTreeSet<usize> {
    ends(text, end, at, level, false)
}

fn indented(text: &[u8], at: usize) -> usize {
    let blanks = text[at..].iter().take(breaks::INDENT);
    at + blanks.take_while(|byte| b" \t".contains(byte)).count()
}

fn signs(text: &[u8], signs: &[Sign], start: usize, level: u8) -> BTreeSet<usize> {
    let mut places = BTreeSet::from([start]);
    for sign in signs {
        let one = |byte: u8, at| ends(text, &[byte], at, level, false);
        places = places
            .into_iter()
            .flat_map(|at| match *sign {
                Sign::Exactly(byte) => one(byte, at),
                Sign::Digit(digit) => {
                    let mut places = one(digit.to_ascii_lowercase(), at);
                    places.extend(one(digit.to_ascii_uppercase(), at));
                    places
                }
                // With escapes within escapes this allows more than there is.
                Sign::NotBefore(..) if level > 0 => BTreeSet::from([at]),
                Sign::NotBefore(radix, semicolon) => {
                    let stops = text.get(at).is_some_and(|byte| {
                        char::from(*byte).is_digit(radix) || semicolon && *byte == b';'
                    });
                    (!stops).then_some(at).into_iter().collect()
                }
            })
            .collect();
    }
    places
}

/// Every spelling of the first byte of a form, and of its first character, that begins so.
fn spellings(form: &[u8], firsts: &[u8]) -> Vec<Spelling> {
    if firsts.is_empty() {
        return Vec::new();
    }
    let mut all = all_spellings(form);
    all.retain(|(_, signs)| matches!(signs[0], Sign::Exactly(first) if firsts.contains(&first)));
    all
}

fn all_spellings(form: &[u8]) -> Vec<Spelling> {
    let exactly = |text: &str| text.bytes().map(Sign::Exactly).collect::<Vec<_>>();
    let digits = |text: String| text.into_bytes().into_iter().map(Sign::Digit);
    let mut all = Vec::new();
    let mut add = |count: usize, before: &str, code: String, after: Vec<Sign>| {
        all.push((
            count,
            exactly(before)
                .into_iter()
                .chain(digits(code))
                .chain(after)
                .collect(),
        ));
    };
    let byte = form[0];
    add(1, "%", format!("{byte:02x}"), vec![]);
    add(1, "\\x", format!("{byte:02x}"), vec![]);
    add(1, "\\", format!("{byte:03o}"), vec![]);
    if byte == 0 {
        add(1, "\\0", String::new(), vec![Sign::NotBefore(8, false)]);
    }
    if byte.is_ascii_punctuation() || byte == b' ' {
        add(1, "\\", String::new(), vec![Sign::Exactly(byte)]);
    }
    for (letter, of) in b"nrtbfva".iter().zip(b"\n\r\t\x08\x0c\x0b\x07") {
        if *of == byte {
            add(1, "\\", String::new(), vec![Sign::Exactly(*letter)]);
        }
    }
    let Some(c) = (1..=4)
        .filter_map(|count| std::str::from_utf8(form.get(..count)?).ok()?.chars().next())
        .next()
    else {
        return all;
    };
    let (count, code) = (c.len_utf8(), u32::from(c));
    for before in ["\\u", "%u"] {
        let units = c.encode_utf16(&mut [0; 2]).to_vec();
        let mut spelling = Vec::new();
        for unit in units {
            spelling.extend(exactly(before));
            spelling.extend(digits(format!("{unit:04x}")));
        }
        add(count, "", String::new(), spelling);
    }
    add(count, "\\U", format!("{code:08x}"), vec![]);
    for width in (1..=8).chain([16]) {
        let hex = format!("{code:0width$x}");
        let decimal = format!("{code:0width$}");
        if hex.len() == width {
            if width <= 8 {
                add(count, "\\u{", hex.clone(), exactly("}"));
            }
            for before in ["&#x", "&#X"] {
                add(count, before, hex.clone(), exactly(";"));
                add(count, before, hex.clone(), vec![Sign::NotBefore(16, true)]);
            }
        }
        if decimal.len() == width {
            add(count, "&#", decimal.clone(), exactly(";"));
            add(count, "&#", decimal, vec![Sign::NotBefore(10, true)]);
        }
    }
    for (name, of) in names() {
        if of == c {
            add(count, "&", String::new(), exactly(&format!("{name};")));
        }
    }
    all
}

/// Names of characters.
pub(super) fn names() -> impl Iterator<Item = (&'static str, char)> {
    let latin_1 = ('\u{a0}'..).zip(entity::LATIN_1);
    let others = entity::ASCII.into_iter().chain(entity::ALIASES);
    others.chain(latin_1.map(|(c, name)| (name, c)))
}
