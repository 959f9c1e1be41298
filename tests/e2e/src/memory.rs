//! What a core dump of a process would hold: all of its memory that there is, searched in place.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use aho_corasick::AhoCorasick;

/// Read at a time.
const CHUNK: usize = 1 << 20;
const PAGE: u64 = 4096;
/// Pages that are asked about at a time.
const ASKED: usize = 1 << 16;
/// Bits of an entry of `/proc/PID/pagemap`: the page is in memory, or in swap.
const THERE: u64 = 3 << 62;

/// The memory of a running process.
pub struct Memory {
    pid: u32,
}

impl Memory {
    /// Of this process, which must be a child or readable to us.
    pub fn of(pid: u32) -> Self {
        Self { pid }
    }

    /// Which of these are somewhere in it, by their names, with the kind of memory they are in.
    /// Nothing if the process's memory cannot be opened.
    pub fn search(&self, needles: &[(String, Vec<u8>)]) -> Option<Vec<String>> {
        let memory = File::open(format!("/proc/{}/mem", self.pid)).ok()?;
        let maps = File::open(format!("/proc/{}/maps", self.pid)).ok()?;
        let pages = File::open(format!("/proc/{}/pagemap", self.pid)).ok()?;
        let mut sweep = Sweep::new(needles, |buffer: &mut [u8], at| memory.read_at(buffer, at));
        for line in BufReader::new(maps).lines().map_while(Result::ok) {
            // Whatever its rights are: what the process may not read itself at the moment, a dump may have.
            let mut words = line.split_whitespace();
            let (from, to) = words.next().unwrap().split_once('-').unwrap();
            let kind = words.nth(4).unwrap_or("anonymous");
            let [from, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            for part in touched(&pages, from..to) {
                sweep.over(part, kind);
            }
        }
        sweep.found.sort();
        sweep.found.dedup();
        Some(sweep.found)
    }
}

/// A search that goes on where it ended, so that nothing hides on a border.
struct Sweep<'a, Read> {
    needles: &'a [(String, Vec<u8>)],
    automaton: AhoCorasick,
    read: Read,
    /// What was read, behind as much of what stands before it as may be the beginning of a needle.
    window: Vec<u8>,
    /// The address behind the window.
    at: u64,
    found: Vec<String>,
}

impl<'a, Read: FnMut(&mut [u8], u64) -> std::io::Result<usize>> Sweep<'a, Read> {
    fn new(needles: &'a [(String, Vec<u8>)], read: Read) -> Self {
        Self {
            needles,
            automaton: AhoCorasick::new(needles.iter().map(|(_, needle)| needle)).unwrap(),
            read,
            window: Vec::new(),
            at: 0,
            found: Vec::new(),
        }
    }

    /// Searches a part. A page that cannot be read is passed over, and no more than that.
    fn over(&mut self, part: Range<u64>, kind: &str) {
        if self.at != part.start {
            self.go_on_at(part.start);
        }
        while self.at < part.end {
            let kept = self.window.len();
            let wanted = usize::try_from(part.end - self.at).unwrap().min(CHUNK);
            self.window.resize(kept + wanted, 0);
            match (self.read)(&mut self.window[kept..], self.at) {
                Ok(read @ 1..) => {
                    self.window.truncate(kept + read);
                    self.at += read as u64;
                    self.look(kind);
                }
                _ => self.go_on_at((self.at / PAGE + 1) * PAGE),
            }
        }
    }

    fn go_on_at(&mut self, address: u64) {
        self.window.clear();
        self.at = address;
    }

    /// Searches the window, and keeps its end.
    fn look(&mut self, kind: &str) {
        let start = self.at - self.window.len() as u64;
        for hit in self.automaton.find_iter(&self.window) {
            let name = &self.needles[hit.pattern().as_usize()].0;
            let address = start + hit.start() as u64;
            self.found.push(format!("{name} at {address:x} in {kind}"));
        }
        let longest = self.needles.iter().map(|(_, needle)| needle.len()).max();
        let kept = longest.unwrap_or(1).saturating_sub(1);
        let gone = self.window.len().saturating_sub(kept);
        self.window.drain(..gone);
    }
}

/// The parts of a mapping that have ever been used: an engine reserves far more than it touches.
fn touched(pages: &File, mapping: Range<u64>) -> Vec<Range<u64>> {
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut entries = vec![0; 8 * ASKED];
    let mut at = mapping.start;
    while at < mapping.end {
        let left = usize::try_from((mapping.end - at) / PAGE)
            .unwrap()
            .min(ASKED);
        let Ok(read @ 8..) = pages.read_at(&mut entries[..8 * left], at / PAGE * 8) else {
            // What cannot be asked about may have been used.
            parts.push(at..mapping.end);
            break;
        };
        for entry in entries[..read].as_chunks::<8>().0 {
            if u64::from_ne_bytes(*entry) & THERE != 0 {
                match parts.last_mut() {
                    Some(last) if last.end == at => last.end += PAGE,
                    _ => parts.push(at..at + PAGE),
                }
            }
            at += PAGE;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::io::{Error, Result};

    use super::{PAGE, Sweep};

    const WORD: &[u8] = b"a word to be found";

    /// Where the word is found in these pages when the second cannot be read, and at most so many bytes
    /// come at a time.
    fn found(words_at: &[usize], at_most: usize) -> Vec<String> {
        let page = usize::try_from(PAGE).unwrap();
        let mut bytes = vec![0; 4 * page];
        for at in words_at {
            bytes[*at..at + WORD.len()].copy_from_slice(WORD);
        }
        let read = |buffer: &mut [u8], at: u64| -> Result<usize> {
            let at = usize::try_from(at).unwrap();
            let readable = if at < page { at..page } else { at..4 * page };
            if (page..2 * page).contains(&at) {
                return Err(Error::other("no"));
            }
            let count = readable.len().min(buffer.len()).min(at_most);
            buffer[..count].copy_from_slice(&bytes[at..at + count]);
            Ok(count)
        };
        let needles = [("word".to_owned(), WORD.to_vec())];
        let mut sweep = Sweep::new(&needles, read);
        // A mapping that ends where the next begins.
        sweep.over(0..3 * PAGE, "test");
        sweep.over(3 * PAGE..4 * PAGE, "test");
        sweep.found.dedup();
        sweep.found
    }

    #[test]
    fn what_lies_behind_a_page_that_cannot_be_read_or_across_reads_and_mappings_is_found() {
        for at_most in [3, 100, 4000, 1 << 20] {
            let expected = |at: &[usize]| -> Vec<_> {
                let each = at.iter().map(|at| format!("word at {at:x} in test"));
                each.collect()
            };
            let there = [5, 90, 4078, 8192, 9000, 12_280, 16_300];
            assert_eq!(found(&there, at_most), expected(&there), "{at_most}");
            assert_eq!(found(&[5000], at_most), expected(&[]), "{at_most}");
        }
    }
}
