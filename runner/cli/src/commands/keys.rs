//! `wharf keygen`, `wharf sign`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;
use wharf_bundle::{SigningKey, signature_path};

use crate::exit::{Context, Exit, Failure, Result};
use crate::{local, terminal};

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// The folder to write wharf.key and wharf.pub into; never overwrites a key
    dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// Any file
    file: PathBuf,
    /// The encrypted key, as `wharf keygen` or cosign write it; the password comes from
    /// WHARF_KEY_PASSWORD or a prompt
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
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
        let (key, public) = write_key_pair(&self.dir, &password)?;
        terminal::print(key.display());
        terminal::print(public.display());
        Ok(Exit::Done)
    }
}

/// Makes a key pair in a folder.
pub(crate) fn write_key_pair(dir: &Path, password: &SecretString) -> Result<(PathBuf, PathBuf)> {
    let key = SigningKey::generate().or_exit(Exit::Usage, "cannot make a key")?;
    wharf_bundle::write_key_pair(dir, &key, password).or_exit(Exit::Usage, "cannot write the key")
}

/// Signs a file: writes the Sigstore bundle beside it.
pub(crate) fn sign_file(file: &Path, key: &SigningKey) -> Result<PathBuf> {
    let bytes = local::read(file)?;
    let bundle = wharf_bundle::sign(&bytes, key)
        .or_exit(Exit::Usage, format_args!("cannot sign {}", file.display()))?;
    let target = signature_path(file);
    fs::write(&target, bundle).or_exit(
        Exit::Usage,
        format_args!("cannot write {}", target.display()),
    )?;
    Ok(target)
}

impl Sign {
    pub(crate) fn run(self) -> Result<Exit> {
        let key = SigningKey::load(&self.key, &password("password of the key: ", false)?).or_exit(
            Exit::Usage,
            format_args!("cannot use {}", self.key.display()),
        )?;
        terminal::print(sign_file(&self.file, &key)?.display());
        Ok(Exit::Done)
    }
}
