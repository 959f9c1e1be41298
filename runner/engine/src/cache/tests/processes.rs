//! Several processes in one folder at the same time: starting, storing, loading, listing, verifying
//! and clearing. Each is this test program again, told by a variable what to do.

use std::process::Command;

use super::*;

const ROOT: &str = "WHARF_TEST_CACHE_ROOT";
const SEED: &str = "WHARF_TEST_CACHE_SEED";
const ROUNDS: usize = 150;
const PROCESSES: u64 = 4;
const COMPONENTS: u8 = 5;

/// Numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn several_processes_in_one_folder_never_see_half_a_file_or_break_off() {
    let fixture = Fixture::new();
    let this = std::env::current_exe().unwrap();
    let children: Vec<_> = (1..=PROCESSES)
        .map(|seed| {
            Command::new(&this)
                .args([
                    "--exact",
                    "cache::tests::processes::one_of_them",
                    "--ignored",
                ])
                .env(ROOT, &fixture.root)
                .env(SEED, seed.to_string())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    // Afterwards everything that is left is whole, and nobody left a half of anything.
    let managed = CodeCache::open(&fixture.root).unwrap().unwrap();
    for (file, finding) in managed.verify(fingerprint(&fixture.engine)).unwrap() {
        assert_eq!(finding, Finding::Sound, "{}", file.name);
    }
    let names = std::fs::read_dir(fixture.root.join("compiled")).unwrap();
    for name in names.map(|entry| entry.unwrap().file_name()) {
        assert!(!name.to_string_lossy().starts_with('.'), "{name:?}");
    }
}

#[test]
#[ignore = "a process of the test above; alone it has nothing to do"]
fn one_of_them() {
    let (Some(root), Ok(seed)) = (std::env::var_os(ROOT), std::env::var(SEED)) else {
        return;
    };
    let root = PathBuf::from(root);
    let mut dice = Dice(
        seed.parse::<u64>()
            .unwrap()
            .wrapping_mul(0x9e37_79b9_7f4a_7c15),
    );
    let engine = engine(true);
    let code = Component::from_binary(&engine, b"\0asm\x0d\0\x01\0")
        .unwrap()
        .serialize()
        .unwrap();
    // Room for some of the components, so that they push each other out.
    let keep = Keep {
        size: ByteSize::bytes(3 * (code.len() as u64 + 100)),
        ..KEEP
    };
    let mut cache = DiskCache::open(&root, keep, &engine).unwrap();
    for _ in 0..ROUNDS {
        let number = u8::try_from(dice.roll(COMPONENTS.into())).unwrap();
        let digest = Digest::from_bytes([number; 32]);
        match dice.roll(16) {
            0 => cache = DiskCache::open(&root, keep, &engine).unwrap(),
            1 => {
                let managed = CodeCache::open(&root).unwrap().unwrap();
                managed.clear(&Clear::All).unwrap();
            }
            2 => {
                let managed = CodeCache::open(&root).unwrap().unwrap();
                managed.clear(&Clear::Of(vec![digest])).unwrap();
            }
            3 => {
                let managed = CodeCache::open(&root).unwrap().unwrap();
                for (file, finding) in managed.verify(cache.engine).unwrap() {
                    assert_eq!(finding, Finding::Sound, "{}", file.name);
                }
            }
            4 => drop(CodeCache::open(&root).unwrap().unwrap().list().unwrap()),
            5..=9 => cache.store(digest, &code),
            _ => drop(cache.load(&engine, digest)),
        }
    }
    // It was there, and whole, or it was not there.
    assert_eq!(cache.counts().rejected, 0);
}
