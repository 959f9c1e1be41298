//! Requests, through both doors.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;
use wharf_plugin::bindings::wharf::plugin::http::{self, Request, Response};
use wharf_plugin::bindings::wharf::plugin::http_credentials::{self, Credential};

type Headers = Vec<(String, Vec<u8>)>;

/// What came back.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Answer {
    fn new(status: u16, headers: &[(String, Vec<u8>)], body: &[u8]) -> Self {
        Self {
            status,
            headers: headers.iter().map(|(n, v)| (n.clone(), text(v))).collect(),
            body: text(body),
        }
    }
}

/// Through `wharf:plugin/http`, or with a credential through `http-credentials`.
pub(crate) fn plain(
    method: &str,
    url: &str,
    headers: Headers,
    body: Option<Vec<u8>>,
    attach: Option<&str>,
) -> Result<Answer, String> {
    let request = Request {
        method: method.to_owned(),
        url: url.to_owned(),
        headers,
        body,
        timeout: None,
    };
    let sent = match attach {
        None => http::send(&request),
        Some(name) => {
            let credential = Credential::open(name).map_err(|error| format!("{error:?}"))?;
            http_credentials::send(&request, &credential)
        }
    };
    let Response {
        status,
        headers,
        body,
    } = sent.map_err(|error| format!("{error:?}"))?;
    Ok(Answer::new(status, &headers, &body))
}

/// Through `wasi:http` 0.2.
pub(crate) fn wasi(
    scheme: &str,
    authority: &str,
    method: &str,
    path: &str,
    headers: &[(String, Vec<u8>)],
    body: Option<&[u8]>,
) -> Result<Answer, String> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields
            .append(name, value)
            .map_err(|error| format!("header {name}: {error:?}"))?;
    }
    let request = OutgoingRequest::new(fields);
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let bad = |part: &'static str| move |()| format!("{part} refused");
    request.set_scheme(Some(&scheme)).map_err(bad("scheme"))?;
    request
        .set_authority(Some(authority))
        .map_err(bad("authority"))?;
    request
        .set_path_with_query(Some(path))
        .map_err(bad("path"))?;
    request
        .set_method(&Method::Other(method.to_owned()))
        .map_err(bad("method"))?;
    let outgoing = request.body().map_err(bad("body"))?;
    let response = outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
    if let Some(body) = body {
        let stream = outgoing.write().map_err(bad("stream"))?;
        for chunk in body.chunks(4096) {
            stream
                .blocking_write_and_flush(chunk)
                .map_err(|error| format!("writing: {error:?}"))?;
        }
    }
    OutgoingBody::finish(outgoing, None).map_err(|code| format!("{code:?}"))?;
    response.subscribe().block();
    let response = response
        .get()
        .ok_or("no answer")?
        .map_err(|()| "taken twice")?
        .map_err(|code| format!("{code:?}"))?;
    let incoming = response.consume().map_err(bad("response"))?;
    let stream = incoming.stream().map_err(bad("stream"))?;
    let mut whole = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(bytes) => whole.extend(bytes),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
    drop(stream);
    Ok(Answer::new(
        response.status(),
        &response.headers().entries(),
        &whole,
    ))
}
