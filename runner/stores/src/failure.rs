//! Why a request failed, in words of our own.
//!
//! What an HTTP or TLS client says of a failure may be the peer's words: the debug bytes with which it
//! ends a connection of HTTP/2, the names in its certificate. So nothing of an error is printed here; its
//! kind is looked at, and that is told.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// What went wrong on the way of a request: nothing of the URL, and nothing that either side said.
pub fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return format!("TLS failed: {}", of_tls(tls));
    }
    let kind = cause::<io::Error>(error).and_then(|error| of_io(error.kind()));
    let (what, why) = match error.is_connect() {
        true if is_unknown_name(error) => ("cannot connect", Some("its name is not found")),
        true => ("cannot connect", kind),
        false => ("the answer broke off", kind),
    };
    why.map_or_else(|| what.to_owned(), |why| format!("{what}: {why}"))
}

/// Whether the one who looked up the name says so: this is how hyper's client calls its errors.
fn is_unknown_name(error: &reqwest::Error) -> bool {
    std::iter::successors(error.source(), |error: &&dyn Error| (*error).source())
        .any(|error| error.to_string() == "dns error")
}

fn of_io(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind as K;
    Some(match kind {
        K::ConnectionRefused => "connection refused",
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => "connection reset",
        K::UnexpectedEof => "connection closed",
        K::HostUnreachable => "host unreachable",
        K::NetworkUnreachable | K::NetworkDown => "network unreachable",
        K::PermissionDenied => "permission denied",
        K::TimedOut => "timed out",
        _ => return None,
    })
}

/// The first cause of this type.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            // One that only wraps another says less than that one.
            return inner(error).and_then(cause).or(Some(found));
        }
        next = inner(error).or_else(|| error.source());
    }
    None
}

/// What an I/O error wraps. That is not its source, but has the same.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(wrapped)
}

/// Enough to know on which side to look.
fn of_tls(error: &rustls::Error) -> String {
    let said = match error {
        rustls::Error::InvalidCertificate(why) => of_certificate(why),
        rustls::Error::NoCertificatesPresented => "it has no certificate",
        // A number of the protocol, by the name that it has there.
        rustls::Error::AlertReceived(alert) => return format!("it sent the alert {alert:?}"),
        rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => {
            "it and this runner have no version or method in common"
        }
        rustls::Error::InvalidMessage(_) => "what it speaks there is no TLS",
        _ => "the connection could not be secured",
    };
    said.to_owned()
}

fn of_certificate(error: &CertificateError) -> &'static str {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => "its certificate is from an unknown issuer",
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "its certificate is not valid for the name in the address"
        }
        E::Expired | E::ExpiredContext { .. } => "its certificate has expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "its certificate is not valid yet",
        E::BadSignature => "its certificate is not signed by the authority that it names",
        E::Revoked => "its certificate was revoked",
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "its certificate is for no server",
        _ => "its certificate is not accepted",
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
