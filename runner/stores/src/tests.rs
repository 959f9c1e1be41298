//! The two stores that every runner has, and all of them together.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use wharf_policy::{Policy, SecretBinding};

use super::*;

fn binding(from: &str) -> SecretBinding {
    let text = format!("[[secret]]\nname = 'api'\nfrom = '{from}'");
    Policy::from_toml(&text).unwrap().secrets.remove(0)
}

fn bindings(from: &[&str]) -> Vec<SecretBinding> {
    let text: String = from
        .iter()
        .enumerate()
        .map(|(n, from)| format!("[[secret]]\nname = 's{n}'\nfrom = '{from}'\n"))
        .collect();
    Policy::from_toml(&text).unwrap().secrets
}

async fn get(store: &impl SecretStore, from: &str) -> Result<SecretValue, StoreError> {
    let binding = binding(from);
    let place = Place::of(&binding.from);
    store.check(&place)?;
    let document = store.fetch(&place).await?;
    document.value(&place, binding.from.field())
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
    assert_eq!(get(&env(), "env:TOKEN").await.unwrap().expose(), b"hunter2");
}

#[tokio::test]
async fn variables_that_are_missing_empty_or_too_large_are_told_by_name() {
    for (name, trouble) in [
        ("NONE", Trouble::Absent),
        ("EMPTY", Trouble::Absent),
        ("LARGE", Trouble::Unusable),
    ] {
        let error = get(&env(), &format!("env:{name}")).await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.trouble(), trouble);
    }
    let error = get(&env(), "env:TOKEN#field").await.unwrap_err();
    assert!(matches!(error, StoreError::NoFields { .. }), "{error}");
    let error = get(&env(), "env:TOKEN?version=2").await.unwrap_err();
    assert!(matches!(error, StoreError::BadPlace { .. }), "{error}");
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
        assert_eq!(get(&store, "file:token").await.unwrap().expose(), value);
    }
}

#[tokio::test]
async fn a_file_that_others_can_read_is_refused_and_the_message_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o644, 0o640, 0o604, 0o660, 0o601] {
        write(&folder, "token", b"hunter2", mode);
        let store = FileStore::below(folder.path());
        let error = get(&store, "file:token").await.unwrap_err();
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
    let error = async |name: &str| get(store, name).await.unwrap_err();
    assert!(matches!(error("file:large").await, StoreError::TooLarge(_)));
    assert!(matches!(error("file:empty").await, StoreError::Empty(_)));
    assert!(matches!(error("file:none").await, StoreError::NoFile(_)));
    assert!(matches!(error("file:.").await, StoreError::NotAFile(_)));
    assert!(get(store, "file:largest").await.is_ok());
}

#[tokio::test]
async fn the_largest_secret_may_have_a_line_end_in_its_file_and_no_byte_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::below(folder.path());
    let largest = vec![b'x'; LARGEST];
    for end in ["", "\n", "\r\n"] {
        write(
            &folder,
            "token",
            &[&largest, end.as_bytes()].concat(),
            0o600,
        );
        let value = get(&store, "file:token").await.unwrap();
        assert_eq!(value.expose(), largest, "{end:?}");
    }
    for end in ["x", "x\n", "x\r\n", "\n\n", "xx\n"] {
        write(
            &folder,
            "token",
            &[&largest, end.as_bytes()].concat(),
            0o600,
        );
        let error = get(&store, "file:token").await.unwrap_err();
        assert!(matches!(error, StoreError::TooLarge(_)), "{end:?}: {error}");
    }
}

#[tokio::test]
async fn a_store_that_there_is_not_is_named_with_those_there_are() {
    let stores = Stores::from_env_snapshot(".");
    let mut resolution = stores.resolve([&binding("vault:kv/x#y")]).await;
    let (_, error) = resolution.values.pop_first().unwrap();
    let text = error.unwrap_err().to_string();
    for word in ["`api`", "`vault:`", "`env:`, `file:`"] {
        assert!(text.contains(word), "{text}");
    }
}

/// Counts how often it is asked; what it has are two fields with the number of the question.
#[derive(Default)]
struct Pairs {
    asked: AtomicUsize,
    revoked: AtomicUsize,
}

