//! Signed certificate timestamps (RFC 6962): that a certificate is in a log that the root trusts.
//!
//! Only those within the certificate are looked at, which is where Sigstore's authorities put them.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, OctetStringRef};
use x509_cert::der::{Decode as _, Encode as _};

use super::hash::Hash;
use super::trusted_root::TrustRoot;

/// The extension that holds them (RFC 6962, section 3.3).
pub(super) const EXTENSION: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");

/// The most that are looked at.
const MOST: usize = 8;

/// Checks that a log of the root took the certificate, which the owner of this key issued, in its
/// time. One of a log that the root does not know is passed over; of those that it knows, all must be
/// good, and there must be one.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn check(
    certificate: &Certificate,
    issuer_key: &[u8],
    root: &TrustRoot,
    now: Timestamp,
) -> Result<(), String> {
    let list = certificate
        .tbs_certificate
        .extensions
        .iter()
        .flatten()
        .find(|extension| extension.extn_id == EXTENSION)
        .ok_or("it has no word of a certificate transparency log")?;
    let list = OctetStringRef::from_der(list.extn_value.as_bytes())
        .map_err(|error| format!("its word of a transparency log: {error}"))?;
    let timestamps = read_list(list.as_bytes())
        .ok_or("its word of a transparency log is malformed (RFC 6962, section 3.3)")?;
    let entry = logged_entry(certificate, issuer_key)?;
    let mut good = 0;
    for timestamp in &timestamps {
        let Some(log) = root.transparency_log(&timestamp.log_id) else {
            continue;
        };
        let hash = timestamp
            .hash()
            .ok_or("its transparency log signs in a way that is not known")?;
        if !log.verifies_hashed(hash, &timestamp.signed(&entry), timestamp.signature) {
            return Err("a transparency log did not sign what it says of it".to_owned());
        }
        let time = i64::try_from(timestamp.milliseconds)
            .ok()
            .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
            .ok_or("its transparency log names a time that is out of range")?;
        if time > now {
            return Err(format!(
                "its transparency log says that it is of {time}, which is in the future"
            ));
        }
        if !log.is_trusted_at(time) {
            return Err(format!("its transparency log was not trusted at {time}"));
        }
        good += 1;
    }
    match good {
        0 => Err(format!(
            "the trusted root ({}) does not know the transparency log that has it",
            root.name()
        )),
        _ => Ok(()),
    }
}

/// What a log says of a certificate (RFC 6962, section 3.2).
struct SignedTimestamp<'b> {
    log_id: [u8; 32],
    milliseconds: u64,
    extensions: &'b [u8],
    /// The hash and the kind of signature, as TLS 1.2 numbers them.
    algorithm: [u8; 2],
    signature: &'b [u8],
}

impl SignedTimestamp<'_> {
    fn hash(&self) -> Option<Hash> {
        match self.algorithm {
            [4, 1 | 3] => Some(Hash::Sha256),
            [5, 1 | 3] => Some(Hash::Sha384),
            [6, 1 | 3] => Some(Hash::Sha512),
            // Ed25519 (RFC 8422): it hashes by itself.
            [8, 7] => Some(Hash::Sha512),
            _ => None,
        }
    }

    /// The bytes that the log signed.
    fn signed(&self, entry: &[u8]) -> Vec<u8> {
        // Version 1, a certificate timestamp.
        let mut bytes = vec![0, 0];
        bytes.extend(self.milliseconds.to_be_bytes());
        bytes.extend(entry);
        // It was read with a length of two bytes.
        let length = u16::try_from(self.extensions.len()).unwrap_or(u16::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.extensions);
        bytes
    }
}

/// The entry of a log for a certificate that was not signed yet: who would sign it, and all of it but
/// the words of logs.
fn logged_entry(certificate: &Certificate, issuer_key: &[u8]) -> Result<Vec<u8>, String> {
    let mut tbs = certificate.tbs_certificate.clone();
    if let Some(extensions) = &mut tbs.extensions {
        extensions.retain(|extension| extension.extn_id != EXTENSION);
    }
    let tbs = tbs.to_der().map_err(|error| error.to_string())?;
    let length = u32::try_from(tbs.len())
        .ok()
        .filter(|length| *length < 1 << 24)
        .ok_or("it is too large for a transparency log")?;
    let mut entry = vec![0, 1];
    entry.extend(Sha256::digest(issuer_key));
    entry.extend(&length.to_be_bytes()[1..]);
    entry.extend(tbs);
    Ok(entry)
}

/// All of a list, or nothing.
fn read_list(bytes: &[u8]) -> Option<Vec<SignedTimestamp<'_>>> {
    let mut list = Reader(bytes);
    let mut items = Reader(list.with_length()?);
    list.end()?;
    let mut timestamps = Vec::new();
    while !items.0.is_empty() {
        if timestamps.len() == MOST {
            return None;
        }
        let mut item = Reader(items.with_length()?);
        // Version 1 is 0.
        let [0] = item.array()? else { return None };
        timestamps.push(SignedTimestamp {
            log_id: item.array()?,
            milliseconds: u64::from_be_bytes(item.array()?),
            extensions: item.with_length()?,
            algorithm: item.array()?,
            signature: item.with_length()?,
        });
        item.end()?;
    }
    Some(timestamps)
}

/// Reads what TLS writes (RFC 5246, section 4).
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn array<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    /// Bytes behind their number in two bytes.
    fn with_length(&mut self) -> Option<&'b [u8]> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::bundle::{Bundle, Signer};
    use super::super::certificate::Leaf;
    use super::super::chain::Purpose;
    use super::*;

    #[test]
    fn the_word_of_a_log_counts_from_the_time_on_that_it_names() {
        let bundle = include_bytes!("../../tests/sigstore/bundles/cosign-v3-blob.json");
        let bundle = Bundle::parse(bundle).unwrap();
        let Signer::Certificate { leaf, .. } = &bundle.signer else {
            panic!("it is by a key");
        };
        let root = TrustRoot::public_good().unwrap();
        let leaf = Leaf::read(leaf).unwrap();
        let validity = leaf.certificate.tbs_certificate.validity;
        let begin = validity.not_before.to_unix_duration().as_secs();
        let begin = Timestamp::from_second(i64::try_from(begin).unwrap()).unwrap();
        let issuer = root.authorities().iter().find_map(|authority| {
            let purpose = Purpose::CodeSigning;
            authority.issuer_of(leaf.der, &[], purpose, begin).ok()
        });
        let issuer = issuer.unwrap();
        let check = |now| check(&leaf.certificate, &issuer, &root, now);
        // It was logged when it was issued, to the second.
        let hour = jiff::SignedDuration::from_hours(1);
        check(begin + hour).unwrap();
        let error = check(begin - hour).unwrap_err();
        assert!(error.contains("in the future"), "{error}");
    }
}
