//! Every bit of every file of the cache, changed: it compiles again and says so.

use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::span;

use super::super::artifact;
use super::super::key::HostKey;
use super::*;

/// Counts warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicUsize>);

impl Warnings {
    /// Those of this.
    fn of<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let before = self.0.load(Ordering::Relaxed);
        let result = tracing::subscriber::with_default(self.clone(), work);
        (result, self.0.load(Ordering::Relaxed) - before)
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        *about.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Writes into the file as somebody does who does not care for whoever reads it.
fn overwrite(file: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(file).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_flipped_bit_at_any_place_of_compiled_code_means_a_warning_and_no_code() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    cache.store(DIGEST, &fixture.code());
    let file = fixture.file();
    let whole = std::fs::read(&file).unwrap();
    let warnings = Warnings::default();
    let mut bytes = whole.clone();
    // On the disk one bit of each byte; all eight of each, which is a thousand times the files, below.
    for at in 0..whole.len() {
        bytes[at] ^= 1 << (at % 8);
        overwrite(&file, &bytes);
        let (loaded, warned) = warnings.of(|| cache.load(&fixture.engine, DIGEST));
        assert!(
            loaded.is_none() && warned == 1,
            "byte {at}, {warned} warnings"
        );
        bytes[at] = whole[at];
    }
    for length in (0..whole.len()).step_by(61).chain([whole.len() - 1]) {
        overwrite(&file, &whole[..length]);
        let (loaded, warned) = warnings.of(|| cache.load(&fixture.engine, DIGEST));
        assert!(
            loaded.is_none() && warned == 1,
            "{length} bytes, {warned} warnings"
        );
    }
    overwrite(&file, &[whole.as_slice(), b"\0"].concat());
    assert!(cache.load(&fixture.engine, DIGEST).is_none());
    overwrite(&file, &whole);
    let (loaded, warned) = warnings.of(|| cache.load(&fixture.engine, DIGEST));
    assert!(loaded.is_some() && warned == 0);
}

#[test]
fn no_bit_of_what_is_before_the_code_can_be_changed() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    let identity = Identity::here(DIGEST, cache.engine);
    let mut bytes = artifact::seal(b"some code", &cache.key, &identity);
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let opened = artifact::open(&bytes, &cache.key, &identity);
        assert!(opened.is_none(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(artifact::open(&bytes, &cache.key, &identity).is_some());
}

#[test]
fn a_flipped_bit_anywhere_in_the_key_means_a_warning_and_compiling_once() {
    let fixture = Fixture::new();
    let code = fixture.code();
    fixture.cache().store(DIGEST, &code);
    let key = fixture.root.join("compiled.key");
    let warnings = Warnings::default();
    let whole = std::fs::read(&key).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        overwrite(&key, &bytes);
        let cache = fixture.cache();
        let (loaded, warned) = warnings.of(|| cache.load(&fixture.engine, DIGEST));
        assert!(
            loaded.is_none() && warned == 1,
            "bit {bit}, {warned} warnings"
        );
        cache.store(DIGEST, &code);
        assert!(cache.load(&fixture.engine, DIGEST).is_some(), "bit {bit}");
    }
}

#[test]
fn a_key_that_was_cut_or_grew_is_an_error_that_says_what_to_do_and_never_a_key() {
    let fixture = Fixture::new();
    fixture.cache();
    let key = fixture.root.join("compiled.key");
    let whole = std::fs::read(&key).unwrap();
    for bytes in [&[][..], &whole[..31], &[whole.as_slice(), b"x"].concat()] {
        overwrite(&key, bytes);
        let opened = DiskCache::open(&fixture.root, KEEP, &fixture.engine);
        let error = opened.err().unwrap();
        assert!(matches!(error, CacheError::NoKey { .. }), "{error}");
        assert!(error.to_string().contains("remove it"), "{error}");
    }
    // What an engine does then is in `Engine::new`: it says so, and compiles.
    let folder = super::super::Folder::open(&fixture.root).unwrap().unwrap();
    assert!(HostKey::read(&folder, KEY).is_err());
}
