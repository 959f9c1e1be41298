//! HTML and XML text and attributes, as the usual writers escape them.

use std::fmt::Write as _;

use super::{Form, form};

/// How a writer escapes besides `&`, `<` and `>`.
#[derive(Clone, Copy)]
struct Style {
    escapes: &'static [(char, &'static str)],
    /// How characters beyond ASCII are written, if not as they are.
    beyond: Beyond,
}

#[derive(Clone, Copy)]
enum Beyond {
    AsTheyAre,
    Decimal,
    Hexadecimal,
}

const fn escaping(escapes: &'static [(char, &'static str)]) -> Style {
    Style {
        escapes,
        beyond: Beyond::AsTheyAre,
    }
}

const QUOTES: &[(char, &str)] = &[('"', "&quot;"), ('\'', "&#39;")];

const STYLES: [Style; 12] = [
    // Text, and attributes between double quotes, as XML and DOM serialisers write them.
    escaping(&[]),
    escaping(&[('"', "&quot;")]),
    // Most template languages.
    escaping(QUOTES),
    // PHP `htmlspecialchars`.
    escaping(&[('"', "&quot;"), ('\'', "&#039;")]),
    // Python `html.escape`, Django.
    escaping(&[('"', "&quot;"), ('\'', "&#x27;")]),
    // XML.
    escaping(&[('"', "&quot;"), ('\'', "&apos;")]),
    // Go `html`, Jinja.
    escaping(&[('"', "&#34;"), ('\'', "&#39;")]),
    // Go `html/template`.
    escaping(&[('"', "&#34;"), ('\'', "&#39;"), ('+', "&#43;")]),
    // Mustache, Handlebars.
    escaping(&[
        ('"', "&quot;"),
        ('\'', "&#39;"),
        ('/', "&#x2F;"),
        ('`', "&#x60;"),
        ('=', "&#x3D;"),
    ]),
    // The OWASP rules.
    escaping(&[('"', "&quot;"), ('\'', "&#x27;"), ('/', "&#x2F;")]),
    Style {
        escapes: QUOTES,
        beyond: Beyond::Decimal,
    },
    Style {
        escapes: QUOTES,
        beyond: Beyond::Hexadecimal,
    },
];

pub(super) fn forms(value: &[u8]) -> impl Iterator<Item = Form> {
    // What is not text is not written as HTML.
    let text = std::str::from_utf8(value).ok();
    text.into_iter().flat_map(|text| {
        STYLES
            .into_iter()
            .map(move |style| form(escaped(text, style)))
    })
}

fn escaped(text: &str, style: Style) -> String {
    // Room for the longest escapes, so that growing leaves no part of a secret behind.
    let mut out = String::with_capacity(6 * text.len());
    for c in text.chars() {
        let escape = style.escapes.iter().find(|(of, _)| *of == c);
        match (c, escape, style.beyond) {
            ('&', ..) => out.push_str("&amp;"),
            ('<', ..) => out.push_str("&lt;"),
            ('>', ..) => out.push_str("&gt;"),
            (_, Some((_, escape)), _) => out.push_str(escape),
            // Writing to a string does not fail.
            (_, _, Beyond::Decimal) if !c.is_ascii() => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            (_, _, Beyond::Hexadecimal) if !c.is_ascii() => {
                let _ = write!(out, "&#x{:X};", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}
