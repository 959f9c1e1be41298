//! The interfaces that a plugin can import, each linked only where the rights allow it.

use std::fmt;

use semver::Version;

/// One interface of the host, named as components import it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interface {
    /// `wharf:plugin/log`.
    Log,
    /// `wharf:plugin/progress`.
    Progress,
    /// `wharf:plugin/control`.
    Control,
    /// `wharf:plugin/output`.
    Output,
    /// `wharf:plugin/types`, which holds no functions.
    Types,
    /// `wharf:plugin/config`.
    Config,
    /// `wharf:plugin/http`.
    Http,
    /// `wharf:plugin/http-credentials`.
    HttpCredentials,
    /// `wharf:plugin/signed-http`.
    SignedHttp,
    /// `wharf:plugin/secrets`.
    Secrets,
    /// `wharf:plugin/reveal`.
    Reveal,
    /// All of `wasi:http`.
    WasiHttp,
    /// TCP connections through `wasi:sockets`. No import names it: without it, the sockets of
    /// [`Interface::WasiBase`] lead nowhere.
    WasiTcp,
    /// The parts of WASI that language runtimes import whether they use them or not: clocks,
    /// random, io, cli, filesystem, sockets. Linked without any power: no file, no environment
    /// but the manifest's, no address.
    WasiBase,
}

impl Interface {
    /// Every interface.
    pub const ALL: [Self; 14] = [
        Self::Log,
        Self::Progress,
        Self::Control,
        Self::Output,
        Self::Types,
        Self::Config,
        Self::Http,
        Self::HttpCredentials,
        Self::SignedHttp,
        Self::Secrets,
        Self::Reveal,
        Self::WasiHttp,
        Self::WasiBase,
        // After the base, whose sockets it replaces.
        Self::WasiTcp,
    ];

    /// The interface behind an import such as `wharf:plugin/http@0.1.0`, or none if this host has
    /// no such interface, or not in a version that stands in for that one.
    pub fn of_import(import: &str) -> Option<Self> {
        let (path, version) = import.split_once('@')?;
        let interface = Self::of_path(path)?;
        let version = Version::parse(version).ok()?;
        // Below 1.0 the second number is the one by which versions break.
        let linked: &[u64] = match path.split(['/', ':']).take(2).collect::<Vec<_>>()[..] {
            ["wharf", _] => &[1],
            ["wasi", "io"] => &[2],
            _ => &[2, 3],
        };
        let fits = version.major == 0 && version.pre.is_empty() && linked.contains(&version.minor);
        fits.then_some(interface)
    }

    fn of_path(path: &str) -> Option<Self> {
        Some(match path {
            "wharf:plugin/log" => Self::Log,
            "wharf:plugin/progress" => Self::Progress,
            "wharf:plugin/control" => Self::Control,
            "wharf:plugin/output" => Self::Output,
            "wharf:plugin/types" => Self::Types,
            "wharf:plugin/config" => Self::Config,
            "wharf:plugin/http" => Self::Http,
            "wharf:plugin/http-credentials" => Self::HttpCredentials,
            "wharf:plugin/signed-http" => Self::SignedHttp,
            "wharf:plugin/secrets" => Self::Secrets,
            "wharf:plugin/reveal" => Self::Reveal,
            _ => match path.split('/').next()? {
                "wasi:http" => Self::WasiHttp,
                "wasi:clocks" | "wasi:random" | "wasi:io" | "wasi:cli" | "wasi:filesystem"
                | "wasi:sockets" => Self::WasiBase,
                _ => return None,
            },
        })
    }

    /// The line of a grant that allows it, or none where every plugin has it.
    pub fn grant_hint(self) -> Option<&'static str> {
        match self {
            Self::Log
            | Self::Progress
            | Self::Control
            | Self::Output
            | Self::Types
            | Self::WasiBase => None,
            Self::Config => Some(
                "`config = true` in the manifest's [capabilities] and `config = { name = \"value\" }` in a [[grant]]",
            ),
            Self::Http | Self::WasiHttp => Some(
                "`http` in the manifest's [capabilities] and `http = [{ origin = \"https://api.example\" }]` (with the origins that are meant) in a [[grant]]",
            ),
            Self::WasiTcp => Some(
                "`tcp` in the manifest's [capabilities] and `tcp = [{ host = \"db.example\", ports = [5432] }]` (with what is meant) in a [[grant]]",
            ),
            Self::HttpCredentials => Some(
                "`http` and a secret with rung `attach` in the manifest's [capabilities], and in a [[grant]] `http = [{ origin = \"https://api.example\" }]` and `secrets = [{ name = \"api-token\", rungs = [\"attach\"] }]`, with a [[secret]] block of that name that has `to`",
            ),
            Self::SignedHttp => Some(
                "`http` and a secret with rung `operate` in the manifest's [capabilities], and in a [[grant]] `http = [{ origin = \"https://api.example\" }]` and `secrets = [{ name = \"api-token\", rungs = [\"operate\"] }]`, with a [[secret]] block of that name that lists the operations in `operations`",
            ),
            Self::Secrets => Some(
                "a secret with rung `operate` in the manifest's [capabilities] and `secrets = [{ name = \"api-token\", rungs = [\"operate\"] }]` in a [[grant]], with a [[secret]] block of that name that lists the operations in `operations`",
            ),
            Self::Reveal => Some(
                "a secret with rung `reveal` in the manifest's [capabilities] and `secrets = [{ name = \"api-token\", rungs = [\"reveal\"] }]` in a [[grant]], with a [[secret]] block of that name",
            ),
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "wharf:plugin/log",
            Self::Progress => "wharf:plugin/progress",
            Self::Control => "wharf:plugin/control",
            Self::Output => "wharf:plugin/output",
            Self::Types => "wharf:plugin/types",
            Self::Config => "wharf:plugin/config",
            Self::Http => "wharf:plugin/http",
            Self::HttpCredentials => "wharf:plugin/http-credentials",
            Self::SignedHttp => "wharf:plugin/signed-http",
            Self::Secrets => "wharf:plugin/secrets",
            Self::Reveal => "wharf:plugin/reveal",
            Self::WasiHttp => "wasi:http",
            Self::WasiTcp => "wasi:sockets with TCP",
            Self::WasiBase => "wasi",
        })
    }
}
