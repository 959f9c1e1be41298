//! `wasi:sockets/ip-name-lookup`: names that a grant holds, and of their addresses those that its
//! networks hold. What is given is remembered, because only that can be connected to.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use url::Host;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{DynPollable, Network, Pollable, subscribe};
use wharf_policy::{Denied, tcp_host};

use super::{deny, refuse, tell};
use crate::State;
use crate::egress::Unresolved;
use crate::run::Run;

const INTERFACE: &str = "wasi:sockets/ip-name-lookup@0.2.12";

/// The addresses of a name, all there when the stream is.
struct Addresses(VecDeque<IpAddr>);

#[async_trait::async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {}
}

type Store<'a> = StoreContextMut<'a, State>;

/// Adds the interface. By hand, because the type of wasmtime's own stream of addresses cannot be
/// made by anyone else.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut instance = linker.instance(INTERFACE)?;
    instance.resource(
        "resolve-address-stream",
        ResourceType::host::<Addresses>(),
        |mut store, rep| {
            let stream = Resource::<Addresses>::new_own(rep);
            store.data_mut().table.delete(stream)?;
            Ok(())
        },
    )?;
    instance.func_wrap_async(
        "resolve-addresses",
        |mut store: Store<'_>, (network, name): (Resource<Network>, String)| {
            Box::new(async move {
                let state = store.data_mut();
                state.table.get(&network)?;
                let found = match resolve(state.run.clone(), &name).await {
                    Ok(found) => Ok(state.table.push(Addresses(found.into()))?),
                    Err(code) => Err(code),
                };
                Ok((found,))
            })
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: Store<'_>, (stream,): (Resource<Addresses>,)| {
            let next = store.data_mut().table.get_mut(&stream)?.0.pop_front();
            let next: Result<Option<IpAddress>, ErrorCode> = Ok(next.map(IpAddress::from));
            Ok((next,))
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: Store<'_>, (stream,): (Resource<Addresses>,)| {
            let pollable: Resource<DynPollable> = subscribe(&mut store.data_mut().table, stream)?;
            Ok((pollable,))
        },
    )
}

/// The addresses of a name that this run may look up and connect to.
async fn resolve(run: Option<Arc<Run>>, name: &str) -> Result<Vec<IpAddr>, ErrorCode> {
    let Some(run) = run else {
        return Err(ErrorCode::AccessDenied);
    };
    run.traffic
        .request()
        .map_err(|error| refuse(&run, "TCP", "the address of a name", &error.to_string()))?;
    let host = tcp_host(name).map_err(|_| ErrorCode::InvalidArgument)?;
    let refused = |denied: Denied| deny(&run, &host.to_string(), &denied);
    let granted = run.rights.check_tcp(&host, None).map_err(refused)?;
    let what = || format!("TCP to {host}");
    let egress = &run.services.egress;
    match egress.addresses(&run, &host, &granted, what).await {
        Ok(found) => {
            if let Host::Domain(name) = &host {
                run.names.remember(name, &found);
            }
            Ok(found)
        }
        Err(Unresolved::Denied(denied)) => Err(refused(denied)),
        Err(Unresolved::Failed(error)) => {
            tell(&run, &format!("{host} cannot be looked up: {error}"));
            Err(ErrorCode::NameUnresolvable)
        }
    }
}
