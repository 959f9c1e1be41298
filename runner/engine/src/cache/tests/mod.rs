//! The cache against what could be put in its folder.

mod manage;
mod processes;
mod tampering;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use wharf_policy::ByteSize;

use super::*;

struct Fixture {
    _temp: tempfile::TempDir,
    root: PathBuf,
    engine: wasmtime::Engine,
}

impl Fixture {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self {
            root: temp.path().join("cache"),
            _temp: temp,
            engine: engine(true),
        }
    }

    fn cache(&self) -> DiskCache {
        DiskCache::open(&self.root, KEEP, &self.engine).unwrap()
    }

    fn code(&self) -> Vec<u8> {
        self.component().serialize().unwrap()
    }

    fn component(&self) -> Component {
        Component::from_binary(&self.engine, b"\0asm\x0d\0\x01\0").unwrap()
    }

    fn file(&self) -> PathBuf {
        let mut files = std::fs::read_dir(self.root.join("compiled")).unwrap();
        files.next().unwrap().unwrap().path()
    }
}

fn engine(epochs: bool) -> wasmtime::Engine {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(epochs);
    wasmtime::Engine::new(&config).unwrap()
}

const KEEP: Keep = Keep {
    size: ByteSize::mib(64),
    age: Duration::from_secs(3600),
};
const DIGEST: Digest = Digest::from_bytes([7; 32]);
const OTHER: Digest = Digest::from_bytes([8; 32]);

#[test]
fn what_was_stored_is_loaded_by_the_next_process() {
    let fixture = Fixture::new();
    let code = fixture.code();
    assert!(fixture.cache().load(&fixture.engine, DIGEST).is_none());
    fixture.cache().store(DIGEST, &code);
    assert!(fixture.cache().load(&fixture.engine, DIGEST).is_some());
}

#[test]
fn code_of_another_component_under_its_name_is_not_loaded() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    cache.store(OTHER, &fixture.code());
    let other = fixture.file();
    let name = Identity::here(DIGEST, cache.engine).file_name();
    std::fs::rename(&other, other.with_file_name(name)).unwrap();
    assert!(cache.load(&fixture.engine, DIGEST).is_none());
}

#[test]
fn code_under_the_key_of_another_host_is_not_loaded() {
    let fixture = Fixture::new();
    fixture.cache().store(DIGEST, &fixture.code());
    std::fs::remove_file(fixture.root.join("compiled.key")).unwrap();
    assert!(fixture.cache().load(&fixture.engine, DIGEST).is_none());
}

#[test]
fn code_for_an_engine_with_other_settings_is_not_found() {
    let fixture = Fixture::new();
    fixture.cache().store(DIGEST, &fixture.code());
    let other = engine(false);
    let cache = DiskCache::open(&fixture.root, KEEP, &other).unwrap();
    assert!(cache.load(&other, DIGEST).is_none());
}

#[test]
fn many_that_start_together_agree_on_one_key() {
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        let keys: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| fixture.cache().key.bytes().to_vec()))
            .collect();
        let keys: Vec<_> = keys.into_iter().map(|key| key.join().unwrap()).collect();
        assert!(keys.iter().all(|key| *key == keys[0]));
    });
    // And leave nothing else behind.
    assert_eq!(std::fs::read_dir(&fixture.root).unwrap().count(), 2);
}

#[test]
fn folder_and_key_are_for_this_user_only() {
    let fixture = Fixture::new();
    fixture.cache();
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(fixture.root.clone()), 0o700);
    assert_eq!(mode(fixture.root.join("compiled")), 0o700);
    assert_eq!(mode(fixture.root.join("compiled.key")), 0o600);
}

#[test]
fn a_folder_or_key_that_others_can_change_or_read_is_not_used() {
    for (open, mode) in [("", 0o777), ("compiled", 0o755), ("compiled.key", 0o640)] {
        let fixture = Fixture::new();
        fixture.cache();
        let path = fixture.root.join(open);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = DiskCache::open(&fixture.root, KEEP, &fixture.engine)
            .err()
            .unwrap();
        assert!(matches!(error, CacheError::Open { .. }), "{open}: {error}");
    }
}

/// As if it was used that long ago.
fn age(file: &Path, by: Duration) {
    let file = std::fs::File::open(file).unwrap();
    file.set_modified(SystemTime::now() - by).unwrap();
}

#[test]
fn the_oldest_goes_when_there_is_too_much() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let one = Keep {
        size: ByteSize::bytes(code.len() as u64 + 100),
        ..KEEP
    };
    let cache = DiskCache::open(&fixture.root, one, &fixture.engine).unwrap();
    cache.store(OTHER, &code);
    age(&fixture.file(), Duration::from_secs(60));
    cache.store(DIGEST, &code);
    assert!(cache.load(&fixture.engine, OTHER).is_none());
    assert!(cache.load(&fixture.engine, DIGEST).is_some());
}

#[test]
fn what_was_not_used_for_long_goes_at_the_next_start_and_using_it_keeps_it() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    cache.store(DIGEST, &fixture.code());
    age(&fixture.file(), KEEP.age - Duration::from_secs(60));
    assert!(cache.load(&fixture.engine, DIGEST).is_some());
    let used = fixture.file().metadata().unwrap().modified().unwrap();
    assert!(
        used.elapsed().is_ok_and(|ago| ago < KEEP.age / 2),
        "loading is using"
    );
    let cache = fixture.cache();
    assert!(cache.load(&fixture.engine, DIGEST).is_some());
    age(&fixture.file(), KEEP.age + Duration::from_secs(60));
    let cache = fixture.cache();
    assert!(cache.load(&fixture.engine, DIGEST).is_none());
}

#[test]
fn what_a_writer_that_died_left_goes_and_what_one_is_writing_stays() {
    let fixture = Fixture::new();
    fixture.cache();
    let [left, written] = [".new-left", ".new-written"].map(|name| {
        let file = fixture.root.join("compiled").join(name);
        std::fs::write(&file, b"half").unwrap();
        file
    });
    age(&left, Duration::from_secs(3600));
    fixture.cache();
    assert!(!left.exists() && written.exists());
}

#[test]
fn what_was_found_is_counted() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    cache.load(&fixture.engine, DIGEST);
    cache.store(DIGEST, &fixture.code());
    cache.load(&fixture.engine, DIGEST);
    cache.load(&fixture.engine, DIGEST);
    std::fs::write(fixture.file(), b"changed").unwrap();
    cache.load(&fixture.engine, DIGEST);
    let counts = CacheCounts {
        hits: 2,
        misses: 1,
        rejected: 1,
    };
    assert_eq!(cache.counts(), counts);
}
