//! A wire tap: it stands between a client and a server, and keeps what each of them sends.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What passed over one connection, by its direction.
#[derive(Default)]
struct Passed {
    sent: Mutex<Vec<u8>>,
    received: Mutex<Vec<u8>>,
}

/// A relay to one address on loopback.
pub struct WireTap {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Arc<Passed>>>>,
}

impl WireTap {
    /// Relays connections to this port.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<Mutex<Vec<Arc<Passed>>>>::default();
        let all = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
                    continue;
                };
                // What is small goes on at once, as it does without the relay.
                if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
                    continue;
                }
                let passed = Arc::new(Passed::default());
                all.lock().unwrap().push(Arc::clone(&passed));
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                let (one, other) = (Arc::clone(&passed), passed);
                tokio::spawn(async move { relay(near_in, far_out, &one.sent).await });
                tokio::spawn(async move { relay(far_in, near_out, &other.received).await });
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// Where to connect instead.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that clients sent so far, as servers read it.
    pub fn sent(&self) -> Vec<u8> {
        self.all(|passed| &passed.sent)
    }

    /// Everything that they received so far.
    pub fn received(&self) -> Vec<u8> {
        self.all(|passed| &passed.received)
    }

    fn all(&self, direction: impl Fn(&Passed) -> &Mutex<Vec<u8>>) -> Vec<u8> {
        let connections = self.connections.lock().unwrap();
        let each = connections
            .iter()
            .map(|passed| read(&direction(passed).lock().unwrap()));
        each.collect::<Vec<_>>().concat()
    }
}

async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    seen: &Mutex<Vec<u8>>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        seen.lock().unwrap().extend_from_slice(&buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// What was said in one direction of a connection. Of a WebSocket, whose clients mask all they send, the
/// opening as it is, and what its frames carry, in their order.
fn read(bytes: &[u8]) -> Vec<u8> {
    let opening = memchr::memmem::find(bytes, b"\r\n\r\n").map(|end| end + 4);
    let Some((head, mut rest)) = opening.and_then(|end| bytes.split_at_checked(end)) else {
        return bytes.to_vec();
    };
    let words = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !words.contains("upgrade: websocket") {
        return bytes.to_vec();
    }
    // What is compressed would not be found.
    assert!(!words.contains("sec-websocket-extensions"), "{words}");
    let mut said = head.to_vec();
    while let Some((payload, behind)) = frame(rest) {
        said.extend(payload);
        rest = behind;
    }
    said
}

/// What the first frame carries, if it is whole, and what stands behind it (RFC 6455, section 5.2).
fn frame(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let ([_, short], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match short & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u16::from_be_bytes(*length).into(), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length), rest)
        }
        length => (length.into(), rest),
    };
    let (mask, rest) = match short & 0x80 {
        0 => (&[0; 4], rest),
        _ => rest.split_first_chunk()?,
    };
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).unwrap())?;
    let payload = payload.iter().zip(mask.iter().cycle());
    Some((payload.map(|(byte, mask)| byte ^ mask).collect(), rest))
}

#[cfg(test)]
mod tests {
    use super::read;

    const OPENING: &[u8] = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";

    fn masked(payload: &[u8]) -> Vec<u8> {
        let mask = [7, 200, 31, 4];
        let mut frame = match payload.len() {
            short @ ..126 => vec![0x82, 0x80 | u8::try_from(short).unwrap()],
            long => {
                let length = u16::try_from(long).unwrap().to_be_bytes();
                vec![0x82, 0x80 | 126, length[0], length[1]]
            }
        };
        frame.extend(mask);
        let pairs = payload.iter().zip(mask.iter().cycle());
        frame.extend(pairs.map(|(byte, mask)| byte ^ mask));
        frame
    }

    #[test]
    fn what_a_client_masks_is_read_and_a_frame_that_is_not_whole_yet_is_not() {
        let long = "a word ".repeat(50);
        let all = [OPENING, &masked(b"short"), &masked(long.as_bytes())].concat();
        let said = [OPENING, b"short", long.as_bytes()].concat();
        assert_eq!(read(&all), said);
        assert_eq!(read(&all[..all.len() - 1]), [OPENING, b"short"].concat());
    }

    #[test]
    fn plain_requests_and_what_a_server_frames_are_read_as_they_are() {
        let plain = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nab";
        assert_eq!(read(plain), plain);
        let head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
        let framed = [head, &b"\x82\x02ab"[..]].concat();
        assert_eq!(read(&framed), [head, &b"ab"[..]].concat());
    }

    #[test]
    #[should_panic(expected = "permessage-deflate")]
    fn what_may_be_compressed_is_not_passed_over() {
        read(b"GET / HTTP/1.1\r\nupgrade: websocket\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n");
    }
}
