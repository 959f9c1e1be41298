//! Sockets, by the standard library.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

fn said(error: std::io::Error) -> String {
    format!("{:?}", error.kind())
}

/// Connects to `HOST:PORT`, sends, and reads until so many bytes are there or no more come.
pub(crate) fn exchange(to: &str, send: &[u8], receive: usize) -> Result<String, String> {
    let mut stream = TcpStream::connect(to).map_err(said)?;
    stream.write_all(send).map_err(said)?;
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while got.len() < receive {
        match stream.read(&mut buffer).map_err(said)? {
            0 => break,
            read => got.extend_from_slice(&buffer[..read]),
        }
    }
    got.truncate(receive);
    Ok(String::from_utf8_lossy(&got).into_owned())
}

/// The addresses of a name.
pub(crate) fn lookup(name: &str, port: u16) -> Result<Vec<String>, String> {
    let found = (name, port).to_socket_addrs().map_err(said)?;
    Ok(found.map(|address| address.to_string()).collect())
}

/// Looks a name up and connects to what comes, on another port.
pub(crate) fn elsewhere(name: &str, port: u16) -> Result<String, String> {
    let address = (name, 1)
        .to_socket_addrs()
        .map_err(said)?
        .next()
        .ok_or("nothing")?;
    let address = SocketAddr::new(address.ip(), port);
    TcpStream::connect(address).map_err(said)?;
    Ok(address.to_string())
}

/// Listens, and gives the address.
pub(crate) fn listen(at: &str) -> Result<String, String> {
    let listener = TcpListener::bind(at).map_err(said)?;
    listener.local_addr().map(|a| a.to_string()).map_err(said)
}

/// Sends a datagram.
pub(crate) fn datagram(to: &str, bytes: &[u8]) -> Result<usize, String> {
    let socket = UdpSocket::bind("0.0.0.0:0").map_err(said)?;
    socket.send_to(bytes, to).map_err(said)
}

/// Opens as many connections as it gets, and keeps them all; gives how many and the last error.
pub(crate) fn many(to: &str, count: usize) -> Result<String, String> {
    let mut kept = Vec::new();
    for _ in 0..count {
        match TcpStream::connect(to) {
            Ok(stream) => kept.push(stream),
            Err(error) => return Ok(format!("{} then {}", kept.len(), said(error))),
        }
    }
    let count = kept.len();
    // They outlive the run, as far as it is for the guest to say.
    std::mem::forget(kept);
    Ok(format!("{count}"))
}
