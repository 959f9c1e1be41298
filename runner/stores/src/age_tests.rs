use std::os::unix::fs::PermissionsExt;

use age::secrecy::ExposeSecret;
use age::{Encryptor, x25519};
use wharf_policy::Period;

use super::*;
use crate::Trouble;

struct World {
    folder: tempfile::TempDir,
    key: x25519::Identity,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            key: x25519::Identity::generate(),
        };
        let text = format!("# a comment\n{}\n", world.key.to_string().expose_secret());
        world.write("key.txt", text.as_bytes(), 0o600);
        world
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn open(&self) -> Result<AgeStore, Unusable> {
        let config = AgeConfig {
            identity: "key.txt".to_owned(),
            cache: Period::secs(1),
        };
        AgeStore::open(&config, self.folder.path())
    }

    async fn get(&self, path: &str, field: Option<&str>) -> Result<SecretValue, StoreError> {
        let place = Place {
            path: path.to_owned(),
            version: None,
        };
        let document = self.open().unwrap().fetch(&place).await?;
        document.value(&place, field)
    }
}

#[tokio::test]
async fn a_file_for_this_machine_is_opened_in_armour_or_not() {
    let world = World::new();
    let recipient = world.key.to_public();
    let text = br#"{"token": "hunter2hunter2"}"#;
    world.write("plain.age", &age::encrypt(&recipient, text).unwrap(), 0o644);
    let armoured = age::encrypt_and_armor(&recipient, b"hunter2hunter2\n").unwrap();
    world.write("armoured.age", armoured.as_bytes(), 0o644);
    let token = world.get("plain.age", Some("token")).await.unwrap();
    assert_eq!(token.expose(), b"hunter2hunter2");
    let whole = world.get("armoured.age", None).await.unwrap();
    assert_eq!(whole.expose(), b"hunter2hunter2");
}

#[tokio::test]
async fn a_file_for_another_machine_for_a_passphrase_or_tampered_with_stays_closed() {
    let world = World::new();
    let other = x25519::Identity::generate().to_public();
    world.write(
        "other.age",
        &age::encrypt(&other, b"hunter2hunter2").unwrap(),
        0o600,
    );
    let mut sealed = Vec::new();
    let mut writer = Encryptor::with_user_passphrase("abc".to_owned().into())
        .wrap_output(&mut sealed)
        .unwrap();
    std::io::Write::write_all(&mut writer, b"hunter2hunter2").unwrap();
    writer.finish().unwrap();
    world.write("passphrase.age", &sealed, 0o600);
    let mut broken = age::encrypt(&world.key.to_public(), b"hunter2hunter2").unwrap();
    *broken.last_mut().unwrap() ^= 1;
    world.write("broken.age", &broken, 0o600);
    for (path, trouble) in [
        ("other.age", Trouble::Denied),
        ("passphrase.age", Trouble::Denied),
        ("broken.age", Trouble::Unusable),
        ("none.age", Trouble::Absent),
    ] {
        let error = world.get(path, None).await.unwrap_err();
        assert_eq!(error.trouble(), trouble, "{path}: {error}");
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[tokio::test]
async fn a_secret_that_is_too_large_is_refused_after_decryption_too() {
    let world = World::new();
    let sealed = age::encrypt(&world.key.to_public(), &[b'x'; LARGEST + 1]).unwrap();
    world.write("large.age", &sealed, 0o600);
    let error = world.get("large.age", None).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge(_)), "{error}");
}

#[test]
fn identities_that_others_can_read_or_that_are_none_keep_the_runner_from_starting() {
    let world = World::new();
    world.write("key.txt", b"nonsense with AGE-SECRET-KEY in it\n", 0o600);
    let Err(Unusable::Table(why)) = world.open() else {
        panic!("it was taken");
    };
    assert!(!why.contains("AGE-SECRET-KEY"), "{why}");
    world.write("key.txt", b"", 0o644);
    assert!(matches!(
        world.open(),
        Err(Unusable::Part(StoreError::Exposed { .. }))
    ));
}
