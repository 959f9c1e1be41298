//! The text format of Prometheus, version 0.0.4: families of samples, with their labels escaped.

use std::fmt::Write as _;

/// The media type of the format.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// It only grows, but for a restart. Its name ends in `_total`.
    Counter,
    /// It is as it is now.
    Gauge,
}

/// A text in the making.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// A family with its samples, each with its labels.
    pub(super) fn family<'a, L>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = (L, u64)>,
    ) where
        L: AsRef<[(&'a str, &'a str)]>,
    {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let help = escaped(help, false);
        let text = &mut self.0;
        // Writing to memory does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            text.push_str(name);
            for (at, (label, value)) in labels.as_ref().iter().enumerate() {
                let before = if at == 0 { '{' } else { ',' };
                let _ = write!(text, "{before}{label}=\"{}\"", escaped(value, true));
            }
            if !labels.as_ref().is_empty() {
                text.push('}');
            }
            let _ = writeln!(text, " {value}");
        }
    }

    /// A family of one sample without labels.
    pub(super) fn single(&mut self, name: &str, kind: Kind, help: &str, value: u64) {
        let none: [(&str, &str); 0] = [];
        self.family(name, kind, help, [(none, value)]);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Backslashes and line feeds are escaped everywhere, quotes where they would end a value.
fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', r"\\").replace('\n', r"\n");
    if quotes {
        text.replace('"', "\\\"")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_end_their_value_or_their_line() {
        let mut text = Text::default();
        let odd = "a\"} 1\nb\\";
        text.family(
            "m_total",
            Kind::Counter,
            "one\ntwo \\ \"three\"",
            [(vec![("a", odd), ("b", "plain")], 7), (vec![], 8)],
        );
        text.single("g", Kind::Gauge, "", 0);
        let expected = concat!(
            "# HELP m_total one\\ntwo \\\\ \"three\"\n",
            "# TYPE m_total counter\n",
            "m_total{a=\"a\\\"} 1\\nb\\\\\",b=\"plain\"} 7\n",
            "m_total 8\n",
            "# HELP g \n# TYPE g gauge\ng 0\n",
        );
        assert_eq!(text.finish(), expected);
    }
}
