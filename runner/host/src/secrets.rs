//! `wharf:plugin/secrets`: *operate*: the host computes with a secret, the guest gets the result.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};
use wasmtime::component::Resource;
use wharf_policy::{Rung, SecretName};

use crate::State;
use crate::bindings::secrets::{DigestAlgorithm, Host, HostSecret, SecretError};
use crate::resolve::Resolved;

/// A handle on a secret: its name. The right to it is checked again at every use.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Secret {
    name: SecretName,
}

impl Host for State {}

impl HostSecret for State {
    fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Secret>, SecretError>> {
        let Some(run) = &self.run else {
            return Ok(Err(SecretError::Denied));
        };
        let Some(binding) = run.permit(&name, Rung::Operate) else {
            return Ok(Err(SecretError::Denied));
        };
        match run.secrets.get(&binding.name) {
            Resolved::Value(_) => {}
            Resolved::NotFound => return Ok(Err(SecretError::NotFound)),
            Resolved::Unavailable => return Ok(Err(SecretError::Unavailable)),
        }
        if run.opened(&binding.name, Rung::Operate).is_err() {
            return Ok(Err(SecretError::Unavailable));
        }
        let name = binding.name.clone();
        Ok(Ok(self.table.push(Secret { name })?))
    }

    fn hmac(
        &mut self,
        secret: Resource<Secret>,
        algorithm: DigestAlgorithm,
        message: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, SecretError>> {
        let name = &self.table.get(&secret)?.name;
        let run = self.bound("secrets.hmac")?;
        run.carries(message.len())?;
        if run.rights.secret(name.as_str(), Rung::Operate).is_err() {
            return Ok(Err(SecretError::Denied));
        }
        Ok(match run.secrets.get(name) {
            Resolved::Value(key) => Ok(hmac(algorithm, key.expose(), &message)?),
            Resolved::NotFound => Err(SecretError::NotFound),
            Resolved::Unavailable => Err(SecretError::Unavailable),
        })
    }

    fn drop(&mut self, secret: Resource<Secret>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

/// HMAC (RFC 2104).
fn hmac(algorithm: DigestAlgorithm, key: &[u8], message: &[u8]) -> wasmtime::Result<Vec<u8>> {
    fn compute<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> wasmtime::Result<Vec<u8>> {
        // HMAC takes keys of any length; the trait says otherwise for other MACs.
        let mut mac = <M as KeyInit>::new_from_slice(key)
            .map_err(|_| wasmtime::format_err!("the secret cannot be an HMAC key"))?;
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
    match algorithm {
        DigestAlgorithm::Sha256 => compute::<Hmac<Sha256>>(key, message),
        DigestAlgorithm::Sha384 => compute::<Hmac<Sha384>>(key, message),
        DigestAlgorithm::Sha512 => compute::<Hmac<Sha512>>(key, message),
    }
}
