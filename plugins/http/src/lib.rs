//! The `http` plugin: one action, `request`, that sends one HTTP request and says what came back.
//!
//! It holds no credentials: the host adds those that the operator bound to a destination. It decides
//! nothing about where a request may go: the grant does, for every hop.

mod body;
mod input;
mod output;

use wharf_plugin::http::Client;
use wharf_plugin::{Error, http, log};

use input::{Expected, Input};
use output::Output;

/// Sends an HTTP request and gives the answer. Credentials that the operator bound to the
/// destination are added on the way. Retries only where RFC 9110 calls the method idempotent.
#[wharf_plugin::action]
fn request(input: Input) -> Result<Output, Error> {
    let request = input.to_request()?;
    let response = Client::new()
        .follow_redirects(input.follow_redirects)
        .retry(http::Retry::times(input.retries))
        .send(&request)?;
    log::info(
        "answered",
        &[
            ("method", request.method()),
            ("status", &response.status()),
            ("bytes", &response.body().len()),
            ("attempts", &response.attempts()),
        ],
    );

    if let Some(limit) = input.max_response_bytes
        && response.body().len() as u64 > limit
    {
        let message = format_args!(
            "the response has {} bytes, more than max_response_bytes = {limit}",
            response.body().len()
        );
        return Err(Error::failed("http-too-large", message));
    }
    if !Expected::holds(&input.expect_status, response.status()) {
        return Err(response.status_error());
    }
    Ok(Output::from(response))
}

wharf_plugin::export!(request);

#[cfg(test)]
mod tests;
