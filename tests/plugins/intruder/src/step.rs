//! The steps of a script.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wharf_plugin::bindings::wharf::plugin::secrets::{
    DigestAlgorithm, JwtRequest, Secret, SignatureAlgorithm,
};
use wharf_plugin::bindings::wharf::plugin::{config, log, output, progress, reveal};

use crate::{forge, http, noise, sockets};

/// One step.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Step {
    /// A request through `wharf:plugin/http`.
    Http {
        url: String,
        #[serde(default = "get")]
        method: String,
        #[serde(default)]
        headers: Vec<(String, String)>,
        body: Option<String>,
        attach: Option<String>,
    },
    /// A request through `wasi:http`.
    Wasi {
        #[serde(default = "plain")]
        scheme: String,
        authority: String,
        #[serde(default = "get")]
        method: String,
        path: String,
        #[serde(default)]
        headers: Vec<(String, String)>,
        body: Option<String>,
    },
    /// A request with what an earlier step saw, which is put wherever it says `SEEN`, whole or,
    /// where it says `HALF1` and `HALF2`, in two.
    Relay {
        from: usize,
        pick: String,
        url: String,
        #[serde(default)]
        headers: Vec<(String, String)>,
        body: Option<String>,
    },
    /// A message authentication code.
    Hmac { name: String, message: String },
    /// A signature with ECDSA on P-256.
    Sign { name: String, message: String },
    /// A token with these claims.
    Jwt { name: String, claims: String },
    /// A secret, as it is.
    Reveal { name: String },
    /// What opening these secrets says, and how long each takes in nanoseconds is not told.
    Open { names: Vec<String> },
    /// A secret by a guessed handle.
    Guess { handle: u32 },
    /// Which run of this instance this is.
    Count,
    /// Words, everywhere, put together from these parts by the guest.
    Say { parts: Vec<String> },
    /// An output, and no other: this ends as `streamed` would not.
    Write { text: String },
    /// Settings.
    Config { name: String },
    /// One thing in large numbers.
    Noise {
        what: String,
        count: u64,
        #[serde(default)]
        bytes: usize,
        /// Where requests go.
        #[serde(default = "nowhere")]
        url: String,
    },
    /// A connection.
    Tcp {
        to: String,
        #[serde(default)]
        send: String,
        receive: usize,
    },
    /// The addresses of a name.
    Lookup { name: String },
    /// A connection to what a name led to, on another port.
    Elsewhere { name: String, port: u16 },
    /// A listening socket.
    Listen { at: String },
    /// A datagram.
    Datagram { to: String },
    /// Connections that are kept.
    Connections { to: String, count: usize },
    /// The environment, the arguments and a file.
    Around,
}

fn get() -> String {
    "GET".to_owned()
}

fn plain() -> String {
    "http".to_owned()
}

fn nowhere() -> String {
    "http://nowhere.test/".to_owned()
}

fn bytes(headers: Vec<(String, String)>) -> Vec<(String, Vec<u8>)> {
    let raw = |(name, value): (String, String)| (name, value.into_bytes());
    headers.into_iter().map(raw).collect()
}

fn told<T: Serialize>(result: Result<T, String>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "err": error }),
    }
}

fn hmac(name: &str, message: &str) -> Result<String, String> {
    let secret = Secret::open(name).map_err(|error| format!("{error:?}"))?;
    let mac = secret.hmac(DigestAlgorithm::Sha256, message.as_bytes());
    mac.map(hex).map_err(|error| format!("{error:?}"))
}

fn sign(name: &str, message: &str) -> Result<String, String> {
    let secret = Secret::open(name).map_err(|error| format!("{error:?}"))?;
    let signed = secret.sign(SignatureAlgorithm::EcdsaP256Sha256Fixed, message.as_bytes());
    signed.map(hex).map_err(|error| format!("{error:?}"))
}

fn jwt(name: &str, claims: String) -> Result<String, String> {
    let secret = Secret::open(name).map_err(|error| format!("{error:?}"))?;
    let request = JwtRequest {
        claims,
        algorithm: None,
        key_id: None,
        lifetime: None,
    };
    secret.jwt(&request).map_err(|error| format!("{error:?}"))
}

