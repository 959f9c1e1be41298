//! A secret that a store lends: the password of a role in PostgreSQL, another one for each execution.

use serde_json::json;
use wharf_test_servers::{OpenBao, Postgres};

/// Where PostgreSQL keeps what it was told, for us to know what was lent.
const TOLD: &str = "told";

/// A server whose roles are lent.
pub(crate) struct Lent(Postgres);

impl Lent {
    /// Has OpenBao lend roles of a server that is started for it; `None` if that cannot be had here.
    pub(crate) async fn by(bao: &OpenBao) -> Option<Self> {
        let postgres = Postgres::start().await?;
        bao.lend_roles(&postgres, "1h").await;
        postgres.query(&format!("create table {TOLD} (password text)"));
        let create =
            "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
        let tell = format!("INSERT INTO {TOLD} VALUES ('{{{{password}}}}')");
        let role = json!({ "db_name": "app", "default_ttl": "1h", "max_ttl": "1h",
                           "creation_statements": [create, tell] });
        bao.write("database/roles/app", role).await;
        Some(Self(postgres))
    }

    /// The `[[secret]]` of this name that is lent by the store `vault`.
    pub(crate) fn binding(name: &str, to: &str) -> String {
        format!(
            "[[secret]]\nname = '{name}'\nfrom = 'vault:database/creds/app#password'\nto = [{to}]\n\
             operations = ['hmac', 'bearer', 'basic']\n"
        )
    }

    /// Everything that was lent so far.
    pub(crate) fn values(&self) -> Vec<String> {
        let told = self.0.query(&format!("select password from {TOLD}"));
        told.lines().map(str::to_owned).collect()
    }
}
