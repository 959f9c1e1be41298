//! `wharf:plugin/http-credentials`: *attach*: a credential that the guest names on a request and
//! never sees. Where it may go is the binding's word.

use wasmtime::component::Resource;
use wharf_policy::{Rung, SecretName};

use crate::State;
use crate::bindings::http::{HttpError, Request, Response};
use crate::bindings::http_credentials::{CredentialError, Host, HostCredential};
use crate::egress::Guest;
use crate::resolve::Resolved;

/// A handle on a credential: the name of its secret. The right to it is checked at every use.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Credential {
    name: SecretName,
}

impl HostCredential for State {
    fn open(
        &mut self,
        name: String,
    ) -> wasmtime::Result<Result<Resource<Credential>, CredentialError>> {
        let Some(run) = self.live() else {
            return Ok(Err(CredentialError::Denied));
        };
        run.carries(name.len())?;
        let Some(binding) = run.permit(&name, Rung::Attach) else {
            return Ok(Err(CredentialError::Denied));
        };
        match run.secrets.get(&binding.name) {
            Resolved::Value(_) => {}
            Resolved::NotFound => return Ok(Err(CredentialError::NotFound)),
            Resolved::Unavailable => return Ok(Err(CredentialError::Unavailable)),
        }
        if run.opened(&binding.name, Rung::Attach).is_err() {
            return Ok(Err(CredentialError::Unavailable));
        }
        let name = binding.name.clone();
        Ok(Ok(self.table.push(Credential { name })?))
    }

    fn drop(&mut self, credential: Resource<Credential>) -> wasmtime::Result<()> {
        self.table.delete(credential)?;
        Ok(())
    }
}

impl Host for State {
    async fn send(
        &mut self,
        request: Request,
        credential: Resource<Credential>,
    ) -> wasmtime::Result<Result<Response, HttpError>> {
        let name = self.table.get(&credential)?.name.clone();
        self.send_record(request, Guest::Attaches(&name)).await
    }
}
