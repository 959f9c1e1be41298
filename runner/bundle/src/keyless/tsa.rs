//! Timestamp authorities (RFC 3161): their word that a signature existed at a time.

use sigstore_types::TimestampToken;

use super::SigningError;
use super::service::Service;
use crate::digest;

/// A request in DER up to the digest: version 1, SHA-256, and an octet string of 32 bytes.
const BEFORE: [u8; 24] = [
    0x30, 0x39, // the request: 57 bytes
    0x02, 0x01, 0x01, // version 1
    0x30, 0x31, // the imprint: 49 bytes
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, // SHA-256
    0x05, 0x00, // without parameters
    0x04, 0x20, // the digest: 32 bytes
];

/// What follows it: that the certificates are wanted in the token.
const AFTER: [u8; 3] = [0x01, 0x01, 0xff];

/// Has a signature timestamped. Nothing of the answer is believed: it is verified with the bundle.
///
/// There is no nonce: it would tell this answer from an older one about the same signature, and no
/// signature is made twice.
pub(super) async fn timestamp(
    authority: &Service,
    signature: &[u8],
) -> Result<TimestampToken, SigningError> {
    let answer = authority
        .post(
            "",
            "application/timestamp-query",
            "application/timestamp-reply",
            request(signature),
            &[],
        )
        .await?;
    Ok(TimestampToken::new(answer))
}

fn request(signature: &[u8]) -> Vec<u8> {
    [&BEFORE[..], digest(signature).as_bytes(), &AFTER].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_cert::der::{Decode as _, Reader as _, SliceReader};

    #[test]
    fn a_request_is_one_whole_der_value_that_says_its_length() {
        let request = request(b"signature");
        let mut reader = SliceReader::new(&request).unwrap();
        let value = x509_cert::der::AnyRef::decode(&mut reader).unwrap();
        assert!(reader.is_finished());
        assert_eq!(value.value().len(), request.len() - 2);
        // The imprint is 49 bytes behind the version.
        let imprint = x509_cert::der::AnyRef::from_der(&value.value()[3..54]).unwrap();
        assert!(imprint.value().ends_with(digest(b"signature").as_bytes()));
    }
}
