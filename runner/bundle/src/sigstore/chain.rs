//! Chains of certificates, up to an authority of the trusted root.
//!
//! The path is found and its signatures are checked by `rustls-webpki`, which takes the end of a path
//! as it is given and looks at no key usage. What it leaves out is checked here, of every
//! certificate above the first.

use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sigstore_types::TimeRange;
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter,
    RequiredEkuNotFoundContext,
};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

const ANY_PURPOSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// What a certificate is issued for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    CodeSigning,
    TimeStamping,
}

impl Purpose {
    /// As an extended key usage (RFC 5280, section 4.2.1.12).
    pub(super) fn id(self) -> &'static ObjectIdentifier {
        static CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
        static TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
        match self {
            Self::CodeSigning => &CODE_SIGNING,
            Self::TimeStamping => &TIME_STAMPING,
        }
    }
}

/// That a certificate is for a purpose, or for any, or does not say. Authorities of one's own often say nothing.
/// The leaf must: its profile is checked by who asks.
struct Among(Purpose);

impl ExtendedKeyUsageValidator for Among {
    fn validate(&self, ids: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let (wanted, any) = (self.0.id().as_bytes(), ANY_PURPOSE.as_bytes());
        let fitting = [wanted, any].map(KeyPurposeId::new);
        let mut says_nothing = true;
        for id in ids {
            if fitting.contains(&id?) {
                return Ok(());
            }
            says_nothing = false;
        }
        match says_nothing {
            true => Ok(()),
            false => Err(webpki::Error::RequiredEkuNotFoundContext(
                RequiredEkuNotFoundContext {
                    required: webpki::KeyUsage::required_if_present(wanted),
                    present: Vec::new(),
                },
            )),
        }
    }
}

/// A certificate authority that the root trusts for a time.
pub(super) struct Authority {
    /// Where paths end. It need not be self-signed.
    anchor: TrustAnchor<'static>,
    top: Certificate,
    /// What may be between.
    intermediates: Vec<CertificateDer<'static>>,
    trusted: Option<TimeRange>,
}

impl Authority {
    /// From a chain whose last certificate is the one that is trusted.
    ///
    /// # Errors
    /// There is none, or one of them is not a certificate.
    pub(super) fn read<'c>(
        chain: impl IntoIterator<Item = &'c [u8]>,
        trusted: Option<TimeRange>,
    ) -> Result<Self, String> {
        let mut chain: Vec<CertificateDer<'static>> = chain
            .into_iter()
            .map(|der| CertificateDer::from(der.to_vec()))
            .collect();
        for der in &chain {
            Certificate::from_der(der).map_err(|error| format!("a certificate: {error}"))?;
        }
        let top = chain.pop().ok_or("an authority has no certificate")?;
        let anchor = webpki::anchor_from_trusted_cert(&top)
            .map_err(|error| format!("the certificate of an authority: {error}"))?
            .to_owned();
        Ok(Self {
            anchor,
            top: Certificate::from_der(&top).map_err(|error| error.to_string())?,
            intermediates: chain,
            trusted,
        })
    }

    /// Checks that the authority issued a certificate, itself or through others, and that all of them were
    /// good at a time. The answer is the SubjectPublicKeyInfo of the direct issuer.
    ///
    /// An authority that names those between is complete. Given ones would lend it those of another time,
    /// where several authorities of a root end in one certificate.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn issuer_of(
        &self,
        leaf: &[u8],
        others: &[Vec<u8>],
        purpose: Purpose,
        time: Timestamp,
    ) -> Result<Vec<u8>, String> {
        if self.trusted.is_some_and(|window| !window.contains(time)) {
            return Err(format!(
                "the authority {} was not trusted at {time}",
                self.top.tbs_certificate.subject
            ));
        }
        let seconds = u64::try_from(time.as_second())
            .map_err(|_| format!("{time} is before all certificates"))?;
        let given = others.iter().filter(|_| self.intermediates.is_empty());
        let given = given.map(|der| CertificateDer::from(der.as_slice()));
        let between: Vec<CertificateDer<'_>> =
            self.intermediates.iter().cloned().chain(given).collect();
        let leaf = CertificateDer::from(leaf);
        let leaf = EndEntityCert::try_from(&leaf).map_err(|error| error.to_string())?;
        let anchors = std::slice::from_ref(&self.anchor);
        let path = leaf
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                anchors,
                &between,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                Among(purpose),
                None,
                None,
            )
            .map_err(|error| {
                format!("no chain to {}: {error}", self.top.tbs_certificate.subject)
            })?;
        let mut issuer = None;
        let mut below = 0;
        for certificate in path.intermediate_certificates() {
            let certificate = Certificate::from_der(&certificate.der())
                .map_err(|error| format!("an intermediate certificate: {error}"))?;
            check_authority(&certificate, purpose, below, time)?;
            below += 1;
            issuer.get_or_insert(certificate);
        }
        check_authority(&self.top, purpose, below, time)?;
        issuer
            .as_ref()
            .unwrap_or(&self.top)
            .tbs_certificate
            .subject_public_key_info
            .to_der()
            .map_err(|error| error.to_string())
    }
}

/// Whether a certificate may issue others (RFC 5280, sections 4.2.1.3, 4.2.1.9 and 4.2.1.12), of which so
/// many are below it in the path beside the last.
fn check_authority(
    certificate: &Certificate,
    purpose: Purpose,
    below: usize,
    time: Timestamp,
) -> Result<(), String> {
    let tbs = &certificate.tbs_certificate;
    let refused = |why: &str| Err(format!("the authority {} {why}", tbs.subject));
    if !is_valid_at(certificate, time) {
        return refused(&format!("was not valid at {time}"));
    }
    let odd = |error: x509_cert::der::Error| format!("the authority {}: {error}", tbs.subject);
    match tbs.get::<BasicConstraints>().map_err(odd)? {
        Some((_, constraints)) if constraints.ca => {
            let most = constraints.path_len_constraint.map(usize::from);
            if most.is_some_and(|most| below > most) {
                return refused("may not have so many authorities below it");
            }
        }
        _ => return refused("is none: its certificate is not for authorities"),
    }
    if let Some((_, usage)) = tbs.get::<KeyUsage>().map_err(odd)?
        && !usage.key_cert_sign()
    {
        return refused("may not sign certificates");
    }
    if let Some((_, usage)) = tbs.get::<ExtendedKeyUsage>().map_err(odd)?
        && !usage.0.contains(purpose.id())
        && !usage.0.contains(&ANY_PURPOSE)
    {
        return refused("is for other purposes");
    }
    Ok(())
}

/// Whether a time is within the validity of a certificate, ends included.
pub(super) fn is_valid_at(certificate: &Certificate, time: Timestamp) -> bool {
    let validity = &certificate.tbs_certificate.validity;
    let Ok(seconds) = u64::try_from(time.as_second()) else {
        return false;
    };
    let from = validity.not_before.to_unix_duration().as_secs();
    let to = validity.not_after.to_unix_duration().as_secs();
    let is_past = seconds == to && time.subsec_nanosecond() > 0;
    (from..=to).contains(&seconds) && !is_past
}
