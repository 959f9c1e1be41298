//! The ways in which a secret can be written down, the places where it could be, and the search.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::reflect::{html, percent};

/// Every way in which the value could have been written down.
pub fn forms(secret: &str) -> Vec<(String, Vec<u8>)> {
    let mut forms = vec![
        ("plain".to_owned(), secret.as_bytes().to_vec()),
        ("hex".to_owned(), hex::encode(secret).into_bytes()),
        ("HEX".to_owned(), hex::encode_upper(secret).into_bytes()),
        (
            "json".to_owned(),
            serde_json::to_string(secret)
                .unwrap()
                .trim_matches('"')
                .into(),
        ),
        ("reversed".to_owned(), secret.bytes().rev().collect()),
    ];
    let of = |name: &str, text: String| (name.to_owned(), text.into_bytes());
    let entities = |one: fn(u8) -> String| secret.bytes().map(one).collect();
    let lax = |b: u8| b.is_ascii_alphanumeric() || b"-_.~/?=+".contains(&b);
    forms.extend([
        of("url", percent(secret, |b| b.is_ascii_alphanumeric())),
        of("lax url", percent(secret, lax)),
        of("whole url", percent(secret, |_| false)),
        of("html", html(secret)),
        of("html by decimal numbers", entities(|b| format!("&#{b};"))),
        of("html by hex numbers", entities(|b| format!("&#x{b:x};"))),
        of("HTML by hex numbers", entities(|b| format!("&#x{b:X};"))),
        of("json by numbers", entities(|b| format!("\\u{b:04x}"))),
    ]);
    for shift in 0..3 {
        for (name, engine) in [("base64", STANDARD_NO_PAD), ("base64url", URL_SAFE_NO_PAD)] {
            let padded = [vec![0; shift], secret.as_bytes().to_vec()].concat();
            let text = engine.encode(padded);
            // Characters that share bits with what stands before or behind.
            let (front, back) = (
                [0, 2, 3][shift],
                usize::from(!(secret.len() + shift).is_multiple_of(3)),
            );
            forms.push((
                format!("{name} at {shift}"),
                text.as_bytes()[front..text.len() - back].to_vec(),
            ));
        }
    }
    let lines: Vec<_> = forms.iter().flat_map(in_lines).collect();
    forms.extend(lines);
    forms
}

/// The shortest lines that base64 and hex are broken into: those of PEM. MIME has 76.
const LINE: usize = 64;

/// Parts of a form that is broken into lines, one of which is whole wherever the breaks are.
fn in_lines((name, form): &(String, Vec<u8>)) -> Vec<(String, Vec<u8>)> {
    if !["base64", "hex", "HEX"]
        .iter()
        .any(|of| name.starts_with(of))
    {
        return Vec::new();
    }
    let breaks = form.len().div_ceil(LINE);
    let parts = form.chunks(form.len().div_ceil(breaks + 1));
    parts
        .enumerate()
        .map(|(number, part)| (format!("{name} in lines, part {number}"), part.to_vec()))
        .collect()
}

/// The search for all of them at once.
pub struct Search<'a> {
    forms: &'a [(String, Vec<u8>)],
    needles: AhoCorasick,
}

impl<'a> Search<'a> {
    /// For each of these ways to write it down.
    pub fn of(forms: &'a [(String, Vec<u8>)]) -> Self {
        let needles = AhoCorasick::new(forms.iter().map(|(_, needle)| needle)).unwrap();
        Self { forms, needles }
    }

    /// In which way it stands there.
    pub fn find(&self, haystack: &[u8]) -> Option<&'a str> {
        let found = self.needles.find(haystack)?;
        Some(&self.forms[found.pattern()].0)
    }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

/// Places where a secret must not be.
#[derive(Default)]
pub struct Places(Vec<(String, Vec<u8>)>);

impl Places {
    /// Something that was seen or said.
    pub fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.into(), bytes.into()));
    }

    /// Others, too.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// What the system shows of a process: its arguments and what it was started with.
    pub fn add_process(&mut self, pid: u32) {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{file}");
            self.add(path.clone(), std::fs::read(path).unwrap());
        }
    }

    /// All that was written below a folder, but for what the operator keeps in `except`.
    pub fn add_files(&mut self, folder: &Path, except: &Path) {
        let mut paths = files(folder);
        paths.retain(|path| !path.starts_with(except));
        assert!(paths.len() > 5, "{paths:?}");
        for path in paths {
            match std::fs::read(&path) {
                Ok(bytes) => self.add(path.display().to_string(), bytes),
                // A file of a process that still runs, which it has removed meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => panic!("{} is not searched: {error}", path.display()),
            }
        }
    }

    /// Fails unless a place with this in its name holds this: else the search would prove nothing of it.
    pub fn must_hold(&self, name: &str, needle: &str) {
        let held = self
            .0
            .iter()
            .any(|(place, bytes)| place.contains(name) && holds(bytes, needle.as_bytes()));
        assert!(held, "{needle} is not in {name}");
    }

    /// Fails if one of them has the secret in any of these forms.
    pub fn must_not_hold(&self, forms: &[(String, Vec<u8>)]) {
        let search = Search::of(forms);
        for (place, bytes) in &self.0 {
            if let Some(form) = search.find(bytes) {
                panic!("the secret is in {place} as {form}");
            }
        }
    }
}

/// Whether the one is part of the other.
pub fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}
