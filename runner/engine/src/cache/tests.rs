//! The cache against what could be put in its folder.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

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
        DiskCache::open(&self.root, ByteSize::mib(64), &self.engine).unwrap()
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

const DIGEST: Digest = Digest::from_bytes([7; 32]);
const OTHER: Digest = Digest::from_bytes([8; 32]);

#[test]
fn what_was_stored_is_loaded_by_the_next_process() {
    let fixture = Fixture::new();
    let code = fixture.component().serialize().unwrap();
    assert!(fixture.cache().load(&fixture.engine, DIGEST).is_none());
    fixture.cache().store(DIGEST, &code);
    assert!(fixture.cache().load(&fixture.engine, DIGEST).is_some());
}

#[test]
fn one_changed_byte_anywhere_makes_it_compile_again() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    cache.store(DIGEST, &fixture.component().serialize().unwrap());
    let file = fixture.file();
    let whole = std::fs::read(&file).unwrap();
    for at in [0, 15, 16, 47, 48, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        assert!(cache.load(&fixture.engine, DIGEST).is_none(), "byte {at}");
    }
    for length in [0, 16, 47, 48, whole.len() - 1] {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert!(cache.load(&fixture.engine, DIGEST).is_none(), "{length}");
    }
    std::fs::write(&file, &whole).unwrap();
    assert!(cache.load(&fixture.engine, DIGEST).is_some());
}

#[test]
fn code_of_another_component_under_its_name_is_not_loaded() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    cache.store(OTHER, &fixture.component().serialize().unwrap());
    let other = fixture.file();
    let name = cache.identity(DIGEST).file_name();
    std::fs::rename(&other, other.with_file_name(name)).unwrap();
    assert!(cache.load(&fixture.engine, DIGEST).is_none());
}

#[test]
fn code_under_the_key_of_another_host_is_not_loaded() {
    let fixture = Fixture::new();
    fixture
        .cache()
        .store(DIGEST, &fixture.component().serialize().unwrap());
    std::fs::remove_file(fixture.root.join("compiled.key")).unwrap();
    assert!(fixture.cache().load(&fixture.engine, DIGEST).is_none());
}

#[test]
fn code_for_an_engine_with_other_settings_is_not_found() {
    let fixture = Fixture::new();
    fixture
        .cache()
        .store(DIGEST, &fixture.component().serialize().unwrap());
    let other = engine(false);
    let cache = DiskCache::open(&fixture.root, ByteSize::mib(64), &other).unwrap();
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
        let error = DiskCache::open(&fixture.root, ByteSize::mib(64), &fixture.engine)
            .err()
            .unwrap();
        assert!(matches!(error, CacheError::Open { .. }), "{open}: {error}");
    }
}

#[test]
fn the_oldest_goes_when_there_is_too_much() {
    let fixture = Fixture::new();
    let code = fixture.component().serialize().unwrap();
    let one = ByteSize::bytes(code.len() as u64 + 100);
    let cache = DiskCache::open(&fixture.root, one, &fixture.engine).unwrap();
    cache.store(OTHER, &code);
    let file = std::fs::File::open(fixture.file()).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    cache.store(DIGEST, &code);
    assert!(cache.load(&fixture.engine, OTHER).is_none());
    assert!(cache.load(&fixture.engine, DIGEST).is_some());
}
