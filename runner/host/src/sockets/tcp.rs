//! `wasi:sockets/tcp` and `tcp-create-socket`: wasmtime's sockets behind the decision where they
//! may connect. What would take connections in, or choose an address of this machine, is refused.

use std::net::SocketAddr;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{
    self, ErrorCode, IpAddressFamily, IpSocketAddress, Network,
};
use wasmtime_wasi::p2::bindings::sockets::tcp::{self, HostTcpSocket, ShutdownType};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, IoError, SocketError, SocketResult, TcpSocket,
};

use wharf_policy::{AddressClass, Interface, classify};

use super::streams::{Received, Sent};
use super::{deny, reach, refuse, tell};
use crate::run::Run;
use crate::{AuditEvent, State};

type Socket = Resource<TcpSocket>;

impl network::Host for State {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        network::Host::convert_error_code(&mut self.tcp(), error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<IoError>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut self.tcp(), error)
    }
}

impl network::HostNetwork for State {
    fn drop(&mut self, this: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.tcp(), this)
    }
}

impl tcp_create_socket::Host for State {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Socket> {
        let Some(run) = self.run.clone() else {
            return Err(ErrorCode::AccessDenied.into());
        };
        if !run.rights.allows(Interface::WasiTcp) {
            let line = Interface::WasiTcp.grant_hint().unwrap_or_default();
            let why = format!("this plugin may not open sockets: {line} would allow it");
            return Err(refuse(&run, "TCP", "any place", &why).into());
        }
        let place = run.traffic.open_socket().map_err(|error| {
            refuse(&run, "TCP", "another socket", &error.to_string());
            ErrorCode::NewSocketLimit
        })?;
        let socket = tcp_create_socket::Host::create_tcp_socket(&mut self.tcp(), family)?;
        self.sockets.places.insert(socket.rep(), place);
        Ok(socket)
    }
}

impl tcp::Host for State {}

/// Refuses what would take connections in, or choose an address of this machine.
fn refuse_to_listen(state: &State) -> SocketError {
    match &state.run {
        Some(run) => {
            let why =
                "no plugin may bind an address, listen or accept connections; no grant allows it";
            refuse(run, "TCP", "this machine", why).into()
        }
        None => ErrorCode::AccessDenied.into(),
    }
}

/// Tells the auditor of a connection that is about to be made.
fn began(run: &Run, destination: &str, address: SocketAddr) -> Result<(), ErrorCode> {
    let destination = run.name_scrubber().scrub(destination).into_owned();
    let event = AuditEvent::Request {
        method: "TCP".to_owned(),
        destination: destination.clone(),
        credentials: Vec::new(),
    };
    run.events.audit(event).map_err(|error| {
        tell(run, &error.to_string());
        ErrorCode::AccessDenied
    })?;
    if classify(address.ip()) != AddressClass::Public {
        run.reached(&format!("tcp://{destination}"), address.ip());
    }
    Ok(())
}

/// Calls that are wasmtime's as they are.
macro_rules! as_they_are {
    ($($name:ident($($value:ident: $type:ty)?) -> $result:ty;)*) => {
        $(fn $name(&mut self, this: Socket, $($value: $type)?) -> $result {
            HostTcpSocket::$name(&mut self.tcp(), this, $($value)?)
        })*
    };
}

impl HostTcpSocket for State {
    async fn start_bind(
        &mut self,
        _: Socket,
        _: Resource<Network>,
        _: IpSocketAddress,
    ) -> SocketResult<()> {
        Err(refuse_to_listen(self))
    }

    async fn start_listen(&mut self, _: Socket) -> SocketResult<()> {
        Err(refuse_to_listen(self))
    }

    fn accept(
        &mut self,
        _: Socket,
    ) -> SocketResult<(Socket, Resource<DynInputStream>, Resource<DynOutputStream>)> {
        Err(refuse_to_listen(self))
    }

    fn start_connect(
        &mut self,
        this: Socket,
        network: Resource<Network>,
        remote: IpSocketAddress,
    ) -> SocketResult<()> {
        let Some(run) = self.run.clone() else {
            return Err(ErrorCode::AccessDenied.into());
        };
        let address = SocketAddr::from(remote);
        run.traffic
            .request()
            .map_err(|error| refuse(&run, "TCP", &address.to_string(), &error.to_string()))?;
        let destination = reach::decide(&run, address)
            .map_err(|(destination, denied)| deny(&run, &destination, &denied))?;
        began(&run, &destination, address)?;
        HostTcpSocket::start_connect(&mut self.tcp(), this, network, remote)
    }

    fn finish_connect(
        &mut self,
        this: Socket,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let Some(run) = self.run.clone() else {
            return Err(ErrorCode::AccessDenied.into());
        };
        let socket = Resource::<TcpSocket>::new_borrow(this.rep());
        let (input, output) = HostTcpSocket::finish_connect(&mut self.tcp(), this)?;
        let input: DynInputStream = Box::new(Received {
            inner: self.table.delete(input)?,
            run: run.clone(),
        });
        let output: DynOutputStream = Box::new(Sent {
            inner: self.table.delete(output)?,
            run,
        });
        let input = self.table.push_child(input, &socket)?;
        let output = self.table.push_child(output, &socket)?;
        Ok((input, output))
    }

    as_they_are! {
        finish_bind() -> SocketResult<()>;
        finish_listen() -> SocketResult<()>;
        local_address() -> SocketResult<IpSocketAddress>;
        remote_address() -> SocketResult<IpSocketAddress>;
        is_listening() -> wasmtime::Result<bool>;
        address_family() -> wasmtime::Result<IpAddressFamily>;
        set_listen_backlog_size(value: u64) -> SocketResult<()>;
        keep_alive_enabled() -> SocketResult<bool>;
        set_keep_alive_enabled(value: bool) -> SocketResult<()>;
        keep_alive_idle_time() -> SocketResult<u64>;
        set_keep_alive_idle_time(value: u64) -> SocketResult<()>;
        keep_alive_interval() -> SocketResult<u64>;
        set_keep_alive_interval(value: u64) -> SocketResult<()>;
        keep_alive_count() -> SocketResult<u32>;
        set_keep_alive_count(value: u32) -> SocketResult<()>;
        hop_limit() -> SocketResult<u8>;
        set_hop_limit(value: u8) -> SocketResult<()>;
        receive_buffer_size() -> SocketResult<u64>;
        set_receive_buffer_size(value: u64) -> SocketResult<()>;
        send_buffer_size() -> SocketResult<u64>;
        set_send_buffer_size(value: u64) -> SocketResult<()>;
        subscribe() -> wasmtime::Result<Resource<DynPollable>>;
        shutdown(how: ShutdownType) -> SocketResult<()>;
    }

    fn drop(&mut self, this: Socket) -> wasmtime::Result<()> {
        let rep = this.rep();
        HostTcpSocket::drop(&mut self.tcp(), this)?;
        self.sockets.places.remove(&rep);
        Ok(())
    }
}
