//! A DNS server whose answers change, and a lookup that asks it: as much of RFC 1035 as that takes.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use wharf_host::Lookup;

const A: u16 = 1;
const AAAA: u16 = 28;

/// The answers to a name, one after another; the last one stays.
type Answers = HashMap<String, Vec<Vec<IpAddr>>>;

/// A server on loopback.
#[derive(Clone)]
pub(crate) struct Dns {
    address: SocketAddr,
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Dns {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let dns = Self {
            address: socket.local_addr().unwrap(),
            answers: Arc::default(),
            asked: Arc::default(),
        };
        let server = dns.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let reply = server.reply(&buffer[..length]);
                let _ = socket.send_to(&reply, from).await;
            }
        });
        dns
    }

    /// Answers a name with these addresses, one list for each time that it is asked for.
    pub(crate) fn tell(&self, name: &str, answers: &[&[&str]]) {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        let answers = answers.iter().map(parse).collect();
        self.answers
            .lock()
            .unwrap()
            .insert(name.to_owned(), answers);
    }

    /// Every name that was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn reply(&self, query: &[u8]) -> Vec<u8> {
        let (name, end) = read_name(query);
        let kind = u16::from_be_bytes([query[end], query[end + 1]]);
        let mut answers = self.answers.lock().unwrap();
        let mut found = Vec::new();
        if let Some(lists) = answers.get_mut(&name) {
            found = lists[0].clone();
            // A lookup asks for both kinds, AAAA last.
            if kind == AAAA && lists.len() > 1 {
                lists.remove(0);
            }
        }
        if kind == A {
            self.asked.lock().unwrap().push(name);
        }
        let records: Vec<Vec<u8>> = found
            .into_iter()
            .filter_map(|address| match (address, kind) {
                (IpAddr::V4(v4), A) => Some(v4.octets().to_vec()),
                (IpAddr::V6(v6), AAAA) => Some(v6.octets().to_vec()),
                _ => None,
            })
            .collect();
        let mut reply = query[..2].to_vec();
        reply.extend([
            0x81,
            0x80,
            0,
            1,
            0,
            u8::try_from(records.len()).unwrap(),
            0,
            0,
            0,
            0,
        ]);
        reply.extend(&query[12..end + 4]);
        for record in records {
            reply.extend([0xc0, 12]);
            reply.extend(kind.to_be_bytes());
            reply.extend([0, 1, 0, 0, 0, 0, 0, u8::try_from(record.len()).unwrap()]);
            reply.extend(record);
        }
        reply
    }
}

/// The name that a message asks about, and where it ends.
fn read_name(message: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while message[at] != 0 {
        let length = usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..=at + length]).into_owned());
        at += length + 1;
    }
    (labels.join("."), at + 1)
}

#[async_trait::async_trait]
impl Lookup for Dns {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let mut found = Vec::new();
        for kind in [A, AAAA] {
            let socket = UdpSocket::bind("127.0.0.1:0").await?;
            socket.connect(self.address).await?;
            let mut query = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            for label in name.split('.') {
                query.push(u8::try_from(label.len()).unwrap());
                query.extend(label.bytes());
            }
            query.push(0);
            query.extend(kind.to_be_bytes());
            query.extend([0, 1]);
            socket.send(&query).await?;
            let mut buffer = [0; 512];
            let length = socket.recv(&mut buffer).await?;
            found.extend(addresses(&buffer[..length]));
        }
        Ok(found)
    }
}

fn addresses(reply: &[u8]) -> Vec<IpAddr> {
    let count = usize::from(u16::from_be_bytes([reply[6], reply[7]]));
    let mut at = read_name(reply).1 + 4;
    let mut found = Vec::new();
    for _ in 0..count {
        let data = at + 12;
        let length = usize::from(reply[data - 1]);
        let bytes = &reply[data..data + length];
        if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
            found.push(IpAddr::V4(Ipv4Addr::from(v4)));
        } else if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
            found.push(IpAddr::V6(Ipv6Addr::from(v6)));
        }
        at = data + length;
    }
    found
}
