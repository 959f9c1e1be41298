//! What a core dump of a process would hold: all of its memory that can be read, searched in place.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;

use aho_corasick::AhoCorasick;

/// Read at a time, with an overlap so that nothing hides on a border.
const CHUNK: usize = 1 << 20;
const PAGE: usize = 4096;
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
            let (from, to) = range.split_once('-').unwrap();
            let [mut at, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            while at < to {
                // An engine reserves far more than it ever touches.
                if !touched(&pages, at) {
                    at += CHUNK as u64;
                    continue;
                }
                let wanted = buffer.len().min(usize::try_from(to - at).unwrap());
                // Some mappings cannot be read although they are said to be.
                let Ok(read) = memory.read_at(&mut buffer[..wanted], at) else {
                    break;
                };
                for hit in automaton.find_iter(&buffer[..read]) {
                    let name = &needles[hit.pattern().as_usize()].0;
                    let kind = words.clone().nth(3).unwrap_or("anonymous");
                    found.push(format!("{name} at {:x} in {kind}", at + hit.start() as u64));
                }
                at += CHUNK as u64;
            }
        }
        found.sort();
        found.dedup();
        Some(found)
    }
}

/// Whether any page of the chunk that begins there has ever been used.
fn touched(pages: &File, at: u64) -> bool {
    let mut entries = [0; 8 * (CHUNK / PAGE + 1)];
    match pages.read_at(&mut entries, at / PAGE as u64 * 8) {
        Ok(read) => entries[..read]
            .as_chunks::<8>()
            .0
            .iter()
            .any(|entry| u64::from_ne_bytes(*entry) & THERE != 0),
        Err(_) => true,
    }
}
