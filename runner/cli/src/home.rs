//! Where Wharf keeps things when it is not told where.

use std::path::PathBuf;

use crate::exit::{Failure, Result};

/// The address of a controller that was not told another.
pub(crate) const LISTEN: &str = "127.0.0.1:7433";

/// `WHARF_HOME`, else `XDG_DATA_HOME/wharf`, else `~/.local/share/wharf`.
pub(crate) fn home() -> Result<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("WHARF_HOME")
        .or_else(|| set("XDG_DATA_HOME").map(|dir| dir.join("wharf")))
        .or_else(|| set("HOME").map(|dir| dir.join(".local/share/wharf")))
        .ok_or_else(|| {
            Failure::usage("no folder to keep data in")
                .help("set WHARF_HOME, or name a folder with --data or --state")
        })
}

/// The controller's data.
pub(crate) fn controller_data() -> Result<PathBuf> {
    home().map(|home| home.join("controller"))
}

/// A runner's state.
pub(crate) fn runner_state() -> Result<PathBuf> {
    home().map(|home| home.join("runner"))
}

/// Compiled code of `wharf run`.
pub(crate) fn cache() -> Result<PathBuf> {
    home().map(|home| home.join("cache"))
}
