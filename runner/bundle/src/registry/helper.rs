//! Credential helpers: programs called `docker-credential-NAME` that know a registry's credentials.

use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::RegistryError;
use super::credentials::{Credentials, SecretText};

/// The most that a helper may answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;
/// A helper may ask its user something.
const PATIENCE: Duration = Duration::from_secs(120);
/// What every helper says where it has no credentials.
const NOT_FOUND: &str = "credentials not found";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: SecretText,
}

/// Asks a helper. `None` if it has no credentials for that registry.
pub(super) async fn ask(name: &str, key: &str) -> Result<Option<Credentials>, RegistryError> {
    let program = format!("docker-credential-{name}");
    let failed = |why: String| RegistryError::Credentials(format!("{program}: {why}"));
    let asked = tokio::time::timeout(PATIENCE, run(&program, key)).await;
    let (succeeded, answer) = match asked {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => {
            return Err(failed(format!(
                "it did not answer in {} s",
                PATIENCE.as_secs()
            )));
        }
    };
    if !succeeded {
        // Helpers say their errors on stdout; only this one is safe to tell from a secret.
        return match std::str::from_utf8(&answer).is_ok_and(|said| said.contains(NOT_FOUND)) {
            true => Ok(None),
            false => Err(failed(
                "it failed; what it said on stderr stands above".to_owned(),
            )),
        };
    }
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| failed("its answer is not JSON with Username and Secret".to_owned()))?;
    Ok(Some(Credentials::of(
        answer.username,
        SecretString::from(answer.secret.get().unwrap_or_default()),
    )))
}

/// Whether it succeeded, and what it said.
async fn run(program: &str, key: &str) -> std::io::Result<(bool, Zeroizing<Vec<u8>>)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read what it is asked is told by its answer.
        let _ = stdin.write_all(key.as_bytes()).await;
    }
    let mut answer = Zeroizing::new(Vec::new());
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MAX_ANSWER + 1).read_to_end(&mut answer).await?;
    }
    if answer.len() as u64 > MAX_ANSWER {
        return Err(std::io::Error::other("it said far too much"));
    }
    Ok((child.wait().await?.success(), answer))
}
