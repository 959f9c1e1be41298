//! TCP for plugins that speak a protocol of their own: `wasi:sockets` 0.2, by grant.
//!
//! The sockets are wasmtime's; what they may connect to is decided in [`reach`], once before a
//! connection is begun and again by the check that wasmtime makes before the system call. There is
//! no listening, no binding, no UDP, and none of this for WASI 0.3, whose bytes could not be
//! counted. Without the grant there is no socket at all, and whoever asks for one is told what
//! would allow it.

mod lookup;
mod reach;
mod streams;
mod tcp;
mod udp;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::p2::bindings::sockets as wasi;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsCtx, WasiSocketsCtxView};
use wharf_policy::Denied;

use crate::egress::Open;
use crate::run::Run;
use crate::{Level, LogSource, State};

pub(crate) use reach::Names;

/// The sockets of one store.
pub(crate) struct Sockets {
    ctx: WasiSocketsCtx,
    gate: Arc<OnceLock<Weak<Run>>>,
    /// The places among the open connections, by socket: taken when a socket is made, so that
    /// sockets that go nowhere are bounded as well.
    places: HashMap<u32, Open>,
}

impl Default for Sockets {
    fn default() -> Self {
        let gate: Arc<OnceLock<Weak<Run>>> = Arc::default();
        let asked = gate.clone();
        let mut builder = WasiCtx::builder();
        builder
            .allow_tcp(true)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .socket_addr_check(move |address, purpose| {
                let fine = match purpose {
                    // What the system does by itself before it connects.
                    SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
                    SocketAddrUse::TcpConnect => asked
                        .get()
                        .and_then(Weak::upgrade)
                        .is_some_and(|run| reach::decide(&run, address).is_ok()),
                    _ => false,
                };
                Box::pin(async move { fine })
            });
        Self {
            ctx: builder.build().sockets().clone(),
            gate,
            places: HashMap::new(),
        }
    }
}

impl Sockets {
    pub(crate) fn bind(&self, run: &Arc<Run>) {
        // An instance is bound once, and so is this.
        let _ = self.gate.set(Arc::downgrade(run));
    }

    /// Forgets what is open. The sockets themselves are in the table.
    pub(crate) fn close(&mut self) {
        self.places.clear();
    }
}

impl State {
    fn tcp(&mut self) -> WasiSocketsCtxView<'_> {
        WasiSocketsCtxView {
            ctx: &mut self.sockets.ctx,
            table: &mut self.table,
        }
    }
}

/// Puts sockets that connect where it is granted, and tell why where it is not, in the place of those
/// that lead nowhere and say nothing.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    wasi::tcp::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    wasi::tcp_create_socket::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    wasi::udp_create_socket::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    lookup::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Tells the auditor and the log of what is refused. A destination that is no `host:port` and no
/// name is words with a space between them, so that nobody takes it for a host.
fn refuse(run: &Run, method: &str, destination: &str, why: &str) -> ErrorCode {
    tell(run, why);
    run.request_refused(method, destination, why, None);
    ErrorCode::AccessDenied
}

/// The same of what the rights refuse, with the address if it was that.
fn deny(run: &Run, destination: &str, denied: &Denied) -> ErrorCode {
    let why = denied.to_string();
    tell(run, &why);
    run.request_refused("TCP", destination, &why, denied.address);
    ErrorCode::AccessDenied
}

/// `wasi:sockets` has codes where we have sentences, so the sentence goes to the log.
fn tell(run: &Run, why: &str) {
    let why = run.name_scrubber().scrub(why).into_owned();
    run.line(
        Level::Warn,
        LogSource::Host,
        format!("a connection failed: {why}"),
        Vec::new(),
    );
}