fn hex(bytes: Vec<u8>) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn say(parts: &[String]) {
    let text = parts.concat();
    log::log(log::Level::Warn, &text, &[(text.clone(), text.clone())]);
    // And a part at a time, where only a stream could be searched.
    progress::report(None, &text);
    for part in parts {
        print!("{part}");
        eprint!("{part}");
    }
    println!();
    eprintln!();
}

fn around() -> Value {
    json!({
        "env": std::env::vars().collect::<Vec<_>>(),
        "args": std::env::args().collect::<Vec<_>>(),
        "passwd": std::fs::read_to_string("/etc/passwd").map_err(|e| format!("{:?}", e.kind())).err(),
        "write": std::fs::write("/tmp/intruder", "x").map_err(|e| format!("{:?}", e.kind())).err(),
        "here": std::fs::read_dir(".").map(|dir| dir.count()).map_err(|e| format!("{:?}", e.kind())).err(),
        "settings": config::names(),
    })
}

impl Step {
    pub(crate) fn play(self, before: &[Value]) -> Value {
        match self {
            Self::Http {
                url,
                method,
                headers,
                body,
                attach,
            } => told(http::plain(
                &method,
                &url,
                bytes(headers),
                body.map(String::into_bytes),
                attach.as_deref(),
            )),
            Self::Wasi {
                scheme,
                authority,
                method,
                path,
                headers,
                body,
            } => told(http::wasi(
                &scheme,
                &authority,
                &method,
                &path,
                &bytes(headers),
                body.as_deref().map(str::as_bytes),
            )),
            Self::Relay {
                from,
                pick,
                url,
                headers,
                body,
            } => {
                let seen = before.get(from).and_then(|value| value.pointer(&pick));
                let seen =
                    seen.map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
                let seen = seen.unwrap_or_default();
                let middle = seen.floor_char_boundary(seen.len() / 2);
                let fill = |text: String| {
                    text.replace("SEEN", &seen)
                        .replace("HALF1", &seen[..middle])
                        .replace("HALF2", &seen[middle..])
                };
                let one_line = |text: String| fill(text).replace(['\r', '\n'], "~");
                let headers = headers.into_iter().map(|(n, v)| (n, one_line(v))).collect();
                let url = one_line(url).replace(' ', "%20");
                told(http::plain(
                    "POST",
                    &url,
                    bytes(headers),
                    body.map(fill).map(String::into_bytes),
                    None,
                ))
            }
            Self::Hmac { name, message } => told(hmac(&name, &message)),
            Self::Sign { name, message } => told(sign(&name, &message)),
            Self::Jwt { name, claims } => told(jwt(&name, claims)),
            Self::Reveal { name } => told(
                reveal::reveal(&name)
                    .map(|value| String::from_utf8_lossy(&value).into_owned())
                    .map_err(|error| format!("{error:?}")),
            ),
            Self::Open { names } => {
                let open = |name: &String| match Secret::open(name) {
                    Ok(_) => "open".to_owned(),
                    Err(error) => format!("{error:?}"),
                };
                json!({ "ok": names.iter().map(open).collect::<Vec<_>>() })
            }
            Self::Guess { handle } => json!({ "ok": hex(forge::guess(handle)) }),
            Self::Count => json!({ "ok": forge::count() }),
            Self::Say { parts } => {
                say(&parts);
                json!({ "ok": parts.concat() })
            }
            Self::Write { text } => {
                told(output::write(text.as_bytes()).map_err(|e| format!("{e:?}")))
            }
            Self::Config { name } => json!({ "ok": config::get(&name) }),
            Self::Noise {
                what,
                count,
                bytes,
                url,
            } => told(noise::make(&what, count, bytes, &url)),
            Self::Tcp { to, send, receive } => {
                told(sockets::exchange(&to, send.as_bytes(), receive))
            }
            Self::Lookup { name } => told(sockets::lookup(&name, 1)),
            Self::Elsewhere { name, port } => told(sockets::elsewhere(&name, port)),
            Self::Listen { at } => told(sockets::listen(&at)),
            Self::Datagram { to } => told(sockets::datagram(&to, b"x")),
            Self::Connections { to, count } => told(sockets::many(&to, count)),
            Self::Around => json!({ "ok": around() }),
        }
    }
}
