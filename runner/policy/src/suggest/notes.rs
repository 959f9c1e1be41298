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
    /// An address that carries others.
    Gateway,
    /// An import and what links it.
    Import,
    /// A secret.
    Secret,
    /// The record, and how much of it was left out.
    Record,
}

impl About {
    const fn name(self) -> &'static str {
        match self {
            Self::Unasked => "what the manifest does not ask for",
            Self::Metadata => "metadata services that were tried",
            Self::Unruly => "what no rule can be made of",
            Self::Wider => "rules that cover more than was seen",
            Self::Gateway => "addresses that lead to others",
            Self::Import => "imports",
            Self::Secret => "secrets",
            Self::Record => "the record",
        }
    }
}

/// Notes in the order in which they came, none of them twice.
#[derive(Debug, Default)]
pub(super) struct Notes {
    all: Vec<String>,
    known: BTreeSet<String>,
    count: BTreeMap<About, usize>,
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

    pub(super) fn all(mut self) -> Vec<String> {
        for (about, count) in self.count {
            if let Some(more) = count.checked_sub(MOST).filter(|more| *more > 0) {
                let about = about.name();
                self.all.push(format!(
                    "{more} more notes about {about} are left out, beside the {MOST} that are here"
                ));
            }
        }
        self.all
    }
}
