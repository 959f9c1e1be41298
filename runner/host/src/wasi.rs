//! WASI without power: clocks, randomness and streams, and interfaces that language runtimes
//! import but that lead nowhere: no file, no address, no environment but the manifest's.

use wasmtime_wasi::p2::bindings::random::{insecure, random};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::stdio::Stdio;
use crate::{CommandIo, LimitHit, LimitKind, State};

/// The most bytes of randomness in one call.
pub(crate) const RANDOM: u64 = 1 << 20;

/// The most bytes of one set of headers (`wasi:http` fields).
const FIELDS: usize = 64 * 1024;

/// A context in which nothing can be reached.
pub(crate) fn context(stdio: &Stdio, command: Option<&CommandIo>) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(stdio.stdout())
        .stderr(stdio.stderr())
        .max_random_size(RANDOM)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .socket_addr_check(|_, _| Box::pin(async { false }));
    if let Some(command) = command {
        builder
            .stdin(MemoryInputPipe::new(command.stdin.clone()))
            .args(&command.args)
            .envs(&command.env);
    }
    builder.build()
}

pub(crate) fn http_context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(FIELDS);
    context
}

/// Checks the size of a call for randomness, so that the limit is told by its name.
fn check_random(state: &State, len: u64) -> wasmtime::Result<()> {
    if len <= RANDOM {
        return Ok(());
    }
    Err(match &state.run {
        Some(run) => run.stop(LimitKind::Random, RANDOM),
        None => LimitHit {
            kind: LimitKind::Random,
            allowed: RANDOM,
        },
    }
    .into())
}

impl random::Host for State {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        check_random(self, len)?;
        random::Host::get_random_bytes(self.ctx().ctx.random(), len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        random::Host::get_random_u64(self.ctx().ctx.random())
    }
}

impl insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        check_random(self, len)?;
        insecure::Host::get_insecure_random_bytes(self.ctx().ctx.random(), len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        insecure::Host::get_insecure_random_u64(self.ctx().ctx.random())
    }
}
