//! What to know before a suggestion is pasted, each thing said once.

use std::collections::BTreeSet;

/// Notes in the order in which they came, none of them twice.
#[derive(Debug, Default)]
pub(super) struct Notes {
    all: Vec<String>,
    known: BTreeSet<String>,
}

impl Notes {
    pub(super) fn add(&mut self, note: String) {
        if self.known.insert(note.clone()) {
            self.all.push(note);
        }
    }

    pub(super) fn all(self) -> Vec<String> {
        self.all
    }
}
