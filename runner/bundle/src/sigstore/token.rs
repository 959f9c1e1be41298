//! RFC 3161 timestamp tokens: what is in one, and that its signer signed it.
//!
//! Who the signer is, and whether to believe them, is for `timestamp`.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest as legacy_digest};
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use x509_cert::Certificate;
use x509_cert::attr::Attributes;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use x509_cert::der::{
    Decode, Encode as _, Header, Reader as _, SliceReader, Tag, TagNumber, Tagged as _,
};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::hash::Hash;
use super::verifying_key::VerifyingKey;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TIMESTAMP_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// Which certificate signed, by its SHA-1 (RFC 2634).
const SIGNING_CERTIFICATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
/// The same by another hash (RFC 5816).
const SIGNING_CERTIFICATE_V2: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// The most certificates that a token brings along.
const MAX_CERTIFICATES: usize = 8;

/// A token that was read. Nothing of it is proven yet.
pub(super) struct Token {
    info: Vec<u8>,
    signer: SignerInfo,
    /// The certificates that it brings along.
    pub(super) certificates: Vec<Certificate>,
    /// When it says that it was made.
    pub(super) time: Timestamp,
    hash: Hash,
    digest: Vec<u8>,
}

impl Token {
    /// Reads a response in DER that grants a timestamp.
    ///
    /// # Errors
    /// It is malformed, or refuses one.
    pub(super) fn read(response: &[u8]) -> Result<Self, String> {
        let token = granted(response)?;
        if token.content_type != SIGNED_DATA {
            return Err("its token is not signed data".to_owned());
        }
        let data: SignedData = token.content.decode_as().map_err(malformed)?;
        let content = &data.encap_content_info;
        if content.econtent_type != TIMESTAMP_INFO {
            return Err("what it signs is no timestamp".to_owned());
        }
        let info = content.econtent.as_ref().ok_or("it is empty")?;
        let info = OctetStringRef::try_from(AnyRef::from(info)).map_err(malformed)?;
        let Some((signer, [])) = data.signer_infos.0.as_slice().split_first() else {
            return Err("it has not exactly one signer".to_owned());
        };
        let read = Info::read(info.as_bytes())?;
        let set = data.certificates.as_ref();
        if set.is_some_and(|set| set.0.len() > MAX_CERTIFICATES) {
            return Err("it brings far too many certificates along".to_owned());
        }
        let certificates = set.into_iter().flat_map(|set| set.0.iter());
        let certificates = certificates.filter_map(|choice| match choice {
            cms::cert::CertificateChoices::Certificate(certificate) => Some(certificate.clone()),
            cms::cert::CertificateChoices::Other(_) => None,
        });
        Ok(Self {
            info: info.as_bytes().to_vec(),
            signer: signer.clone(),
            certificates: certificates.collect(),
            time: read.time,
            hash: read.hash,
            digest: read.digest.to_vec(),
        })
    }

    /// Whether it is about these bytes.
    pub(super) fn is_about(&self, bytes: &[u8]) -> bool {
        self.hash.of(bytes) == self.digest
    }

    /// Whether it says that the owner of this certificate signed it.
    pub(super) fn names(&self, certificate: &Certificate) -> bool {
        let tbs = &certificate.tbs_certificate;
        match &self.signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(id) => {
                tbs.issuer == id.issuer && tbs.serial_number == id.serial_number
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => tbs
                .get::<SubjectKeyIdentifier>()
                .is_ok_and(|found| found.is_some_and(|(_, found)| found == *id)),
        }
    }

