//! AWS Signature Version 4, in headers: from the parts of a request to what is added to it.
//!
//! A function of its inputs: no clock, no configuration, no log. The canonical request is built
//! as the AWS documentation says, and checked against AWS's published test vectors.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use ::http::header::HOST;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::percent;

/// What stands for the digest of a body that is not signed.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Headers that proxies change, or that are set after signing.
const NOT_SIGNED: [&str; 6] = [
    "accept-encoding",
    "authorization",
    "expect",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
];

/// What is not encoded in a canonical path, besides letters and digits.
const PATH: &[u8] = b"-_.~/";

/// How the path is written in the canonical request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathStyle {
    /// Decoded, and encoded once in the one way that there is: a service whose paths are names of
    /// objects signs the name, however it was written. S3 wants this, with no segment left out.
    OfObject,
    /// Without empty and dot segments, and encoded once more. Every other service wants this.
    Normalised,
}

impl PathStyle {
    /// The one that a service wants. Those that only begin as S3 does, such as `s3tables`, are
    /// services like any other.
    pub(super) fn of(service: &str) -> Self {
        match service {
            "s3" | "s3express" | "s3-object-lambda" | "s3-outposts" => Self::OfObject,
            _ => Self::Normalised,
        }
    }
}

/// Why a request cannot be signed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsignable {
    /// What is signed would depend on how its bytes are read.
    #[error(
        "the header `{0}` has characters that are not ASCII, and services do not agree on how those are signed: encode its value"
    )]
    NotAscii(HeaderName),
}

/// A request to be signed.
pub(super) struct Signable<'a> {
    pub(super) method: &'a str,
    /// Host, and the port where it is not the usual one.
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// All headers but `host`, with the date and all else that is to be signed.
    pub(super) headers: &'a HeaderMap,
    /// The digest of the body in hexadecimal, or [`UNSIGNED`].
    pub(super) payload: &'a str,
}

/// For what, and with which key.
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) key_id: &'a str,
    pub(super) secret_key: &'a str,
    pub(super) path: PathStyle,
}

/// A moment as signatures write it, such as `20150830T123600Z`.
pub(super) struct Moment(String);

impl Moment {
    pub(super) fn of(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .as_ref()
            .map_or(0, Duration::as_secs);
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        Self(format!(
            "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"
        ))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn day(&self) -> &str {
        &self.0[..8]
    }
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar. Counts in years
/// that begin in March, so that the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year + u64::from(month <= 2);
    (year, month, day - (153 * shifted + 2) / 5 + 1)
}

/// The digest of a body, in hexadecimal.
pub(super) fn payload(body: &[u8]) -> String {
    hex::encode(digest::digest(&SHA256, body))
}

/// The value of the `authorization` header.
///
/// # Errors
/// There is no saying what a service would take as signed.
pub(super) fn authorization(
    request: &Signable<'_>,
    scope: &Scope<'_>,
    now: &Moment,
) -> Result<String, Unsignable> {
    let (canonical, signed) = canonical(request, scope.path)?;
    let area = format!(
        "{}/{}/{}/aws4_request",
        now.day(),
        scope.region,
        scope.service
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{area}\n{}",
        now.as_str(),
        payload(canonical.as_bytes())
    );
    let signature = hex::encode(mac(&signing_key(scope, now), to_sign.as_bytes()));
    Ok(format!(
        "AWS4-HMAC-SHA256 Credential={}/{area}, SignedHeaders={signed}, Signature={signature}",
        scope.key_id
    ))
}

/// The key of one day, region and service.
fn signing_key(scope: &Scope<'_>, now: &Moment) -> Zeroizing<Vec<u8>> {
    let mut first = Zeroizing::new(Vec::with_capacity(4 + scope.secret_key.len()));
    first.extend_from_slice(b"AWS4");
    first.extend_from_slice(scope.secret_key.as_bytes());
    let mut key = mac(&first, now.day().as_bytes());
    for part in [scope.region, scope.service, "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    key
}

fn mac(key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    Zeroizing::new(hmac::sign(&key, message).as_ref().to_vec())
}

/// The canonical request, and the names of the headers that are signed.
fn canonical(request: &Signable<'_>, style: PathStyle) -> Result<(String, String), Unsignable> {
    let mut text = String::with_capacity(512);
    text.push_str(request.method);
    text.push('\n');
    match style {
        PathStyle::OfObject => {
            let name = percent::decode_path(request.path.as_bytes());
            percent::encode_into(&mut text, &name, PATH);
        }
        PathStyle::Normalised => {
            percent::encode_into(&mut text, normalised(request.path).as_bytes(), PATH);
        }
    }
    text.push('\n');
    text.push_str(&canonical_query(request.query));
    text.push('\n');
    let mut names: Vec<&HeaderName> = request
        .headers
        .keys()
        .filter(|name| !NOT_SIGNED.contains(&name.as_str()))
        .collect();
    names.push(&HOST);
    names.sort_unstable_by_key(|name| name.as_str());
    for name in &names {
        text.push_str(name.as_str());
        text.push(':');
        if **name == HOST {
            text.push_str(request.host);
        }
        for (at, value) in request.headers.get_all(*name).iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            let value = ascii(value).ok_or_else(|| Unsignable::NotAscii((*name).clone()))?;
            push_collapsed(&mut text, value);
        }
        text.push('\n');
    }
    let names: Vec<&str> = names.into_iter().map(HeaderName::as_str).collect();
    let signed = names.join(";");
    // Writing to a string does not fail.
    let _ = write!(text, "\n{signed}\n{}", request.payload);
    Ok((text, signed))
}

/// A value of which every reader sees the same characters.
fn ascii(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes())
        .ok()
        .filter(|text| text.is_ascii())
}

/// Without spaces around, and with one for each run of them within.
fn push_collapsed(text: &mut String, value: &str) {
    for (at, word) in value
        .split([' ', '\t'])
        .filter(|w| !w.is_empty())
        .enumerate()
    {
        if at > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
}

/// A path without empty segments and dots. A slash at the end stays.
fn normalised(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut text = format!("/{}", kept.join("/"));
    if path.ends_with('/') && !kept.is_empty() {
        text.push('/');
    }
    text
}

/// Names and values, encoded alike and sorted.
fn canonical_query(query: &str) -> String {
    let encoded = |part: &str| {
        let mut text = String::with_capacity(part.len());
        let plain = percent::decode_query(part.as_bytes());
        percent::encode_into(&mut text, &plain, percent::UNRESERVED);
        text
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
