//! `wharf:plugin/signed-http`: *operate* on requests: the guest names a secret and the manner, the
//! host makes the credential and the guest sees neither.

use wasmtime::component::Resource;

use crate::State;
use crate::bindings::http::{HttpError, Request, Response};
use crate::bindings::signed_http::{Authentication, Host};
use crate::egress::{Guest, Manner};
use crate::secrets::Secret;

impl Host for State {
    async fn send(
        &mut self,
        request: Request,
        secret: Resource<Secret>,
        how: Authentication,
    ) -> wasmtime::Result<Result<Response, HttpError>> {
        let name = self.table.get(&secret)?.name().clone();
        if let Some(run) = self.live() {
            run.carries(size(&how))?;
        }
        let manner = match how {
            Authentication::Bearer => Manner::Bearer,
            Authentication::Basic(user) => Manner::Basic { user },
            Authentication::AwsSigv4(scope) => Manner::AwsSigv4 {
                region: scope.region,
                service: scope.service,
                access_key_id: scope.access_key_id,
            },
        };
        let guest = Guest::Operates {
            secret: &name,
            manner: &manner,
        };
        self.send_record(request, guest).await
    }
}

/// What the guest says of the manner, in bytes.
fn size(how: &Authentication) -> usize {
    match how {
        Authentication::Bearer => 0,
        Authentication::Basic(user) => user.len(),
        Authentication::AwsSigv4(scope) => {
            let key = scope.access_key_id.as_ref().map_or(0, String::len);
            scope.region.len() + scope.service.len() + key
        }
    }
}
