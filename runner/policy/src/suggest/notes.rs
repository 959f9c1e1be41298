//! What to know before a suggestion is pasted, each thing said once, and not more of one kind than
//! can be read.

use std::collections::{BTreeMap, BTreeSet};

/// The most notes about one kind of thing. Of each kind by itself: whoever fills a record with one
/// does not hide another.
const MOST: usize = 64;

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    /// What the manifest does not ask for.
    Unasked,
    /// What is never suggested.
    Metadata,
    /// What no rule can be made of.
    Unruly,
    /// A rule that covers more than was seen.
    Wider,
    /// A name that was looked up, for a port that is not known.
    Lookup,
    /// An address that carries others.
    Gateway,
    /// An import and what links it.
    Import,
    /// A secret.
    Secret,
    /// The record, and what of one thing in it was left out.
    Record,
    /// How many things were left out altogether.
    LeftOut,
}

impl About {
    const fn name(self) -> &'static str {
        match self {
            Self::Unasked => "what the manifest does not ask for",
            Self::Metadata => "metadata services that were tried",
            Self::Unruly => "what no rule can be made of",
            Self::Wider => "rules that cover more than was seen",
            Self::Lookup => "names that were looked up",
            Self::Gateway => "addresses that lead to others",
            Self::Import => "imports",
            Self::Secret => "secrets",
            Self::Record => "the record",
            Self::LeftOut => "what is left out",
        }
    }
}

/// How many there are beyond the most that there may be.
pub(super) fn beyond(count: usize, most: usize) -> Option<usize> {
    count.checked_sub(most).filter(|more| *more > 0)
}

/// Notes in the order in which they came, none of them twice.
#[derive(Debug, Default)]
pub(super) struct Notes {
    all: Vec<String>,
    known: BTreeSet<String>,
    count: BTreeMap<About, usize>,
    /// Rules that something is said of.
    rules: BTreeSet<String>,
}

impl Notes {
    pub(super) fn add(&mut self, about: About, note: String) {
        if self.known.contains(&note) {
            return;
        }
        let count = self.count.entry(about).or_default();
        *count += 1;
        if *count <= MOST {
            self.all.push(note.clone());
        }
        self.known.insert(note);
    }

    /// The same of a rule, of which more is said once only.
    pub(super) fn add_of_rule(&mut self, rule: String, note: String) {
        if self.rules.insert(rule) {
            self.add(About::Wider, note);
        }
    }

    pub(super) fn all(mut self) -> Vec<String> {
        for (about, count) in self.count {
            if let Some(more) = beyond(count, MOST) {
                let about = about.name();
                self.all.push(format!(
                    "{more} more notes about {about} are left out, beside the {MOST} that are here"
                ));
            }
        }
        self.all
    }
}