    /// Checks that the owner of this certificate signed it (RFC 5652, section 5.4).
    ///
    /// A token without signed attributes is signed as it is. That cannot be taken for the other: attributes
    /// are a SET in DER, a timestamp is a SEQUENCE, and both were read as what they are.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn check_signed_by(&self, certificate: &Certificate) -> Result<(), String> {
        let hash = hash_of(&self.signer.digest_alg)?;
        let signed = match &self.signer.signed_attrs {
            Some(attributes) => {
                self.check_attributes(attributes, hash, certificate)?;
                attributes.to_der().map_err(malformed)?
            }
            None => self.info.clone(),
        };
        let spki = &certificate.tbs_certificate.subject_public_key_info;
        let key = VerifyingKey::from_spki(spki.to_der().map_err(malformed)?)
            .map_err(|error| error.to_string())?;
        let hash = signature_hash(&self.signer.signature_algorithm.oid).unwrap_or(hash);
        if key.verifies_hashed(hash, &signed, self.signer.signature.as_bytes()) {
            Ok(())
        } else {
            Err("its authority did not sign it".to_owned())
        }
    }

    fn check_attributes(
        &self,
        attributes: &Attributes,
        hash: Hash,
        certificate: &Certificate,
    ) -> Result<(), String> {
        let content_type: ObjectIdentifier = one_value(attributes, CONTENT_TYPE)?
            .ok_or("its attributes have no content type")?
            .decode_as()
            .map_err(malformed)?;
        if content_type != TIMESTAMP_INFO {
            return Err("its attributes are about other content".to_owned());
        }
        let digest: OctetStringRef<'_> = one_value(attributes, MESSAGE_DIGEST)?
            .ok_or("its attributes have no digest")?
            .decode_as()
            .map_err(malformed)?;
        if digest.as_bytes() != hash.of(&self.info) {
            return Err("its attributes are about another timestamp".to_owned());
        }
        let der = certificate.to_der().map_err(malformed)?;
        if let Some(value) = one_value(attributes, SIGNING_CERTIFICATE)? {
            let named = first_certificate(value.value()).map_err(malformed)?;
            let actual = legacy_digest(&SHA1_FOR_LEGACY_USE_ONLY, &der);
            is_named(named.algorithm.is_none() && named.hash == actual.as_ref())?;
        }
        if let Some(value) = one_value(attributes, SIGNING_CERTIFICATE_V2)? {
            let named = first_certificate(value.value()).map_err(malformed)?;
            let hash = named.algorithm.as_ref().map_or(Ok(Hash::Sha256), hash_of)?;
            is_named(named.hash == hash.of(&der))?;
        }
        Ok(())
    }
}

fn is_named(same: bool) -> Result<(), String> {
    match same {
        true => Ok(()),
        false => Err("it names another certificate than its signer's".to_owned()),
    }
}

/// The token of a response (RFC 3161, section 2.4.2).
fn granted(response: &[u8]) -> Result<ContentInfo, String> {
    let mut reader = SliceReader::new(response).map_err(malformed)?;
    let content = AnyRef::decode(&mut reader)
        .and_then(|any| reader.finish(any))
        .map_err(malformed)?;
    if content.tag() != Tag::Sequence {
        return Err("it is no timestamp response".to_owned());
    }
    let mut parts = SliceReader::new(content.value()).map_err(malformed)?;
    let status = AnyRef::decode(&mut parts).map_err(malformed)?;
    if status.tag() != Tag::Sequence {
        return Err("it is no timestamp response".to_owned());
    }
    let mut statuses = SliceReader::new(status.value()).map_err(malformed)?;
    // Granted, or granted with modifications.
    if u8::decode(&mut statuses).map_err(malformed)? > 1 {
        return Err("it is a refusal".to_owned());
    }
    let token = ContentInfo::decode(&mut parts).map_err(malformed)?;
    parts.finish(token).map_err(malformed)
}

/// What an authority signs (RFC 3161, section 2.4.2).
struct Info<'b> {
    hash: Hash,
    digest: &'b [u8],
    time: Timestamp,
}

