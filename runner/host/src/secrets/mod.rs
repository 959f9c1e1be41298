//! `wharf:plugin/secrets`: *operate*: the host computes with a secret, the guest gets the result.
//!
//! The right is checked again at every use, and so is the operation: what the binding does not
//! list is denied. The value leaves this module in no form but the result of an operation.

mod jwt;
mod key;
mod mac;

use std::time::SystemTime;

use wasmtime::component::Resource;
use wharf_policy::{Operation, Rung, SecretBinding, SecretName};
use wharf_stores::SecretValue;

use crate::State;
use crate::bindings::secrets::{
    DigestAlgorithm, Host, HostSecret, JwtRequest, SecretError, SignatureAlgorithm,
};
use crate::resolve::Resolved;
use crate::run::Run;
use key::Keys;

/// A handle on a secret: its name, and the key that was read from it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Secret {
    name: SecretName,
    keys: Keys,
}

impl Secret {
    /// The name of the secret.
    pub(crate) fn name(&self) -> &SecretName {
        &self.name
    }
}

impl Host for State {}

impl HostSecret for State {
    fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Secret>, SecretError>> {
        let Some(run) = self.live() else {
            return Ok(Err(SecretError::Denied));
        };
        run.carries(name.len())?;
        let Some(binding) = run.permit(&name, Rung::Operate) else {
            return Ok(Err(SecretError::Denied));
        };
        if let Err(error) = value(run, binding) {
            return Ok(Err(error));
        }
        if run.opened(&binding.name, Rung::Operate).is_err() {
            return Ok(Err(SecretError::Unavailable));
        }
        let secret = Secret {
            name: binding.name.clone(),
            keys: Keys::default(),
        };
        Ok(Ok(self.table.push(secret)?))
    }

    fn hmac(
        &mut self,
        secret: Resource<Secret>,
        algorithm: DigestAlgorithm,
        message: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, SecretError>> {
        self.operate(&secret, Operation::Hmac, message.len(), |key, _, _| {
            mac::hmac(algorithm, key.expose(), &message)
        })
    }

    fn sign(
        &mut self,
        secret: Resource<Secret>,
        algorithm: SignatureAlgorithm,
        message: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, SecretError>> {
        self.operate(&secret, Operation::Sign, message.len(), |key, keys, _| {
            keys.sign(key.expose(), algorithm, &message)
        })
    }

    fn jwt(
        &mut self,
        secret: Resource<Secret>,
        request: JwtRequest,
    ) -> wasmtime::Result<Result<String, SecretError>> {
        let size = request.claims.len() + request.key_id.as_ref().map_or(0, String::len);
        self.operate(&secret, Operation::Jwt, size, |key, keys, binding| {
            jwt::token(&binding.jwt, request, key, keys, SystemTime::now())
        })
    }

    fn drop(&mut self, secret: Resource<Secret>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

impl State {
    /// Does something with the value of a secret, if the right to it is still there and the
    /// binding lists the operation.
    fn operate<T>(
        &mut self,
        secret: &Resource<Secret>,
        operation: Operation,
        carried: usize,
        compute: impl FnOnce(&SecretValue, &mut Keys, &SecretBinding) -> Result<T, Failure>,
    ) -> wasmtime::Result<Result<T, SecretError>> {
        let Some(run) = self.live().cloned() else {
            return Ok(Err(SecretError::Denied));
        };
        run.carries(carried)?;
        let Secret { name, keys } = self.table.get_mut(secret)?;
        let done = run
            .may_operate(name, operation)
            .ok_or(SecretError::Denied)
            .and_then(|binding| {
                let value = value(&run, binding)?;
                run.operates(&binding.name, operation)
                    .map_err(|_| SecretError::Unavailable)?;
                compute(value, keys, binding).map_err(|failure| failure.told(&run, name))
            });
        Ok(done)
    }
}

fn value<'r>(run: &'r Run, binding: &SecretBinding) -> Result<&'r SecretValue, SecretError> {
    match run.secrets.get(&binding.name) {
        Resolved::Value(value) => Ok(value),
        Resolved::NotFound => Err(SecretError::NotFound),
        Resolved::Unavailable => Err(SecretError::Unavailable),
    }
}

/// Why there is no result. Shows nothing of the secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Failure {
    /// The secret is not a key of that kind, or what was asked is malformed.
    #[error("{0}")]
    Invalid(String),
    /// The secret is a key that could be found by trying.
    #[error(
        "the secret is too short to {purpose}: it needs at least {shortest} bytes, or whoever has a result could find it by trying; store a longer one, such as 32 random bytes in hex"
    )]
    TooShort {
        purpose: &'static str,
        shortest: usize,
    },
    /// The operator fixed it otherwise.
    #[error("{0}")]
    Denied(String),
}

impl Failure {
    /// In the words of the interface; what the operator can do goes to the log.
    fn told(self, run: &Run, name: &SecretName) -> SecretError {
        match self {
            Self::Invalid(why) => SecretError::Invalid(run.scrubber().scrub(&why).into_owned()),
            Self::TooShort { .. } => SecretError::Invalid(self.to_string()),
            Self::Denied(why) => {
                run.refuse_secret(name.as_str(), Rung::Operate, &why);
                SecretError::Denied
            }
        }
    }
}
