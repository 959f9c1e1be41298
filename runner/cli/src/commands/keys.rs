//! Keys of the command line: `wharf keygen`, and how a key and its password are named.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use wharf_bundle::SigningKey;
use wharf_policy::Digest;

use crate::exit::{Context, Exit, Failure, Result};
use crate::terminal;

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// The folder to write wharf.key and wharf.pub into; never overwrites a key
    dir: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What stands before the name of an environment variable that holds a key, as cosign spells it.
const ENVIRONMENT: &str = "env://";

/// Opens the encrypted key that a path or `env://NAME` names.
pub(super) fn open(key: &str) -> Result<SigningKey> {
    let cannot = || format!("cannot use {key}");
    let Some(variable) = key.strip_prefix(ENVIRONMENT) else {
        let password = password("password of the key: ", false)?;
        return SigningKey::load(Path::new(key), &password).or_exit(Exit::Usage, cannot());
    };
    // By the system's own type: a variable that is not text is said to be there.
    let pem: SecretString = match std::env::var(variable) {
        Ok(pem) => pem.into(),
        Err(error) => {
            return Err(Failure::usage(format!("{}: {variable}: {error}", cannot()))
                .help("set the variable to the whole content of the key file"));
        }
    };
    let password = password("password of the key: ", false)?;
    SigningKey::from_encrypted_pem(pem.expose_secret(), &password).or_exit(Exit::Usage, cannot())
}

/// The password of a key, from the environment or from whoever sits there.
pub(super) fn password(prompt: &str, twice: bool) -> Result<SecretString> {
    if let Ok(password) = std::env::var("WHARF_KEY_PASSWORD") {
        return Ok(password.into());
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|error| {
            Failure::usage(format!("no password for the key: {error}"))
                .help("set WHARF_KEY_PASSWORD where there is no terminal to ask at")
        })
    };
    let first = ask(prompt)?;
    if twice && ask("the same again: ")? != first {
        return Err(Failure::usage("the two passwords differ").help("run the command again"));
    }
    Ok(first.into())
}

impl Keygen {
    pub(crate) fn run(self) -> Result<Exit> {
        let password = password("password for the new key: ", true)?;
        let made = write_key_pair(&self.dir, &password)?;
        if self.json {
            terminal::print_json(&json!({
                "ok": true,
                "key": made.private,
                "public-key": made.public,
                "fingerprint": made.fingerprint,
            }));
        } else {
            terminal::print(made.private.display());
            terminal::print(made.public.display());
        }
        Ok(Exit::Done)
    }
}

/// A key pair that was made: its files, and what names it.
pub(crate) struct Made {
    pub(crate) private: PathBuf,
    pub(crate) public: PathBuf,
    pub(crate) fingerprint: Digest,
}

/// Makes a key pair in a folder.
pub(crate) fn write_key_pair(dir: &Path, password: &SecretString) -> Result<Made> {
    let key = SigningKey::generate().or_exit(Exit::Usage, "cannot make a key")?;
    let (private, public) = wharf_bundle::write_key_pair(dir, &key, password)
        .or_exit(Exit::Usage, "cannot write the key")?;
    Ok(Made {
        private,
        public,
        fingerprint: key.public().fingerprint(),
    })
}
