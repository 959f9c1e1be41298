//! Both stores and the registry.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use wharf_policy::{Policy, SecretBinding};

use super::*;

fn binding(from: &str) -> SecretBinding {
    let text = format!("[[secret]]\nname = 'api'\nfrom = '{from}'");
    Policy::from_toml(&text).unwrap().secrets.remove(0)
}

fn env() -> EnvStore {
    EnvStore::of([
        ("TOKEN".into(), "hunter2".into()),
        ("EMPTY".into(), "".into()),
        ("LARGE".into(), "x".repeat(LARGEST + 1).into()),
    ])
}

fn write(folder: &tempfile::TempDir, name: &str, content: &[u8], mode: u32) {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_variable_is_the_value_it_had_when_the_snapshot_was_made() {
    assert_eq!(env().get("TOKEN", None).await.unwrap().expose(), b"hunter2");
}

#[tokio::test]
async fn variables_that_are_missing_empty_or_too_large_are_told_by_name() {
    for (name, not_found) in [("NONE", true), ("EMPTY", true), ("LARGE", false)] {
        let error = env().get(name, None).await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.is_not_found(), not_found);
    }
    let error = env().get("TOKEN", Some("field")).await.unwrap_err();
    assert!(matches!(error, StoreError::NoFields { .. }), "{error}");
}

#[tokio::test]
async fn a_file_is_read_without_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    for (content, value) in [
        (&b"hunter2\n"[..], &b"hunter2"[..]),
        (b"hunter2\r\n", b"hunter2"),
        (b"hunter2", b"hunter2"),
        (b"two\n\n", b"two\n"),
    ] {
        write(&folder, "token", content, 0o600);
        let store = FileStore::below(folder.path());
        assert_eq!(store.get("token", None).await.unwrap().expose(), value);
    }
}

#[tokio::test]
async fn a_file_that_others_can_read_is_refused_and_the_message_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o644, 0o640, 0o604, 0o660, 0o601] {
        write(&folder, "token", b"hunter2", mode);
        let error = FileStore::below(folder.path())
            .get("token", None)
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("chmod 600") && text.contains("token"),
            "{text}"
        );
        assert!(!format!("{text} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn what_is_not_a_small_file_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "large", &vec![b'x'; LARGEST + 1], 0o600);
    write(&folder, "largest", &vec![b'x'; LARGEST], 0o600);
    write(&folder, "empty", b"\n", 0o600);
    let store = FileStore::below(folder.path());
    let store = &store;
    let error = |name| async move { store.get(name, None).await.unwrap_err() };
    assert!(matches!(error("large").await, StoreError::TooLarge(_)));
    assert!(matches!(error("empty").await, StoreError::Empty(_)));
    assert!(matches!(error("none").await, StoreError::NoFile(_)));
    assert!(matches!(error(".").await, StoreError::NotAFile(_)));
    assert!(store.get("largest", None).await.is_ok());
}

#[tokio::test]
async fn an_error_names_the_binding_and_the_store() {
    let stores = Stores::from_env_snapshot("/nowhere");
    for (from, store) in [("file:token", "`file`"), ("vault:kv/x", "`vault:`")] {
        let error = stores.get(&binding(from)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`api`") && text.contains(store), "{text}");
    }
    let error = stores.get(&binding("vault:kv/x")).await.unwrap_err();
    assert!(error.to_string().contains("`env:`, `file:`"), "{error}");
}
