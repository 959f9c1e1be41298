//! `PublicKeyDetails` of sigstore_common.proto: of which kind a key is, and with which hash it signs.

use super::hash::Hash;
use super::verifying_key::Kind;

/// The names by their numbers, either of which ProtoJSON may have.
pub(super) const NAMES: &[(u64, &str)] = &[
    (0, UNSPECIFIED),
    (1, "PKCS1_RSA_PKCS1V5"),
    (2, "PKCS1_RSA_PSS"),
    (3, "PKIX_RSA_PKCS1V5"),
    (4, "PKIX_RSA_PSS"),
    (5, "PKIX_ECDSA_P256_SHA_256"),
    (6, "PKIX_ECDSA_P256_HMAC_SHA_256"),
    (7, "PKIX_ED25519"),
    (8, "PKIX_ED25519_PH"),
    (9, "PKIX_RSA_PKCS1V15_2048_SHA256"),
    (10, "PKIX_RSA_PKCS1V15_3072_SHA256"),
    (11, "PKIX_RSA_PKCS1V15_4096_SHA256"),
    (12, "PKIX_ECDSA_P384_SHA_384"),
    (13, "PKIX_ECDSA_P521_SHA_512"),
    (14, "LMS_SHA256"),
    (15, "LMOTS_SHA256"),
    (16, "PKIX_RSA_PSS_2048_SHA256"),
    (17, "PKIX_RSA_PSS_3072_SHA256"),
    (18, "PKIX_RSA_PSS_4096_SHA256"),
    (19, "PKIX_ECDSA_P384_SHA_256"),
    (20, "PKIX_ECDSA_P521_SHA_256"),
    (21, "ML_DSA_65"),
    (22, "ML_DSA_87"),
    (23, "ML_DSA_44"),
];

/// What stands where nothing is said.
pub(super) const UNSPECIFIED: &str = "PUBLIC_KEY_DETAILS_UNSPECIFIED";

/// Whether a key of this kind can have signed, by what is said of it; where `hash` is known, by way of
/// that. Of an RSA key neither the length nor the padding is compared: its signature verified. Where
/// nothing is said, as in protobuf's default, nothing is contradicted: the key itself is compared.
pub(super) fn fit(details: &str, kind: Kind, hash: Option<Hash>) -> bool {
    let (said, signs) = match details {
        "PKIX_ECDSA_P256_SHA_256" | "PKIX_ECDSA_P256_HMAC_SHA_256" => {
            (Kind::P256, Some(Hash::Sha256))
        }
        "PKIX_ECDSA_P384_SHA_384" => (Kind::P384, Some(Hash::Sha384)),
        "PKIX_ECDSA_P384_SHA_256" => (Kind::P384, Some(Hash::Sha256)),
        "PKIX_ECDSA_P521_SHA_512" => (Kind::P521, Some(Hash::Sha512)),
        "PKIX_ECDSA_P521_SHA_256" => (Kind::P521, Some(Hash::Sha256)),
        // It signs what it is given and not a digest, so the digest may be any.
        "PKIX_ED25519" => (Kind::Ed25519, None),
        "PKIX_ED25519_PH" => (Kind::Ed25519, Some(Hash::Sha512)),
        "PKIX_RSA_PKCS1V5" | "PKIX_RSA_PSS" => (Kind::Rsa, None),
        rsa if rsa.starts_with("PKIX_RSA_") && rsa.ends_with("_SHA256") => {
            (Kind::Rsa, Some(Hash::Sha256))
        }
        "" | UNSPECIFIED => return true,
        _ => return false,
    };
    let same_hash = match (signs, hash) {
        (Some(signs), Some(hash)) => signs == hash,
        _ => true,
    };
    said == kind && same_hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_key_fits_its_kind_and_the_hash_that_it_signs_with() {
        let hashes = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
        for (details, kind, fitting) in [
            ("PKIX_ECDSA_P256_SHA_256", Kind::P256, &hashes[..1]),
            ("PKIX_ECDSA_P384_SHA_384", Kind::P384, &hashes[1..2]),
            ("PKIX_ECDSA_P384_SHA_256", Kind::P384, &hashes[..1]),
            ("PKIX_ECDSA_P521_SHA_512", Kind::P521, &hashes[2..]),
            ("PKIX_ED25519", Kind::Ed25519, &hashes[..]),
            ("PKIX_ED25519_PH", Kind::Ed25519, &hashes[2..]),
            ("PKIX_RSA_PSS_3072_SHA256", Kind::Rsa, &hashes[..1]),
            ("PKIX_RSA_PKCS1V15_2048_SHA256", Kind::Rsa, &hashes[..1]),
        ] {
            for hash in hashes {
                let fits = fit(details, kind, Some(hash));
                assert_eq!(fits, fitting.contains(&hash), "{details} {hash:?}");
            }
            assert!(fit(details, kind, None), "{details}");
            let kinds = [Kind::P256, Kind::P384, Kind::P521, Kind::Ed25519, Kind::Rsa];
            for other in kinds.into_iter().filter(|other| *other != kind) {
                assert!(!fit(details, other, None), "{details} {other:?}");
            }
        }
        for kind in [Kind::P256, Kind::Rsa] {
            for nothing in ["", UNSPECIFIED] {
                assert!(fit(nothing, kind, Some(Hash::Sha256)), "{nothing}");
            }
            for unknown in ["ML_DSA_65", "PKIX_RSA_", "5"] {
                assert!(!fit(unknown, kind, None), "{unknown}");
            }
        }
    }
}
