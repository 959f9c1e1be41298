//! What an operator sees of the cache, and removes.

use super::*;

impl Fixture {
    fn managed(&self) -> CodeCache {
        CodeCache::open(&self.root).unwrap().unwrap()
    }

    fn path(&self, component: Digest) -> PathBuf {
        let name = Identity::here(component, fingerprint(&self.engine)).file_name();
        self.root.join("compiled").join(name)
    }

    fn findings(&self) -> Vec<(String, Finding)> {
        let verified = self.managed().verify(fingerprint(&self.engine)).unwrap();
        let mut all: Vec<_> = verified
            .into_iter()
            .map(|(file, finding)| (file.name, finding))
            .collect();
        all.sort();
        all
    }
}

#[test]
fn looking_at_a_cache_that_is_not_there_makes_none() {
    let fixture = Fixture::new();
    assert!(CodeCache::open(&fixture.root).unwrap().is_none());
    assert!(!fixture.root.exists());
}

#[test]
fn a_listing_tells_what_each_file_is_and_what_was_used_last_first() {
    let fixture = Fixture::new();
    let (cache, code) = (fixture.cache(), fixture.code());
    for digest in [DIGEST, OTHER] {
        cache.store(digest, &code);
    }
    age(&fixture.path(DIGEST), Duration::from_secs(60));
    std::fs::write(fixture.root.join("compiled/.new-now"), b"half").unwrap();
    let listed = fixture.managed().list().unwrap();
    let components: Vec<_> = listed
        .iter()
        .map(|file| file.code.as_ref().unwrap().component)
        .collect();
    assert_eq!(components, [OTHER, DIGEST]);
    let code = listed[0].code.as_ref().unwrap();
    assert_eq!(code.engine, fingerprint(&fixture.engine));
    assert!(code.target.contains(std::env::consts::ARCH));
    assert_eq!(
        listed[0].size,
        fixture.path(OTHER).metadata().unwrap().len()
    );
}

#[test]
fn verifying_tells_what_was_changed_what_is_stale_and_what_is_not_ours() {
    let fixture = Fixture::new();
    let (cache, code) = (fixture.cache(), fixture.code());
    let engine_of_old = engine(false);
    let old = DiskCache::open(&fixture.root, KEEP, &engine_of_old).unwrap();
    let [changed, open, sound] = [1, 2, 3].map(|n| Digest::from_bytes([n; 32]));
    for digest in [changed, open, sound] {
        cache.store(digest, &code);
    }
    old.store(sound, &code);
    let mut bytes = std::fs::read(fixture.path(changed)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(fixture.path(changed), bytes).unwrap();
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(fixture.path(open), mode).unwrap();
    std::fs::write(fixture.root.join("compiled/stray"), b"").unwrap();

    let stale = Identity::here(sound, old.engine).file_name();
    let name = |digest| Identity::here(digest, cache.engine).file_name();
    let mut expected = vec![
        (name(changed), Finding::Changed),
        (name(open), Finding::NotOurs),
        (name(sound), Finding::Sound),
        (stale, Finding::Stale),
        ("stray".to_owned(), Finding::NotOurs),
    ];
    expected.sort();
    assert_eq!(fixture.findings(), expected);
}

#[test]
fn nothing_verifies_under_another_key_or_none_and_it_can_still_be_cleared() {
    let fixture = Fixture::new();
    fixture.cache().store(DIGEST, &fixture.code());
    let key = fixture.root.join("compiled.key");
    std::fs::remove_file(&key).unwrap();
    assert!(matches!(fixture.findings()[..], [(_, Finding::Changed)]));
    assert!(!key.exists(), "looking makes no key");
    std::fs::write(&key, b"short").unwrap();
    assert!(matches!(fixture.findings()[..], [(_, Finding::Changed)]));
    assert_eq!(fixture.managed().clear(&Clear::All).unwrap().files, 1);
}

#[test]
fn clearing_removes_what_was_meant_and_never_the_key_or_what_is_being_written() {
    let fixture = Fixture::new();
    let (cache, code) = (fixture.cache(), fixture.code());
    let all = [1, 2, 3].map(|n| Digest::from_bytes([n; 32]));
    for digest in all {
        cache.store(digest, &code);
    }
    let writing = fixture.root.join("compiled/.new-now");
    std::fs::write(&writing, b"half").unwrap();
    age(&fixture.path(all[0]), Duration::from_secs(120));
    let left = || all.map(|digest| fixture.path(digest).exists());
    let managed = fixture.managed();

    let minute = Duration::from_secs(60);
    let old = managed.clear(&Clear::OlderThan(minute)).unwrap();
    let size = fixture.path(all[1]).metadata().unwrap().len();
    assert_eq!(
        old,
        Cleared {
            files: 1,
            bytes: size
        }
    );
    assert_eq!(left(), [false, true, true]);
    managed.clear(&Clear::Of(vec![all[0], all[1]])).unwrap();
    assert_eq!(left(), [false, false, true]);
    assert_eq!(managed.clear(&Clear::All).unwrap().files, 1);
    assert_eq!(left(), [false; 3]);
    assert!(writing.exists() && fixture.root.join("compiled.key").exists());
    // And the cache goes on.
    cache.store(DIGEST, &code);
    assert!(cache.load(&fixture.engine, DIGEST).is_some());
}
