//! The little of the PostgreSQL protocol that one statement takes: log in by SCRAM, ask, read rows.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;

/// A server that has let us in.
pub(crate) struct Connection {
    stream: TcpStream,
    received: BytesMut,
}

impl Connection {
    /// Logs in.
    pub(crate) fn open(
        stream: TcpStream,
        user: &str,
        password: &[u8],
        database: &str,
    ) -> io::Result<Self> {
        let mut connection = Self {
            stream,
            received: BytesMut::new(),
        };
        connection.send(|buffer| {
            frontend::startup_message([("user", user), ("database", database)], buffer)
        })?;
        let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
        loop {
            match connection.receive()? {
                Message::AuthenticationSasl(_) => {
                    let first = scram.message().to_vec();
                    connection.send(|buffer| {
                        frontend::sasl_initial_response(SCRAM_SHA_256, &first, buffer)
                    })?;
                }
                Message::AuthenticationSaslContinue(body) => {
                    scram.update(body.data())?;
                    let proof = scram.message().to_vec();
                    connection.send(|buffer| frontend::sasl_response(&proof, buffer))?;
                }
                Message::AuthenticationSaslFinal(body) => scram.finish(body.data())?,
                Message::ReadyForQuery(_) => return Ok(connection),
                Message::ErrorResponse(body) => return Err(refusal(&body)),
                _ => {}
            }
        }
    }

    /// The rows that a statement gives.
    pub(crate) fn query(&mut self, sql: &str) -> io::Result<Vec<Vec<Option<String>>>> {
        self.send(|buffer| frontend::query(sql, buffer))?;
        let mut rows = Vec::new();
        loop {
            match self.receive()? {
                Message::DataRow(body) => {
                    let cells = body.ranges().map(|range| {
                        Ok(range.map(|r| String::from_utf8_lossy(&body.buffer()[r]).into_owned()))
                    });
                    rows.push(cells.collect()?);
                }
                Message::ReadyForQuery(_) => return Ok(rows),
                Message::ErrorResponse(body) => return Err(refusal(&body)),
                _ => {}
            }
        }
    }

    fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        write(&mut buffer)?;
        self.stream.write_all(&buffer)
    }

    fn receive(&mut self) -> io::Result<Message> {
        let mut more = [0; 8192];
        loop {
            if let Some(message) = Message::parse(&mut self.received)? {
                return Ok(message);
            }
            match self.stream.read(&mut more)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.received.extend_from_slice(&more[..read]),
            }
        }
    }
}

/// What the server says, in its words.
fn refusal(body: &ErrorResponseBody) -> io::Error {
    let message = body
        .fields()
        .find(|field| Ok(field.type_() == b'M'))
        .ok()
        .flatten()
        .map(|field| String::from_utf8_lossy(field.value_bytes()).into_owned());
    io::Error::other(message.unwrap_or_else(|| "the server refuses".to_owned()))
}
