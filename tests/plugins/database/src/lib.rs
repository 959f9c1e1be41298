//! Asks a PostgreSQL server over a TCP connection of its own, as a database plugin would: no host
//! function knows the protocol, so the password is revealed to it.

mod connection;

use std::net::TcpStream;

use schemars::JsonSchema;
use serde::Deserialize;
use wharf_plugin::{Error, reveal};

use crate::connection::Connection;

/// Whom to ask what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// The server, `HOST:PORT`.
    server: String,
    /// The database.
    database: String,
    /// The secret that holds the user's name.
    user: String,
    /// The secret that holds the password.
    password: String,
    /// The statement.
    sql: String,
}

/// Asks, and gives the rows as text.
#[wharf_plugin::action(idempotent)]
fn query(input: Ask) -> Result<Vec<Vec<Option<String>>>, Error> {
    let user = String::from_utf8_lossy(&reveal::reveal(&input.user)?).into_owned();
    let password = reveal::reveal(&input.password)?;
    let unreachable = |error: std::io::Error| Error::failed("unreachable", error.to_string());
    let stream = TcpStream::connect(&input.server).map_err(unreachable)?;
    let database = |error: std::io::Error| Error::failed("database", error.to_string());
    let mut connection =
        Connection::open(stream, &user, &password, &input.database).map_err(database)?;
    connection.query(&input.sql).map_err(database)
}

wharf_plugin::export!(query);
