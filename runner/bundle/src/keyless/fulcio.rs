//! Fulcio: a certificate of a few minutes for a key that signs once, for whom a token is of.

use serde::Deserialize;
use serde_json::json;
use sigstore_crypto::KeyPair;
use sigstore_types::DerCertificate;

use super::service::Service;
use super::{IdentityToken, SigningError, failed};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    signed_certificate_embedded_sct: Option<Embedded>,
}

#[derive(Deserialize)]
struct Embedded {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

/// Asks for a certificate. Nothing of it is believed: it is verified with the signature, against
/// the trusted root.
pub(super) async fn certificate(
    fulcio: &Service,
    token: &IdentityToken,
    key: &KeyPair,
) -> Result<DerCertificate, SigningError> {
    let public = key.public_key_der().map_err(failed)?.to_pem();
    let proof = key.sign(token.name().as_bytes()).map_err(failed)?;
    // Copies of the token are in here and in what sends it; the program's allocator wipes them.
    let request = json!({
        "credentials": { "oidcIdentityToken": token.expose() },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": public.replace("\r\n", "\n") },
            "proofOfPossession": proof.to_base64(),
        },
    });
    let answer = fulcio
        .post(
            "api/v2/signingCert",
            "application/json",
            "application/json",
            request.to_string().into_bytes(),
            &[token.expose()],
        )
        .await?;
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| fulcio.answered("it is not a certificate in JSON"))?;
    // Fulcio without a transparency log, or with a detached word of it, which a bundle has no place
    // for, answers with another member.
    let leaf = answer
        .signed_certificate_embedded_sct
        .and_then(|embedded| embedded.chain.certificates.into_iter().next())
        .ok_or_else(|| fulcio.answered("it has no certificate with an embedded SCT"))?;
    DerCertificate::from_pem(&leaf).map_err(|_| fulcio.answered("its certificate is not in PEM"))
}
