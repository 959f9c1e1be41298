//! What a core dump of a process would hold: all of its memory that can be read, searched in place.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use aho_corasick::AhoCorasick;

/// Read at a time, with an overlap so that nothing hides on a border.
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
        let automaton = AhoCorasick::new(needles.iter().map(|(_, needle)| needle)).unwrap();
        let overlap = needles.iter().map(|(_, n)| n.len()).max().unwrap_or(0);
        let mut found = Vec::new();
        let mut buffer = vec![0; CHUNK + overlap];
        for line in BufReader::new(maps).lines().map_while(Result::ok) {
            let mut words = line.split_whitespace();
            let (range, rights) = (words.next().unwrap(), words.next().unwrap());
            if !rights.starts_with('r') {
                continue;
            }
            let kind = words.nth(3).unwrap_or("anonymous");
            let (from, to) = range.split_once('-').unwrap();
            let [from, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            for Range { mut start, end } in touched(&pages, from..to) {
                while start < end {
                    let wanted = buffer.len().min(usize::try_from(end - start).unwrap());
                    // Some mappings cannot be read although they are said to be.
                    let Ok(read) = memory.read_at(&mut buffer[..wanted], start) else {
                        break;
                    };
                    for hit in automaton.find_iter(&buffer[..read]) {
                        let name = &needles[hit.pattern().as_usize()].0;
                        found.push(format!(
                            "{name} at {:x} in {kind}",
                            start + hit.start() as u64
                        ));
                    }
                    start += CHUNK as u64;
                }
            }
        }
        found.sort();
        found.dedup();
        Some(found)
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
