//! Everything in large numbers.

use std::io::Write;

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::Fields;
use wharf_plugin::bindings::wharf::plugin::http::Request;
use wharf_plugin::bindings::wharf::plugin::http_credentials::{self, Credential};
use wharf_plugin::bindings::wharf::plugin::secrets::{
    DigestAlgorithm, JwtRequest, Secret, SignatureAlgorithm,
};
use wharf_plugin::bindings::wharf::plugin::signed_http::{self, Authentication};
use wharf_plugin::bindings::wharf::plugin::{config, control, log, output, progress, reveal};

/// Does one thing so many times, with so many bytes each time. Requests go to that URL.
pub(crate) fn make(what: &str, count: u64, bytes: usize, url: &str) -> Result<String, String> {
    let text = "n".repeat(bytes);
    for n in 0..count {
        match what {
            "log" => log::log(log::Level::Info, &text, &[]),
            "fields" => log::log(
                log::Level::Info,
                "f",
                &vec![(text.clone(), text.clone()); 8],
            ),
            "fields-empty" => {
                log::log(
                    log::Level::Info,
                    "",
                    &vec![(String::new(), String::new()); 1000],
                );
            }
            "progress" => progress::report(Some(0.5), &text),
            "stdout" => println!("{text}"),
            "stderr" => eprintln!("{text}"),
            "stdout-without-end" => {
                print!("{text}");
                std::io::stdout().flush().map_err(|e| e.to_string())?;
            }
            "output" => {
                if let Err(error) = output::write(text.as_bytes()) {
                    return Ok(format!("{n} then {error:?}"));
                }
            }
            "config" => drop(config::get(&text)),
            "config-names" => drop(config::names()),
            "control" => drop(control::cancelled()),
            "random" => drop(wasip2::random::random::get_random_bytes(bytes as u64)),
            "insecure-random" => {
                drop(wasip2::random::insecure::get_insecure_random_bytes(
                    bytes as u64,
                ));
            }
            "clocks" => drop(monotonic_clock::now()),
            "pollables" => std::mem::forget(monotonic_clock::subscribe_duration(u64::MAX)),
            "poll" => {
                let all: Vec<_> = (0..bytes)
                    .map(|_| monotonic_clock::subscribe_duration(0))
                    .collect();
                drop(wasip2::io::poll::poll(&all.iter().collect::<Vec<_>>()));
            }
            "fields-resource" => std::mem::forget(Fields::new()),
            "header-fields" => {
                let fields = Fields::new();
                for _ in 0..100_000 {
                    if let Err(error) = fields.append("x", text.as_bytes()) {
                        return Ok(format!("{error:?}"));
                    }
                }
            }
            "secrets" => std::mem::forget(Secret::open("signing")),
            "credentials" => std::mem::forget(Credential::open("attached")),
            "name-of-secret" => drop(Secret::open(&text)),
            "name-of-credential" => drop(Credential::open(&text)),
            "name-to-reveal" => drop(reveal::reveal(&text)),
            "reveal" => drop(reveal::reveal("revealed")),
            "sign" => {
                let key = open("key")?;
                let algorithm = SignatureAlgorithm::EcdsaP256Sha256Fixed;
                let signed = key.sign(algorithm, text.as_bytes());
                drop(signed.map_err(|e| format!("{e:?}"))?);
            }
            "jwt" => {
                let request = JwtRequest {
                    claims: format!(r#"{{"sub":"{text}"}}"#),
                    algorithm: None,
                    key_id: None,
                    lifetime: None,
                };
                let token = open("key")?.jwt(&request);
                drop(token.map_err(|e| format!("{e:?}"))?);
            }
            "attach" => {
                let credential = Credential::open("attached").map_err(|e| format!("{e:?}"))?;
                drop(http_credentials::send(&request(url, &text), &credential));
            }
            "signed-http" => {
                let how = Authentication::Basic(text.clone());
                drop(signed_http::send(
                    &request(url, ""),
                    &open("signing")?,
                    &how,
                ));
            }
            "hmac" => {
                let done = open("signing")?.hmac(DigestAlgorithm::Sha512, text.as_bytes());
                drop(done.map_err(|e| format!("{e:?}"))?);
            }
            other => return Err(format!("there is no {other}")),
        }
    }
    Ok(format!("{count}"))
}

fn open(name: &str) -> Result<Secret, String> {
    Secret::open(name).map_err(|error| format!("{error:?}"))
}

fn request(url: &str, body: &str) -> Request {
    Request {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Some(body.as_bytes().to_vec()),
        timeout: None,
    }
}
