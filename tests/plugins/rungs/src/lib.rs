//! Uses a secret on every rung, one action for each. It must never be published.

use std::sync::atomic::{AtomicU32, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_plugin::http::{self, Authentication, Client, Credential};
use wharf_plugin::secrets::{Digest, Jwt, Secret, SignatureAlgorithm};
use wharf_plugin::{Error, log, progress, reveal};

/// What is told of a body, in bytes.
const SHOWN: usize = 64 * 1024;

/// What to send, and how the host authenticates it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Send {
    /// Where.
    url: String,
    /// How often.
    #[serde(default = "once")]
    times: u32,
    /// How many bytes go with it, if any do.
    #[serde(default)]
    bytes: usize,
    /// The name of the secret, where the plugin names it.
    #[serde(default)]
    secret: Option<String>,
    /// How.
    #[serde(default)]
    how: How,
}

fn once() -> u32 {
    1
}

/// Whether and how the plugin names a credential.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// It does not: at most, the host injects one.
    #[default]
    Plain,
    /// It attaches it.
    Attach,
    /// Bearer, by *operate*.
    Bearer,
    /// Basic authentication, by *operate*.
    Basic,
    /// An AWS signature, by *operate*.
    AwsSigv4,
}

/// What the server answered last.
#[derive(Debug, Serialize, JsonSchema)]
struct Sent {
    status: u16,
    body: String,
}

/// Sends a request, one or more times.
#[wharf_plugin::action]
fn send(input: Send) -> Result<Sent, Error> {
    let request = match input.bytes {
        0 => http::get(&input.url),
        bytes => http::post(&input.url).body(vec![b'x'; bytes]),
    };
    let name = input.secret.as_deref().unwrap_or("key");
    let how = match input.how {
        How::Plain | How::Attach => None,
        How::Bearer => Some(Authentication::Bearer),
        How::Basic => Some(Authentication::basic("user")),
        How::AwsSigv4 => Some(Authentication::aws_sigv4("eu-west-1", "execute-api")),
    };
    let credential = match input.how {
        How::Attach => Some(Credential::open(name)?),
        _ => None,
    };
    let secret = match how {
        Some(_) => Some(Secret::open(name)?),
        None => None,
    };
    let mut sent = None;
    for _ in 0..input.times {
        let client = Client::new();
        let response = match (&credential, &secret, &how) {
            (Some(credential), ..) => client.credential(credential).send(&request)?,
            (_, Some(secret), Some(how)) => client.authenticated(secret, how).send(&request)?,
            _ => client.send(&request)?,
        };
        sent = Some(Sent {
            status: response.status(),
            body: String::from_utf8_lossy(response.body().get(..SHOWN).unwrap_or(response.body()))
                .into_owned(),
        });
    }
    sent.ok_or_else(|| Error::invalid_input("/times", "must not be 0"))
}

/// What to sign.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sign {
    /// The name of the secret.
    secret: String,
    /// The message.
    message: String,
}

/// Signs a message with ECDSA on P-256, and gives the signature's bytes.
#[wharf_plugin::action(idempotent)]
fn sign(input: Sign) -> Result<Vec<u8>, Error> {
    let key = Secret::open(&input.secret)?;
    let algorithm = SignatureAlgorithm::EcdsaP256Sha256Fixed;
    Ok(key.sign(algorithm, input.message.as_bytes())?)
}

/// Authenticates a message with HMAC and SHA-256, and gives the code's bytes.
#[wharf_plugin::action(idempotent)]
fn hmac(input: Sign) -> Result<Vec<u8>, Error> {
    let key = Secret::open(&input.secret)?;
    let code = key.hmac(Digest::Sha256, input.message.as_bytes())?;
    Ok(code.as_bytes().to_vec())
}

/// What to make a token of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Claims {
    /// The name of the secret.
    secret: String,
    /// The subject.
    sub: String,
}

/// Makes a token.
#[wharf_plugin::action(idempotent)]
fn token(input: Claims) -> Result<String, Error> {
    let claims = serde_json::json!({ "sub": input.sub });
    Ok(Secret::open(&input.secret)?.jwt(&Jwt::new(&claims)?)?)
}

/// Which secret to look at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Look {
    /// The name of the secret.
    secret: String,
}

/// What was seen.
#[derive(Debug, Serialize, JsonSchema)]
struct Seen {
    /// The secret.
    value: String,
    /// The runs that this instance has seen, with this one.
    runs: u32,
}

/// Looks at a secret, and says it.
#[wharf_plugin::action(idempotent)]
fn look(input: Look) -> Result<Seen, Error> {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let value = reveal::reveal(&input.secret)?;
    Ok(Seen {
        value: String::from_utf8_lossy(&value).into_owned(),
        runs: RUNS.fetch_add(1, Ordering::Relaxed) + 1,
    })
}

/// Which secret to tell, and where besides the log and the progress.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tell {
    /// The name of the secret.
    secret: String,
    /// Whether to give it as the output. Otherwise it is the error.
    #[serde(default)]
    as_output: bool,
    /// Where to send a request before the end: while there is no answer, the progress can be seen.
    #[serde(default)]
    url: Option<String>,
}

/// Looks at a secret, and says it everywhere: in the log, in a field, in the progress, on standard output
/// and error, and in the output or the error and its details.
#[wharf_plugin::action]
fn tell(input: Tell) -> Result<String, Error> {
    let value = reveal::reveal(&input.secret)?;
    let text = String::from_utf8_lossy(&value).into_owned();
    log::warn(&format!("it is {text}"), &[("secret", &text)]);
    progress::report(None, &format!("saying {text}"));
    println!("stdout: {text}");
    eprintln!("stderr: {text}");
    if let Some(url) = input.url {
        http::get(&url).send()?;
    }
    if input.as_output {
        return Ok(text);
    }
    let message = format!("the secret is {text}");
    Err(Error::failed("said", message).with_details(serde_json::json!({ "secret": text })))
}

wharf_plugin::export!(send, sign, hmac, token, look, tell);
