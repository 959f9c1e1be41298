//! Reading a record: every line in order, each checked to be the next one.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use serde_json::{Map, Value};

use crate::follow::Follow;
use crate::line::LONGEST;
use crate::{AuditError, Fault, Head, files};

/// One line of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its number and its hash.
    pub head: Head,
    /// The name of its event.
    pub event: String,
    /// Everything that it says.
    pub members: Map<String, Value>,
}

impl Record {
    /// A member that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }
}

/// Gives every line of a file or folder to `each`, in order, as far as the chain holds.
///
/// # Errors
/// The first line at which it does not, or a file that cannot be read.
pub fn read(path: &Path, mut each: impl FnMut(Record)) -> Result<(), AuditError> {
    walk(path, |line, head, event| {
        // It was read as a line before, so it is JSON.
        if let Ok(Value::Object(members)) = serde_json::from_slice(line) {
            each(Record {
                head,
                event: event.to_owned(),
                members,
            });
        }
    })
    .map(drop)
}

/// Follows the chain over all files of a record. Gives how many there are, and what was followed.
pub(crate) fn walk(
    path: &Path,
    mut each: impl FnMut(&[u8], Head, &str),
) -> Result<(usize, Follow), AuditError> {
    let files = files::of(path)?;
    let mut follow = Follow::default();
    for file in &files {
        let opened = File::open(file).map_err(|error| AuditError::file("read", file, error))?;
        let mut reader = BufReader::with_capacity(256 << 10, opened);
        let mut line = Vec::new();
        let mut number = 0;
        while read_line(&mut reader, &mut line)
            .map_err(|error| AuditError::file("read", file, error))?
        {
            number += 1;
            let head = whole(&line)
                .and_then(|line| follow.step(number == 1, line).map(|head| (line, head)));
            match head {
                Ok((line, head)) => each(line, head, follow.last_event()),
                Err(fault) => {
                    return Err(AuditError::Bad {
                        path: file.clone(),
                        line: number,
                        fault,
                    });
                }
            }
        }
    }
    Ok((files.len(), follow))
}

/// Reads a line with its end, and no more than a line may have. `false` at the end of the file.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let most = LONGEST as u64 + 2;
    Ok(reader.take(most).read_until(b'\n', line)? > 0)
}

fn whole(line: &[u8]) -> Result<&[u8], Fault> {
    match line.strip_suffix(b"\n") {
        Some(line) => Ok(line),
        None if line.len() > LONGEST => {
            Err(Fault::NotALine(format!("it has over {LONGEST} bytes")))
        }
        None => Err(Fault::Torn),
    }
}