impl<'b> Info<'b> {
    fn read(der: &'b [u8]) -> Result<Self, String> {
        let whole = AnyRef::from_der(der).map_err(malformed)?;
        if whole.tag() != Tag::Sequence {
            return Err("what it signs is no timestamp".to_owned());
        }
        let mut parts = SliceReader::new(whole.value()).map_err(malformed)?;
        if u8::decode(&mut parts).map_err(malformed)? != 1 {
            return Err("it is not of version 1".to_owned());
        }
        ObjectIdentifier::decode(&mut parts).map_err(malformed)?;
        let imprint = AnyRef::decode(&mut parts).map_err(malformed)?;
        let mut imprint = SliceReader::new(imprint.value()).map_err(malformed)?;
        let hash = AlgorithmIdentifierOwned::decode(&mut imprint).map_err(malformed)?;
        let digest = OctetStringRef::decode(&mut imprint).map_err(malformed)?;
        let digest = imprint.finish(digest).map_err(malformed)?;
        let serial = AnyRef::decode(&mut parts).map_err(malformed)?;
        let time = AnyRef::decode(&mut parts).map_err(malformed)?;
        if serial.tag() != Tag::Integer || time.tag() != Tag::GeneralizedTime {
            return Err("what it signs is no timestamp".to_owned());
        }
        check_rest(&mut parts)?;
        Ok(Self {
            hash: hash_of(&hash)?,
            digest: digest.as_bytes(),
            time: read_time(time.value()).ok_or("its time is malformed")?,
        })
    }
}

/// What may follow the time: accuracy, ordering, nonce, the authority's name, extensions. None of it changes
/// what the timestamp proves; an extension that must be understood might.
fn check_rest(parts: &mut SliceReader<'_>) -> Result<(), String> {
    let mut last = 0;
    while !parts.is_finished() {
        let part = AnyRef::decode(parts).map_err(malformed)?;
        let place = match part.tag() {
            Tag::Sequence => 1,
            Tag::Boolean => 2,
            Tag::Integer => 3,
            Tag::ContextSpecific {
                number: TagNumber::N0,
                ..
            } => 4,
            Tag::ContextSpecific {
                number: TagNumber::N1,
                ..
            } => 5,
            _ => 0,
        };
        if place <= last {
            return Err("something does not belong into its timestamp".to_owned());
        }
        last = place;
        if place == 5 {
            let mut extensions = SliceReader::new(part.value()).map_err(malformed)?;
            while !extensions.is_finished() {
                if Extension::decode(&mut extensions)
                    .map_err(malformed)?
                    .critical
                {
                    return Err("it has an extension that is not understood".to_owned());
                }
            }
        }
    }
    Ok(())
}

/// A `GeneralizedTime` in UTC, with any part of a second (RFC 3161, section 2.4.2).
fn read_time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, part) = match text.split_once('.') {
        Some((whole, part)) => (whole, part),
        None => (text, "0"),
    };
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !are_digits(whole) || !are_digits(part) {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to)?.parse::<i8>().ok();
    let nanoseconds = format!("{part:0<9}").get(..9)?.parse::<i32>().ok()?;
    DateTime::new(
        whole.get(..4)?.parse().ok()?,
        number(4, 6)?,
        number(6, 8)?,
        number(8, 10)?,
        number(10, 12)?,
        number(12, 14)?,
        nanoseconds,
    )
    .ok()?
    .to_zoned(TimeZone::UTC)
    .ok()
    .map(|time| time.timestamp())
}

/// The one value of an attribute, which may be there once.
fn one_value(attributes: &Attributes, id: ObjectIdentifier) -> Result<Option<AnyRef<'_>>, String> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == id);
    let Some(first) = found.next() else {
        return Ok(None);
    };
    match (first.values.as_slice(), found.next()) {
        ([value], None) => Ok(Some(AnyRef::from(value))),
        _ => Err(format!("it has not one value of the attribute {id}")),
    }
}

/// The first certificate that an attribute names: the hash, and what with where it says so.
struct Named<'b> {
    algorithm: Option<AlgorithmIdentifierOwned>,
    hash: &'b [u8],
}

/// From the content of a `SigningCertificate` or `SigningCertificateV2` (RFC 5035).
fn first_certificate(content: &[u8]) -> x509_cert::der::Result<Named<'_>> {
    let certificates = AnyRef::decode(&mut SliceReader::new(content)?)?;
    let first = AnyRef::decode(&mut SliceReader::new(certificates.value())?)?;
    let mut parts = SliceReader::new(first.value())?;
    let header: Header = parts.peek_header()?;
    let algorithm = match header.tag {
        Tag::Sequence => Some(AlgorithmIdentifierOwned::decode(&mut parts)?),
        _ => None,
    };
    Ok(Named {
        algorithm,
        hash: OctetStringRef::decode(&mut parts)?.as_bytes(),
    })
}

