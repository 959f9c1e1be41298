//! Following a chain line by line, over the borders of files. Pure: whoever reads gives the lines.

use serde::Deserialize;

use crate::chain::Chain;
use crate::own::{BEGINS, ENDS, REMOVED};
use crate::{Fault, Head, LineHash, line};

/// A chain that is being followed.
#[derive(Default)]
pub(crate) struct Follow {
    /// What the first line was to be, by its own word. None before it.
    start: Option<Chain>,
    chain: Option<Chain>,
    last_event: String,
    /// Whether a line says that what was before the first one here was removed.
    removal_is_told: bool,
}

/// What is read of the line about a removed file.
#[derive(Deserialize)]
struct Removed {
    last: Option<Head>,
}

impl Follow {
    /// Takes the next line, which is the first of its file or not.
    ///
    /// # Errors
    /// It is not the next line.
    pub(crate) fn step(&mut self, begins_file: bool, line: &[u8]) -> Result<Head, Fault> {
        let links = line::links(line)?;
        if begins_file != (links.event == BEGINS) {
            return Err(Fault::NoBeginning(BEGINS));
        }
        let chain = match self.chain {
            Some(_) if begins_file && self.last_event != ENDS => {
                return Err(Fault::NoEnd(ENDS));
            }
            Some(chain) => chain,
            // The first file that is here says itself where it goes on from; the first of all
            // goes on from nothing.
            None if (links.seq == 0) != (links.prev == LineHash::NONE) => {
                return Err(Fault::Broken {
                    expected: LineHash::NONE,
                    found: links.prev,
                });
            }
            None => {
                let start = Chain {
                    next: links.seq,
                    prev: links.prev,
                };
                *self.start.insert(start)
            }
        };
        chain.accepts(&links)?;
        let chain = chain.with(line)?;
        if links.event == REMOVED {
            let removed: Option<Removed> = serde_json::from_slice(line).ok();
            let last = removed.and_then(|removed| removed.last);
            self.removal_is_told |= last.is_some() && last == self.before();
        }
        self.chain = Some(chain);
        self.last_event = links.event;
        Ok(Head {
            seq: links.seq,
            hash: chain.prev,
        })
    }

    /// The number of the first line.
    pub(crate) fn first(&self) -> u64 {
        self.start.map_or(0, |start| start.next)
    }

    /// What the first line was to be, by its own word. None before it.
    pub(crate) fn start(&self) -> Option<Chain> {
        self.start
    }

    /// The line before the first one here. None where that is the first of all.
    fn before(&self) -> Option<Head> {
        self.start.and_then(|start| start.head())
    }

    /// Whether lines are missing before the first one that no line tells to be removed.
    pub(crate) fn lacks_a_beginning(&self) -> bool {
        self.before().is_some() && !self.removal_is_told
    }

    /// The chain so far. None before the first line.
    pub(crate) fn chain(&self) -> Option<Chain> {
        self.chain
    }

    /// The name of the last event.
    pub(crate) fn last_event(&self) -> &str {
        &self.last_event
    }

    /// Whether the last line says that another file follows.
    pub(crate) fn closed(&self) -> bool {
        self.last_event == ENDS
    }
}
