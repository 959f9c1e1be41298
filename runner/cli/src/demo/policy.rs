//! The runner's policy of the demo, as an operator would write it.

use std::fs;
use std::path::{Path, PathBuf};

use super::internal_api::InternalApi;
use crate::exit::{Context, Exit, Result};
use crate::local;

/// The group that the demo's runner joins.
pub(super) const GROUP: &str = "demo";

/// Writes `policy.toml` and the secrets that it names.
pub(super) fn write(data: &Path, api: &InternalApi) -> Result<PathBuf> {
    let secrets = data.join("secrets");
    fs::create_dir_all(&secrets).or_exit(
        Exit::Usage,
        format_args!("cannot make {}", secrets.display()),
    )?;
    local::write_private(&secrets.join("internal-api"), &api.secrets.token)?;
    local::write_private(&secrets.join("webhook-key"), &api.secrets.webhook_key)?;

    let (origin, secrets) = (api.origin(), secrets.display());
    let policy = format!(
        r#"# Whom to trust.
[[trust]]
plugins = ["http", "transform", "notify", "hostile", "forbidden"]
keys = ["keys/wharf.pub"]

# The secrets, where they are, and where they may go.
[[secret]]
name = "internal-api"
from = "file:{secrets}/internal-api"
to = [{{ origin = "{origin}", path = "/v1", methods = ["GET"] }}]
as = "bearer"

[[secret]]
name = "webhook-key"
from = "file:{secrets}/webhook-key"
operations = ["hmac"]

[[secret]]
name = "decoy"
from = "env:WHARF_DEMO_DECOY"

# Who may do what.
[[grant]]
plugins = ["http"]
# The second origin is an operator's slip: the address is refused all the same.
http = [{{ origin = "{origin}", path = "/v1" }}, {{ origin = "http://169.254.169.254" }}]
networks = ["127.0.0.1/32"]
secrets = [{{ name = "internal-api", rungs = ["inject"] }}]

[[grant]]
plugins = ["notify"]
http = [{{ origin = "{origin}", path = "/hooks", methods = ["POST"] }}]
networks = ["127.0.0.1/32"]
secrets = [{{ name = "webhook-key", rungs = ["operate"] }}]

# What a plugin imports must be granted before it runs at all; these lead nowhere.
[[grant]]
plugins = ["hostile"]
http = [{{ origin = "https://nowhere.invalid" }}]
secrets = [{{ name = "decoy", rungs = ["operate"] }}]
limits = {{ memory = "32MiB", deadline = "10s" }}
"#
    );
    let file = data.join("policy.toml");
    fs::write(&file, policy)
        .or_exit(Exit::Usage, format_args!("cannot write {}", file.display()))?;
    Ok(file)
}
