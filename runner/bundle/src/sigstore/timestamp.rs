//! RFC 3161 timestamps: that a signature existed at a time, by the word of an authority.

use jiff::Timestamp;
use sigstore_types::TimeRange;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use super::Rejection;
use super::chain::{Authority, Purpose, is_valid_at};
use super::token::Token;
use super::trusted_root::TrustRoot;

/// A timestamp authority that the root trusts for a time.
pub(super) struct TimestampAuthority {
    /// Whose tokens are believed. Without it, of anybody to whom the authority gave a certificate for
    /// timestamps.
    signer: Option<Certificate>,
    /// Who issued that certificate; nobody if it stands alone in the root.
    issuer: Option<Authority>,
    trusted: Option<TimeRange>,
}

impl TimestampAuthority {
    /// From a chain that begins with the certificate that signs, or with one that issues such.
    ///
    /// # Errors
    /// It is empty, or one of it is not a certificate.
    pub(super) fn read(chain: &[&[u8]], trusted: Option<TimeRange>) -> Result<Self, String> {
        let first = *chain.first().ok_or("an authority has no certificate")?;
        let first = Certificate::from_der(first).map_err(|error| error.to_string())?;
        let (signer, issuers) = if is_authority(&first) {
            (None, chain)
        } else {
            (Some(first), chain.get(1..).unwrap_or_default())
        };
        let issuer = match issuers {
            [] => None,
            some => Some(Authority::read(some.iter().copied(), None)?),
        };
        Ok(Self {
            signer,
            issuer,
            trusted,
        })
    }

    /// Whose token it is, if it is one of this authority.
    fn signer_of<'t>(&'t self, token: &'t Token) -> Option<&'t Certificate> {
        let known = self.signer.as_ref();
        match known {
            Some(known) => Some(known).filter(|known| token.names(known)),
            None => token.certificates.iter().find(|given| token.names(given)),
        }
    }

    /// The authority must itself have been trusted at the time that it gives: the window of one authority says
    /// nothing about the tokens of another.
    fn check(&self, token: &Token, signer: &Certificate) -> Result<(), String> {
        let time = token.time;
        check_profile(signer)?;
        if !is_valid_at(signer, time) {
            return Err(format!(
                "the certificate of its authority was not valid at {time}"
            ));
        }
        if let Some(issuer) = &self.issuer {
            let others: Vec<Vec<u8>> = match self.signer {
                Some(_) => Vec::new(),
                None => token
                    .certificates
                    .iter()
                    .filter_map(|certificate| certificate.to_der().ok())
                    .collect(),
            };
            let der = signer.to_der().map_err(|error| error.to_string())?;
            issuer.issuer_of(&der, &others, Purpose::TimeStamping, time)?;
        }
        token.check_signed_by(signer)?;
        if self.trusted.is_some_and(|window| !window.contains(time)) {
            return Err(format!("its authority was not trusted at {time}"));
        }
        Ok(())
    }
}

/// Checks every timestamp of a bundle. One that does not verify spoils the bundle, even where
/// another would do: it is there to make something believed.
pub(super) fn verify_all(
    tokens: &[Vec<u8>],
    signature: &[u8],
    root: &TrustRoot,
    now: Timestamp,
) -> Result<Vec<Timestamp>, Rejection> {
    tokens
        .iter()
        .map(|token| {
            let time = verify(token, signature, root).map_err(Rejection::Timestamp)?;
            // A time that has not come proves that somebody's clock is wrong, and nothing else.
            if time > now {
                return Err(Rejection::Timestamp(format!(
                    "its time {time} is in the future"
                )));
            }
            Ok(time)
        })
        .collect()
}

fn verify(token: &[u8], signature: &[u8], root: &TrustRoot) -> Result<Timestamp, String> {
    let token = Token::read(token)?;
    if !token.is_about(signature) {
        return Err("it is about another signature".to_owned());
    }
    let mut why = format!(
        "the trusted root ({}) does not know its authority",
        root.name()
    );
    for authority in root.timestamp_authorities() {
        let Some(signer) = authority.signer_of(&token) else {
            continue;
        };
        match authority.check(&token, signer) {
            Ok(()) => return Ok(token.time),
            Err(error) => why = error,
        }
    }
    Err(why)
}

fn is_authority(certificate: &Certificate) -> bool {
    let constraints = certificate.tbs_certificate.get::<BasicConstraints>();
    matches!(constraints, Ok(Some((_, constraints))) if constraints.ca)
}

/// For timestamps and nothing else (RFC 3161, section 2.3).
fn check_profile(certificate: &Certificate) -> Result<(), String> {
    let tbs = &certificate.tbs_certificate;
    let odd = |error: x509_cert::der::Error| format!("the certificate of its authority: {error}");
    if let Some((_, usage)) = tbs.get::<KeyUsage>().map_err(odd)?
        && !usage.digital_signature()
        && !usage.non_repudiation()
    {
        return Err("the certificate of its authority is not to make signatures".to_owned());
    }
    match tbs.get::<ExtendedKeyUsage>().map_err(odd)? {
        Some((true, usage)) if usage.0 == [*Purpose::TimeStamping.id()] => Ok(()),
        _ => Err(
            "the certificate of its authority is not for timestamps and nothing else".to_owned(),
        ),
    }
}
