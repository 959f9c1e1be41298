//! One line: JSON with its number, its time and the hash of the line before it, and then whatever
//! the event says.

use serde::{Deserialize, Serialize};

use crate::chain::{Chain, LineHash};
use crate::{AuditError, Fault};

/// The longest line. An event that is larger is a mistake of whoever tells it.
pub(crate) const LONGEST: usize = 64 << 10;

/// The members that make a line one of a chain.
#[derive(Debug, Deserialize)]
pub(crate) struct Links {
    pub(crate) seq: u64,
    pub(crate) prev: LineHash,
    pub(crate) event: String,
    time: String,
}

#[derive(Serialize)]
struct Line<'a, B, E> {
    seq: u64,
    time: String,
    prev: LineHash,
    runner: &'a str,
    #[serde(flatten)]
    event: &'a E,
    #[serde(flatten)]
    by: &'a B,
}

/// Writes the next line of a chain, without its line end.
pub(crate) fn write<B: Serialize, E: Serialize>(
    chain: &Chain,
    time: jiff::Timestamp,
    runner: &str,
    by: &B,
    event: &E,
) -> Result<Vec<u8>, AuditError> {
    let line = Line {
        seq: chain.next,
        time: format!("{time:.3}"),
        prev: chain.prev,
        runner,
        event,
        by,
    };
    let bytes = serde_json::to_vec(&line).map_err(|error| AuditError::Event(error.to_string()))?;
    if bytes.len() > LONGEST {
        return Err(AuditError::Event(format!(
            "it takes {} bytes, and a line has at most {LONGEST}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// Reads what makes a line one of a chain.
pub(crate) fn links(line: &[u8]) -> Result<Links, Fault> {
    if line.len() > LONGEST {
        return Err(Fault::NotALine(format!("it has {} bytes", line.len())));
    }
    let links: Links =
        serde_json::from_slice(line).map_err(|error| Fault::NotALine(error.to_string()))?;
    match links.time.parse::<jiff::Timestamp>() {
        Ok(_) => Ok(links),
        Err(error) => Err(Fault::NotALine(error.to_string())),
    }
}
