//! Who a signing certificate says it is for.
//!
//! Believed only once the certificate is verified; compared whole and exactly, never by pattern.

use std::fmt;

use serde::{Deserialize, Serialize};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::{ObjectIdentifier, Utf8StringRef};
use x509_cert::der::{Decode as _, Encode as _, Tagged as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};

use super::chain::Purpose;
use super::{Rejection, transparency};

/// The issuer as older certificates have it: the bare text.
const ISSUER_V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
/// The issuer as a DER string.
const ISSUER_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");
/// The kind of `otherName` that holds a user name.
const USER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");

/// Somebody, as an identity provider knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The identity provider: the issuer of the token, a URL.
    pub issuer: String,
    /// Whom it vouches for: an address of mail, a workflow, a user name.
    pub subject: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (by {})", self.subject, self.issuer)
    }
}

/// Whom a new certificate is for, if it is for this key. Not proven yet: that is for verifying.
#[cfg(feature = "keyless")]
pub(crate) fn identity_of(
    der: &[u8],
    key: &sigstore_types::DerPublicKey,
) -> Result<Identity, Rejection> {
    let certificate = Certificate::from_der(der).map_err(refused)?;
    let spki = &certificate.tbs_certificate.subject_public_key_info;
    if spki.to_der().map_err(refused)? != key.as_bytes() {
        return Err(refused(
            "it is for another key than the one that it was asked for",
        ));
    }
    Leaf::read(der).map(|leaf| leaf.identity)
}

/// What is looked at in a signing certificate.
pub(super) struct Leaf<'d> {
    pub(super) der: &'d [u8],
    pub(super) certificate: Certificate,
    pub(super) identity: Identity,
    /// Whether it carries the word of a certificate transparency log.
    pub(super) has_sct: bool,
}

impl<'d> Leaf<'d> {
    /// Reads the certificate, which must be of the Sigstore profile: for signing code and nothing
    /// else, not an authority, and for exactly one name.
    pub(super) fn read(der: &'d [u8]) -> Result<Self, Rejection> {
        let certificate = Certificate::from_der(der).map_err(refused)?;
        check_profile(&certificate)?;
        let identity = Identity {
            issuer: issuer(&certificate)?,
            subject: subject(&certificate)?,
        };
        Ok(Self {
            der,
            identity,
            has_sct: extension(&certificate, transparency::EXTENSION)?.is_some(),
            certificate,
        })
    }

    /// The SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> Result<Vec<u8>, Rejection> {
        let spki = &self.certificate.tbs_certificate.subject_public_key_info;
        spki.to_der().map_err(refused)
    }
}

fn check_profile(certificate: &Certificate) -> Result<(), Rejection> {
    let tbs = &certificate.tbs_certificate;
    if tbs.version != Version::V3 {
        return Err(refused("it is not an X.509 certificate of version 3"));
    }
    if let Some((_, constraints)) = tbs.get::<BasicConstraints>().map_err(refused)?
        && constraints.ca
    {
        return Err(refused("it is of a certificate authority"));
    }
    match tbs.get::<KeyUsage>().map_err(refused)? {
        Some((_, usage)) if usage.digital_signature() && !usage.key_cert_sign() => {}
        _ => return Err(refused("its key usage is not to make digital signatures")),
    }
    match tbs.get::<ExtendedKeyUsage>().map_err(refused)? {
        Some((_, usage)) if usage.0.contains(Purpose::CodeSigning.id()) => Ok(()),
        _ => Err(refused("its extended key usage is not to sign code")),
    }
}

/// The one name that the certificate is for. Two would leave open which one was meant.
fn subject(certificate: &Certificate) -> Result<String, Rejection> {
    let names = certificate
        .tbs_certificate
        .get::<SubjectAltName>()
        .map_err(refused)?;
    let [name] = names.as_ref().map_or(&[][..], |(_, names)| &names.0) else {
        return Err(refused("it is not for exactly one name"));
    };
    let subject = match name {
        GeneralName::Rfc822Name(mail) => mail.as_str().to_owned(),
        GeneralName::UniformResourceIdentifier(uri) => uri.as_str().to_owned(),
        GeneralName::OtherName(other) if other.type_id == USER_NAME => {
            if other.value.tag() != x509_cert::der::Tag::Utf8String {
                return Err(refused("its user name is not text"));
            }
            std::str::from_utf8(other.value.value())
                .map_err(refused)?
                .to_owned()
        }
        _ => {
            return Err(refused(
                "its name is neither an address of mail, nor a URI, nor a user name",
            ));
        }
    };
    if subject.is_empty() {
        return Err(refused("its name is empty"));
    }
    readable(subject)
}

/// The identity provider. Where both forms are there, they must agree.
fn issuer(certificate: &Certificate) -> Result<String, Rejection> {
    let old = extension(certificate, ISSUER_V1)?
        .map(|bytes| std::str::from_utf8(bytes).map(str::to_owned))
        .transpose()
        .map_err(refused)?;
    let new = extension(certificate, ISSUER_V2)?
        .map(|bytes| Utf8StringRef::from_der(bytes).map(|text| text.as_str().to_owned()))
        .transpose()
        .map_err(refused)?;
    match (old, new) {
        (Some(old), Some(new)) if old != new => {
            Err(refused("it names two different issuers of the identity"))
        }
        (_, Some(issuer)) | (Some(issuer), None) if !issuer.is_empty() => readable(issuer),
        _ => Err(refused("it does not say who vouches for the identity")),
    }
}

/// No address or URL has control characters, and a terminal would act on them.
fn readable(name: String) -> Result<String, Rejection> {
    match name.chars().any(char::is_control) {
        true => Err(refused("a name in it has control characters")),
        false => Ok(name),
    }
}

/// The value of an extension, which may be there once.
fn extension(certificate: &Certificate, id: ObjectIdentifier) -> Result<Option<&[u8]>, Rejection> {
    let extensions = certificate.tbs_certificate.extensions.as_deref();
    let mut found = extensions
        .unwrap_or_default()
        .iter()
        .filter(|extension| extension.extn_id == id);
    let first = found
        .next()
        .map(|extension| extension.extn_value.as_bytes());
    if found.next().is_some() {
        return Err(refused(format!("it has the extension {id} twice")));
    }
    Ok(first)
}

fn refused(why: impl fmt::Display) -> Rejection {
    Rejection::Certificate(why.to_string())
}
