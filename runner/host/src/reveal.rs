//! `wharf:plugin/reveal`: the value itself. Off by default, and audited each time before it is
//! shown. The instance that has it ends with the run, as every instance does.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wharf_policy::Rung;

use crate::bindings::reveal::{Host, RevealError};
use crate::resolve::Resolved;
use crate::{AuditEvent, State};

/// How often one run may ask. Each time is an entry in the audit trail, which must stay bounded.
const MOST: u32 = 1_000;

impl Host for State {
    async fn reveal(&mut self, name: String) -> wasmtime::Result<Result<Vec<u8>, RevealError>> {
        let Some(run) = self.live().map(Arc::clone) else {
            return Ok(Err(RevealError::Denied));
        };
        run.carries(name.len())?;
        let Some(binding) = run.permit(&name, Rung::Reveal) else {
            return Ok(Err(RevealError::Denied));
        };
        let value = match run.secrets.get(&binding.name) {
            Resolved::Value(value) => value,
            Resolved::NotFound => return Ok(Err(RevealError::NotFound)),
            Resolved::Unavailable => return Ok(Err(RevealError::Unavailable)),
        };
        if run.reveals.fetch_add(1, Ordering::AcqRel) >= MOST {
            run.reveals.store(MOST, Ordering::Release);
            let why = format!(
                "the secret `{}` is not revealed: this execution has had {MOST} reveals, which is the most there are; keep the value for as long as it is needed, or use another rung",
                binding.name
            );
            run.refuse_secret(&name, Rung::Reveal, &why);
            return Ok(Err(RevealError::Denied));
        }
        // On disk before the value is out: this can never be taken back.
        let written = run.events.audit(AuditEvent::SecretRevealed {
            secret: binding.name.clone(),
        });
        if written.is_err() || run.events.audit_synced().await.is_err() {
            return Ok(Err(RevealError::Unavailable));
        }
        Ok(Ok(value.expose().to_vec()))
    }
}
