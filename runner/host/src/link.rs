//! Links what the rights allow, and nothing else: an ungranted import fails before the plugin
//! starts.

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::random as wasi_random;
use wharf_policy::{Interface, Rights};

use crate::bindings::{
    config, control, http, http_credentials, log, output, progress, reveal, secrets, signed_http,
};
use crate::{State, sockets};

/// An interface that could not be linked: a fault of this host, not of the plugin.
#[derive(Debug, thiserror::Error)]
#[error("the host cannot link {interface}: {why}")]
pub struct LinkError {
    /// The interface.
    pub interface: Interface,
    /// What wasmtime said.
    pub why: String,
}

/// Adds every interface that these rights allow to an empty linker.
///
/// # Errors
/// The linker holds one of them already.
pub fn link(linker: &mut Linker<State>, rights: &Rights) -> Result<(), LinkError> {
    link_those(linker, |interface| rights.allows(interface))
}

/// Adds every interface that there is to an empty linker, for an instance that is never bound and so
/// may call none of them.
///
/// # Errors
/// The linker holds one of them already.
pub fn link_all(linker: &mut Linker<State>) -> Result<(), LinkError> {
    link_those(linker, |_| true)
}

fn link_those(
    linker: &mut Linker<State>,
    wanted: impl Fn(Interface) -> bool,
) -> Result<(), LinkError> {
    for interface in Interface::ALL.into_iter().filter(|i| wanted(*i)) {
        add(linker, interface).map_err(|error| LinkError {
            interface,
            why: format!("{error:#}"),
        })?;
    }
    Ok(())
}

fn add(linker: &mut Linker<State>, interface: Interface) -> wasmtime::Result<()> {
    type Own = HasSelf<State>;
    match interface {
        Interface::Log => log::add_to_linker::<_, Own>(linker, |state| state),
        Interface::Progress => progress::add_to_linker::<_, Own>(linker, |state| state),
        Interface::Control => control::add_to_linker::<_, Own>(linker, |state| state),
        Interface::Output => output::add_to_linker::<_, Own>(linker, |state| state),
        // Types have nothing to call; components import the instance all the same.
        Interface::Types => linker.instance("wharf:plugin/types@0.1.0").map(drop),
        Interface::Config => config::add_to_linker::<_, Own>(linker, |state| state),
        Interface::Http => http::add_to_linker::<_, Own>(linker, |state| state),
        Interface::HttpCredentials => {
            http_credentials::add_to_linker::<_, Own>(linker, |state| state)
        }
        Interface::SignedHttp => signed_http::add_to_linker::<_, Own>(linker, |state| state),
        Interface::Secrets => secrets::add_to_linker::<_, Own>(linker, |state| state),
        Interface::Reveal => reveal::add_to_linker::<_, Own>(linker, |state| state),
        Interface::WasiHttp => {
            wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
            wasmtime_wasi_http::p3::add_to_linker(linker)
        }
        Interface::WasiBase => add_wasi(linker),
        // Part of what every plugin has: what is not granted is refused when it is asked for, as
        // language runtimes import sockets whether or not they are used.
        Interface::WasiTcp => Ok(()),
    }
}

/// All of WASI 0.2 and 0.3, with calls for randomness bounded by us, and our own sockets for 0.2.
fn add_wasi(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    linker.allow_shadowing(true);
    wasi_random::random::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    wasi_random::insecure::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    linker.allow_shadowing(false);
    sockets::link(linker)
}
