//! The `notify` plugin: one action, `webhook`, that delivers a payload to a URL, signed if asked.
//!
//! The signature is computed by the host: the key never comes here.

mod input;
mod sign;

use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::Serialize;
use wharf_plugin::http::{self, Client, Retry};
use wharf_plugin::{Error, control, log};

use input::Input;

/// The header by which a receiver knows that it has seen a delivery before.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What became of the delivery.
#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The status that the receiver answered with, from 200 to 299.
    status: u16,
    /// How often the webhook was sent by this attempt at the execution.
    attempts: u32,
    /// The value of the `idempotency-key` header: the same for every try at this execution. It is
    /// the execution's own unless the input sets another.
    idempotency_key: String,
}

/// Posts a payload to a URL, signed with an HMAC if asked. Tries again where that may help; a
/// receiver tells repeats by their idempotency key.
#[wharf_plugin::action(idempotent)]
fn webhook(input: Input) -> Result<Output, Error> {
    let (body, content_type) = input.payload.bytes();
    // The same for every try, of this attempt and the next: that is what makes repeats harmless.
    let key = control::call().execution;

    let mut request = http::post(&input.url).body(body);
    for (name, value) in &input.headers {
        request = request.header(name, value.as_str());
    }
    if !request.headers().contains("content-type") {
        request = request.header("content-type", content_type);
    }
    if !request.headers().contains(IDEMPOTENCY_KEY) {
        request = request.header(IDEMPOTENCY_KEY, key.as_str());
    }
    if let Some(ms) = input.timeout_ms {
        request = request.timeout(Duration::from_millis(ms));
    }
    if let Some(sign) = &input.sign {
        request = sign.apply(request, now()?)?;
    }

    let headers = request.headers();
    let idempotency_key = headers.get(IDEMPOTENCY_KEY).unwrap_or(&key).to_owned();
    let retry = Retry::times(input.retries).repeatable();
    let response = Client::new()
        .retry(retry)
        .send(&request)?
        .error_for_status()?;
    let attempts = response.attempts();
    log::info(
        "delivered",
        &[("status", &response.status()), ("attempts", &attempts)],
    );
    Ok(Output {
        status: response.status(),
        attempts,
        idempotency_key,
    })
}

/// Seconds since 1970.
fn now() -> Result<u64, Error> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Ok(now
        .map_err(|_| Error::other("the clock of the runner is set before 1970; set it"))?
        .as_secs())
}

wharf_plugin::export!(webhook);

#[cfg(test)]
mod tests;