#[async_trait]
impl SecretStore for Pairs {
    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let field = |name: &str| {
            let value = SecretValue::new(format!("{name}-{number}").into_bytes());
            (name.to_owned(), value)
        };
        let document = Document::fields(Fields::from([field("user"), field("password")]));
        Ok(match place.path.starts_with("lent") {
            true => document.lent(Lease {
                id: number.to_string(),
                period: Duration::from_secs(60),
                renewable: false,
            }),
            false => document,
        })
    }

    async fn revoke(&self, _: &Lease) -> Result<(), StoreError> {
        self.revoked.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn two_fields_of_one_place_come_from_the_same_lease() {
    let store = Arc::new(Pairs::default());
    let stores = Stores::none().with("db", Arc::clone(&store) as _);
    let wanted = bindings(&[
        "db:lent/app#user",
        "db:lent/app#password",
        "db:lent/other#user",
    ]);
    let resolution = stores.resolve(&wanted).await;
    assert_eq!(store.asked.load(Ordering::SeqCst), 2);
    assert_eq!(resolution.leases.len(), 2);
    assert_eq!(resolution.freshness, Freshness::Once);
    let number = |name: &str| {
        let value = resolution.values[&name.parse().unwrap()].as_ref().unwrap();
        *value.expose().last().unwrap()
    };
    assert_eq!(number("s0"), number("s1"));
    assert_ne!(number("s0"), number("s2"));
    drop(resolution);
    stores.finish(Duration::from_secs(60)).await;
    assert_eq!(store.revoked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_was_lent_to_a_run_that_lacks_another_secret_is_given_back() {
    let store = Arc::new(Pairs::default());
    let stores = Stores::none().with("db", Arc::clone(&store) as _);
    let resolution = stores
        .resolve(&bindings(&["db:lent/app#user", "db:lent/app#nothing"]))
        .await;
    assert!(resolution.values.values().any(Result::is_err));
    drop(resolution);
    stores.finish(Duration::from_secs(60)).await;
    assert_eq!(store.revoked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_test_says_whether_it_is_there_and_gives_back_what_that_took() {
    let store = Arc::new(Pairs::default());
    let stores = Stores::none().with("db", Arc::clone(&store) as _);
    let test = async |from: &str| {
        let mut resolution = stores.resolve([&binding(from)]).await;
        Presence::of(resolution.values.pop_first().unwrap().1)
    };
    assert_eq!(test("db:lent/app#user").await.unwrap(), Presence::Present);
    assert_eq!(test("db:lent/app#none").await.unwrap(), Presence::Absent);
    assert!(test("nostore:x").await.is_err());
    stores.finish(Duration::from_secs(60)).await;
    assert_eq!(store.revoked.load(Ordering::SeqCst), 2);
}

fn open(text: &str) -> Result<Stores, OpenError> {
    let policy = Policy::from_toml(text).unwrap();
    Stores::open(&policy, std::path::Path::new("/nowhere"), None)
}

#[tokio::test]
async fn a_policy_with_a_store_or_reference_that_cannot_be_does_not_open() {
    const VAULT: &str =
        "[store.vault]\nkind='vault'\naddress='https://v.test'\nlogin={token='file:t'}\n";
    let secret = |from: &str| format!("{VAULT}[[secret]]\nname='api'\nfrom='{from}'\n");
    assert!(open(&secret("vault:kv/a#b")).is_ok());
    for (text, named) in [
        (secret("vult:kv/a#b"), "[store.vult]"),
        (secret("vault:kv"), "the mount and the path"),
        (secret("vault:kv/../sys#b"), "has to be a name"),
        (secret("vault:kv//a#b"), "has to be a name"),
        (secret("vault:kv/a?version=new#b"), "versions are numbers"),
        (secret("env:A?version=1"), "no versions"),
        (VAULT.replace("https", "http"), "plain-http"),
        (
            VAULT.replace("file:t", "env:NO_SUCH_TOKEN"),
            "NO_SUCH_TOKEN",
        ),
        (format!("{VAULT}ca='none.pem'"), "none.pem"),
        (
            format!("{VAULT}namespace='a\\nb'").replace('\'', "\""),
            "namespace",
        ),
    ] {
        let error = open(&text)
            .err()
            .unwrap_or_else(|| panic!("{text} was taken"));
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[cfg(not(feature = "gcp"))]
#[test]
fn a_kind_that_is_not_built_in_is_told_with_the_feature_that_has_it() {
    let error = open("[store.cloud]\nkind='gcp'\nproject='p'\n")
        .err()
        .unwrap();
    assert!(error.to_string().contains("--features gcp"), "{error}");
}
