//! When the secrets of a run are dropped, no form of them is left in the memory of the process.
//!
//! Its own program, because it looks through its own memory. The secret is made when the test
//! runs and is never kept as it is: what is looked for is compared with a mask on.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};

use wharf_policy::{CallRights, LimitRequest, Policy, Rights};
use wharf_stores::Stores;

const MASK: u8 = 0xa5;

/// How often these bytes, which are masked, are in writable memory without their mask.
fn times_in_memory(masked: &[u8]) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = 0;
    let mut page = vec![0; 1 << 20];
    for line in maps.lines() {
        let mut words = line.split(' ');
        let (range, mode) = (words.next().unwrap(), words.next().unwrap());
        if !mode.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [mut at, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        while at < end {
            let Ok(length @ 1..) = memory.read_at(&mut page, at) else {
                break;
            };
            let length = length.min(usize::try_from(end - at).unwrap());
            let is_it = |window: &[u8]| window.iter().zip(masked).all(|(a, b)| a ^ MASK == *b);
            found += page[..length]
                .windows(masked.len())
                .filter(|w| is_it(w))
                .count();
            // Overlapping, so that nothing hides at a border.
            at += (length.saturating_sub(masked.len() - 1)).max(1) as u64;
            if length < masked.len() {
                break;
            }
        }
        page.fill(0);
    }
    found
}

fn masked(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ MASK).collect()
}

#[tokio::test]
async fn no_form_of_a_secret_is_in_memory_once_the_run_has_dropped_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    // From a child, so that this process has not had it; with characters that are escaped.
    let made = std::process::Command::new("sh")
        .args(["-c", "umask 077; printf '%s/+\"&%s' \"$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \\n')\" tail > \"$0\""])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let policy = format!(
        "[[secret]]\nname='api'\nfrom='file:{}'\nto=[{{origin='https://h.test'}}]\nas={{basic={{user='u'}}}}\n\
         [[grant]]\nplugins=['p']\nhttp=[{{origin='https://h.test'}}]\nsecrets=[{{name='api'}}]",
        path.display()
    );
    let rights = Rights::effective(
        &"p".parse().unwrap(),
        &"a".parse().unwrap(),
        &toml::from_str("http=[{origin='https://h.test'}]\nsecrets=[{name='*',rungs=['inject']}]")
            .unwrap(),
        &LimitRequest::default(),
        &Policy::from_toml(&policy).unwrap(),
        &CallRights::default(),
    );
    let secrets = wharf_host::resolve(&rights, &Stores::from_env_snapshot(folder.path()))
        .await
        .unwrap();

    // The random part as it is, in hexadecimal, and in the middle of its base64.
    let (plain, hexed, based) = {
        use base64::Engine as _;
        let value = zeroize::Zeroizing::new(std::fs::read(&path).unwrap());
        let hexed = zeroize::Zeroizing::new(hex::encode(&value[..20]));
        let based = base64::engine::general_purpose::STANDARD.encode(&value[..18]);
        let based = zeroize::Zeroizing::new(based);
        (
            masked(&value[..20]),
            masked(hexed.as_bytes()),
            masked(based.as_bytes()),
        )
    };
    for form in [&plain, &hexed, &based] {
        assert!(times_in_memory(form) > 0, "the search finds nothing");
    }
    drop(secrets);
    for (form, what) in [(&plain, "the value"), (&hexed, "hex"), (&based, "base64")] {
        assert_eq!(times_in_memory(form), 0, "{what} is left in memory");
    }
}
