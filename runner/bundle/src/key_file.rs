//! Writing a new key pair to disk: private for its owner only, and never over another key.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::{KeyError, SigningKey};

/// The file name of the private key.
pub const PRIVATE_KEY_FILE: &str = "wharf.key";

/// The file name of the public key.
pub const PUBLIC_KEY_FILE: &str = "wharf.pub";

/// Writes `wharf.key`, encrypted and readable by its owner only, and `wharf.pub` into a folder,
/// which is made if it is not there. Answers the two paths.
///
/// # Errors
/// One of the files is there already, or cannot be written. Then neither is left behind.
pub fn write_key_pair(
    folder: &Path,
    key: &SigningKey,
    password: &SecretString,
) -> Result<(PathBuf, PathBuf), KeyError> {
    let private = folder.join(PRIVATE_KEY_FILE);
    let public = folder.join(PUBLIC_KEY_FILE);
    let pem = key.to_encrypted_pem(password)?;
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    create(&private, 0o600, pem.as_bytes())?;
    if let Err(error) = create(&public, 0o644, key.public().to_pem().as_bytes()) {
        // It was made just above by this call, so it is nobody's key yet.
        let _ = fs::remove_file(&private);
        return Err(error);
    }
    Ok((private, public))
}

/// Creates a file that is not there, whole or not at all.
fn create(path: &Path, mode: u32, content: &[u8]) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            KeyError::Exists(path.display().to_string())
        } else {
            unwritable(path, &error)
        }
    })?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(path);
        unwritable(path, &error)
    })
}

fn unwritable(path: &Path, error: &io::Error) -> KeyError {
    KeyError::Unwritable {
        path: path.display().to_string(),
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PublicKey;

    #[test]
    fn a_new_pair_is_private_and_opens_with_its_password() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let password = SecretString::from("open sesame");
        let (private, public) =
            write_key_pair(&folder.path().join("keys"), &key, &password).unwrap();
        let opened = SigningKey::load(&private, &password).unwrap();
        assert_eq!(opened.public(), key.public());
        assert_eq!(&PublicKey::load(&public).unwrap(), key.public());
        assert_eq!(
            SigningKey::load(&private, &"wrong".into()).unwrap_err(),
            KeyError::WrongPassword
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&private).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_is_never_overwritten_and_half_a_pair_is_not_left() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let password = SecretString::from("x");
        fs::write(folder.path().join(PUBLIC_KEY_FILE), "mine").unwrap();
        let error = write_key_pair(folder.path(), &key, &password).unwrap_err();
        assert!(matches!(error, KeyError::Exists(_)), "{error}");
        assert!(!folder.path().join(PRIVATE_KEY_FILE).exists());

        fs::write(folder.path().join(PRIVATE_KEY_FILE), "mine").unwrap();
        let error = write_key_pair(folder.path(), &key, &password).unwrap_err();
        assert!(matches!(error, KeyError::Exists(_)), "{error}");
        let kept = fs::read(folder.path().join(PRIVATE_KEY_FILE)).unwrap();
        assert_eq!(kept, b"mine");
    }
}
