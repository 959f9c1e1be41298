//! Following a chain line by line, over the borders of files. Pure: whoever reads gives the lines.

use crate::chain::Chain;
use crate::own::{BEGINS, ENDS};
use crate::{Fault, Head, LineHash, line};

/// A chain that is being followed.
#[derive(Default)]
pub(crate) struct Follow {
    first: u64,
    chain: Option<Chain>,
    last_event: String,
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
                self.first = links.seq;
                Chain {
                    next: links.seq,
                    prev: links.prev,
                }
            }
        };
        chain.accepts(&links)?;
        let chain = chain.with(line);
        self.chain = Some(chain);
        self.last_event = links.event;
        Ok(Head {
            seq: links.seq,
            hash: chain.prev,
        })
    }

    /// The number of the first line.
    pub(crate) fn first(&self) -> u64 {
        self.first
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
