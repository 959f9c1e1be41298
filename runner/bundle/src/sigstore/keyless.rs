//! Certificates: their chain, their transparency, and their validity at every time that is proven.

use jiff::Timestamp;

use super::Rejection;
use super::bundle::Entry;
use super::certificate::Leaf;
use super::chain::{Purpose, is_valid_at};
use super::transparency;
use super::trusted_root::TrustRoot;

/// Whether the certificate must be in a certificate transparency log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transparency {
    /// It must be, by now.
    AsOf(Timestamp),
    NotAsked,
}

/// Checks that an authority of the root issued a certificate, at every one of these times, of which
/// there must be one, and its transparency.
pub(super) fn verify(
    leaf: &Leaf<'_>,
    intermediates: &[Vec<u8>],
    entries: &[Entry],
    times: &[Timestamp],
    root: &TrustRoot,
    transparency: Transparency,
) -> Result<(), Rejection> {
    if times.is_empty() {
        return Err(Rejection::NotEnough(
            "no time at which the certificate was valid is proven".to_owned(),
        ));
    }
    let mut issuer_key = Vec::new();
    for time in times {
        if !is_valid_at(&leaf.certificate, *time) {
            return Err(refused(format!("it was not valid at {time}")));
        }
        issuer_key = issuer(leaf, intermediates, *time, root).map_err(refused)?;
    }
    // A time that no one signed proves nothing. One outside contradicts the rest all the same.
    for seconds in entries.iter().filter_map(|entry| entry.integrated_time) {
        let time = Timestamp::from_second(seconds)
            .map_err(|_| Rejection::Log("its integrated time is out of range".to_owned()))?;
        if !is_valid_at(&leaf.certificate, time) {
            return Err(refused(format!(
                "it was not valid at {time}, which its log entry names"
            )));
        }
    }
    match transparency {
        Transparency::AsOf(now) => {
            transparency::check(&leaf.certificate, &issuer_key, root, now).map_err(refused)
        }
        Transparency::NotAsked => Ok(()),
    }
}

/// The key of who issued the certificate. The window of one authority lends nothing to another.
fn issuer(
    leaf: &Leaf<'_>,
    intermediates: &[Vec<u8>],
    time: Timestamp,
    root: &TrustRoot,
) -> Result<Vec<u8>, String> {
    let mut why = format!(
        "the trusted root ({}) has no certificate authority",
        root.name()
    );
    for authority in root.authorities() {
        match authority.issuer_of(leaf.der, intermediates, Purpose::CodeSigning, time) {
            Ok(key) => return Ok(key),
            // Of several, the one that says most is about the authority that issued it.
            Err(error) if why.starts_with("no chain") || !error.starts_with("no chain") => {
                why = error;
            }
            Err(_) => {}
        }
    }
    Err(why)
}

fn refused(why: String) -> Rejection {
    Rejection::Certificate(why)
}
