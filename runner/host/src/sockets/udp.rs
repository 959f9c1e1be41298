//! `wasi:sockets/udp-create-socket`: there are no datagrams, and whoever asks is told so.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket;
use wasmtime_wasi::p2::{SocketResult, UdpSocket};

use super::refuse;
use crate::State;

impl udp_create_socket::Host for State {
    async fn create_udp_socket(&mut self, _: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        let Some(run) = &self.run else {
            return Err(ErrorCode::AccessDenied.into());
        };
        let why = "no plugin may send or take datagrams (UDP); no grant allows it";
        Err(refuse(run, "UDP", "any place", why).into())
    }
}
