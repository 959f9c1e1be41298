//! Where a record that is there already goes on: the end of its last file, and what a crash left
//! behind it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::AuditError;
use crate::chain::Chain;
use crate::follow::Follow;
use crate::line::{self, LONGEST};
use crate::own::{Own, STOPPED};

/// So many bytes of a torn line are kept in the line that takes its place.
const KEPT: usize = 1 << 10;

/// The end of a file.
pub(crate) struct End {
    /// What the first line was to be. None where the file holds no whole line.
    pub(crate) before: Option<Chain>,
    /// What the next line must be. None where the file holds no whole line.
    pub(crate) chain: Option<Chain>,
    /// The bytes of all whole lines.
    pub(crate) bytes: u64,
    /// What stands behind them.
    pub(crate) torn: Option<Own>,
    /// Whether the last line says that another file follows.
    pub(crate) closed: bool,
    /// Where the line stands with which a writer ended in order, if it is the last: the bytes before
    /// it, and what it was to be. All before it is on disk for good.
    pub(crate) stopped: Option<(u64, Chain)>,
}

/// Follows the lines of one file to its end. Anything but a torn last line is an error: what was
/// changed is not written on.
pub(crate) fn end(path: &Path, file: &mut File) -> Result<End, AuditError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|error| AuditError::file("read", path, error))?;
    let mut follow = Follow::default();
    let mut at = 0;
    let mut number = 0;
    let mut last = None;
    while let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        number += 1;
        last = follow.chain().map(|chain| (at as u64, chain));
        follow
            .step(number == 1, &bytes[at..at + length])
            .map_err(|fault| AuditError::Bad {
                path: path.to_owned(),
                line: number,
                fault,
            })?;
        at += length + 1;
    }
    let torn = torn(&bytes[at..]);
    Ok(End {
        before: follow.start(),
        chain: follow.chain(),
        bytes: at as u64,
        closed: follow.closed(),
        stopped: last.filter(|_| torn.is_none() && follow.last_event() == STOPPED),
        torn,
    })
}

fn torn(rest: &[u8]) -> Option<Own> {
    (!rest.is_empty()).then(|| Own::TornLineRepaired {
        bytes: rest.len() as u64,
        sha256: hex::encode(Sha256::digest(rest)),
        beginning: hex::encode(&rest[..rest.len().min(KEPT)]),
    })
}

/// The chain as the first line of a file has it before itself. None where that is no line.
pub(crate) fn before(path: &Path) -> std::io::Result<Option<Chain>> {
    let mut beginning = Vec::new();
    let file = File::open(path)?;
    file.take(LONGEST as u64).read_to_end(&mut beginning)?;
    let first = beginning.split(|byte| *byte == b'\n').next();
    let links = first.and_then(|first| line::links(first).ok());
    Ok(links.map(|links| Chain {
        next: links.seq,
        prev: links.prev,
    }))
}
