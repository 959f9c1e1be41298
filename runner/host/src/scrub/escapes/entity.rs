//! The character references of HTML and XML: by number, and by the names of ASCII and Latin-1, as
//! <https://html.spec.whatwg.org/multipage/named-characters.html> has them.

use super::{Escape, Reader};

/// The most digits of a number, and letters of a name.
const LONGEST: usize = 16;

/// What follows the `&`.
pub(super) fn read(reader: &Reader<'_>, at: usize, level: u8) -> Option<Escape> {
    let (first, next) = reader.unit(at, level)?;
    match first {
        b'#' => number(reader, next, level),
        _ if first.is_ascii_alphabetic() => name(reader, at, level),
        _ => None,
    }
}

/// What follows `&#`. Readers do without the semicolon, so it may be missing.
fn number(reader: &Reader<'_>, at: usize, level: u8) -> Option<Escape> {
    let (first, next) = reader.unit(at, level)?;
    let (radix, mut at) = match first {
        b'x' | b'X' => (16, next),
        _ => (10, at),
    };
    let mut code: u32 = 0;
    let mut digits = 0;
    while let Some((byte, next)) = reader.unit(at, level) {
        let Some(digit) = char::from(byte).to_digit(radix) else {
            if byte == b';' && digits > 0 {
                at = next;
            }
            break;
        };
        digits += 1;
        if digits > LONGEST {
            return None;
        }
        code = code.checked_mul(radix)?.checked_add(digit)?;
        at = next;
    }
    if digits == 0 {
        return None;
    }
    Escape::code(code, at)
}

fn name(reader: &Reader<'_>, mut at: usize, level: u8) -> Option<Escape> {
    let mut name = [0; LONGEST];
    for length in 0..=LONGEST {
        let (byte, next) = reader.unit(at, level)?;
        if byte == b';' {
            return Escape::code(code(name.get(..length)?)?, next);
        }
        if !byte.is_ascii_alphanumeric() {
            return None;
        }
        *name.get_mut(length)? = byte;
        at = next;
    }
    None
}

fn code(name: &[u8]) -> Option<u32> {
    let name = std::str::from_utf8(name).ok()?;
    if let Some(at) = LATIN_1.iter().position(|known| *known == name) {
        return Some(0xa0 + u32::try_from(at).ok()?);
    }
    let (_, c) = ASCII
        .iter()
        .chain(&ALIASES)
        .find(|(known, _)| *known == name)?;
    Some(u32::from(*c))
}

pub(in super::super) const ASCII: [(&str, char); 54] = [
    ("amp", '&'),
    ("AMP", '&'),
    ("lt", '<'),
    ("LT", '<'),
    ("gt", '>'),
    ("GT", '>'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("apos", '\''),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("midast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("UnderBar", '_'),
    ("grave", '`'),
    ("DiacriticalGrave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("VerticalLine", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
    ("euro", '€'),
    ("hellip", '…'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("trade", '™'),
];

/// The other names of Latin-1.
pub(in super::super) const ALIASES: [(&str, char); 17] = [
    ("NonBreakingSpace", '\u{a0}'),
    ("Dot", '¨'),
    ("die", '¨'),
    ("DoubleDot", '¨'),
    ("COPY", '©'),
    ("REG", '®'),
    ("circledR", '®'),
    ("strns", '¯'),
    ("pm", '±'),
    ("PlusMinus", '±'),
    ("DiacriticalAcute", '´'),
    ("centerdot", '·'),
    ("CenterDot", '·'),
    ("Cedilla", '¸'),
    ("half", '½'),
    ("angst", 'Å'),
    ("div", '÷'),
];

/// From U+00A0 to U+00FF, in order.
pub(in super::super) const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf",
    "laquo", "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro",
    "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest",
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute",
    "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute",
    "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute",
    "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
    "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde",
    "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
    "uuml", "yacute", "thorn", "yuml",
];