fn hash_of(algorithm: &AlgorithmIdentifierOwned) -> Result<Hash, String> {
    const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
    const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
    const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
    match algorithm.oid {
        SHA_256 => Ok(Hash::Sha256),
        SHA_384 => Ok(Hash::Sha384),
        SHA_512 => Ok(Hash::Sha512),
        other => Err(format!("the hash function {other} is not accepted")),
    }
}

/// The hash of a signature, where its algorithm names one: of ECDSA, and of RSA in PKCS #1.
fn signature_hash(algorithm: &ObjectIdentifier) -> Option<Hash> {
    const ECDSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
    const ECDSA_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
    const ECDSA_SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
    const RSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
    const RSA_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
    const RSA_SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
    match *algorithm {
        ECDSA_SHA_256 | RSA_SHA_256 => Some(Hash::Sha256),
        ECDSA_SHA_384 | RSA_SHA_384 => Some(Hash::Sha384),
        ECDSA_SHA_512 | RSA_SHA_512 => Some(Hash::Sha512),
        _ => None,
    }
}

fn malformed(error: x509_cert::der::Error) -> String {
    format!("it is malformed: {error}")
}

#[cfg(test)]
mod tests {
    use cms::cert::CertificateChoices;
    use x509_cert::der::asn1::Any;
    use x509_cert::serial_number::SerialNumber;

    use super::super::bundle::Bundle;
    use super::*;

    /// A token that brings along so many certificates.
    fn with_certificates(count: usize) -> Vec<u8> {
        let bundle = include_bytes!("../../tests/sigstore/bundles/rekor-v2-timestamp.json");
        let bundle = Bundle::parse(bundle).unwrap();
        let token = granted(&bundle.timestamps[0]).unwrap();
        let mut data: SignedData = token.content.decode_as().unwrap();
        let mut set = data.certificates.take().unwrap();
        let Some(CertificateChoices::Certificate(known)) = set.0.get(0).cloned() else {
            panic!("it brings none along");
        };
        for number in 0.. {
            if set.0.len() >= count {
                break;
            }
            let mut other = known.clone();
            other.tbs_certificate.serial_number = SerialNumber::new(&[1, number]).unwrap();
            set.0
                .insert(CertificateChoices::Certificate(other))
                .unwrap();
        }
        data.certificates = Some(set);
        let token = ContentInfo {
            content_type: SIGNED_DATA,
            content: Any::encode_from(&data).unwrap(),
        };
        // A status of 0, granted.
        let mut response = vec![0x30, 3, 2, 1, 0];
        response.extend(token.to_der().unwrap());
        let response = Any::new(Tag::Sequence, response).unwrap();
        response.to_der().unwrap()
    }

    #[test]
    fn a_token_brings_a_few_certificates_along_and_no_more() {
        let token = Token::read(&with_certificates(MAX_CERTIFICATES)).unwrap();
        assert_eq!(token.certificates.len(), MAX_CERTIFICATES);
        let error = Token::read(&with_certificates(MAX_CERTIFICATES + 1))
            .err()
            .unwrap();
        assert!(error.contains("too many certificates"), "{error}");
    }

    #[test]
    fn a_time_has_any_part_of_a_second_and_ends_in_utc() {
        let time = |text: &str| read_time(text.as_bytes()).map(|time| time.to_string());
        assert_eq!(
            time("20250102030405Z").as_deref(),
            Some("2025-01-02T03:04:05Z")
        );
        assert_eq!(
            time("20250102030405.25Z").as_deref(),
            Some("2025-01-02T03:04:05.25Z")
        );
        assert_eq!(
            time("20250102030405.1234567891Z").as_deref(),
            Some("2025-01-02T03:04:05.123456789Z")
        );
        for odd in [
            "20250102030405",
            "20250102030405+0100",
            "20250102030405.Z",
            "202501020304Z",
            "20251302030405Z",
            "2025010203040 Z",
            "+0250102030405Z",
            "",
        ] {
            assert_eq!(time(odd), None, "{odd:?}");
        }
    }
}
