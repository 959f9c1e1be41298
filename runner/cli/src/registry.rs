//! What the commands about registries share: how a registry is reached, whom to trust, progress, and
//! writing a plugin with its signature.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use wharf_bundle::layout::LayoutError;
use wharf_bundle::oci::{Accepted, Form, Published, Reference, Trust};
use wharf_bundle::registry::{Access, Client, Options, Progress, RegistryError, Verdict};
use wharf_bundle::{PublicKey, TrustPolicy, attestations_path, signature_path};

use crate::exit::{Context, Exit, Failure, Result};
use crate::replace::{self, Change};
use crate::{local, terminal};

const CA_FILE: &str = "WHARF_REGISTRY_CA_FILE";

/// How the registry is reached. Credentials are those of Docker's config.json, which `docker login`
/// writes: in $DOCKER_CONFIG, or ~/.docker.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reach {
    /// A PEM file of authorities to trust beside the system's, for a registry with certificates of
    /// its own. A registry on this machine is then asked over https too, and over http otherwise
    #[arg(long, env = CA_FILE, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Reach {
    /// As the environment says, where the command line has no room for it.
    pub(crate) fn from_env() -> Self {
        let ca_file = std::env::var_os(CA_FILE).map(PathBuf::from);
        Self { ca_file }
    }

    pub(crate) fn client(&self, reference: &Reference, access: Access) -> Result<Client> {
        let options = Options {
            ca_file: self.ca_file.clone(),
            docker_config: docker_config(),
        };
        Client::new(reference, access, &options).map_err(|error| failure(reference, &error))
    }

    /// A plugin from a registry. What is at its target already is not fetched again.
    pub(crate) async fn fetch(
        &self,
        reference: &Reference,
        here: Option<Vec<u8>>,
        quiet: bool,
    ) -> Result<(Published, u64)> {
        let client = self.client(reference, Access::Pull)?;
        let pulled = client
            .pull(here.map(Arc::from), &*progress(quiet))
            .await
            .map_err(|error| failure(reference, &error))?;
        Ok((pulled.published, pulled.transferred))
    }
}

fn docker_config() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&set("HOME")?).join(".docker")))
}

/// How a command ends that a registry did not serve.
pub(crate) fn failure(reference: &Reference, error: &RegistryError) -> Failure {
    let exit = match error.verdict() {
        Verdict::Usage => Exit::Usage,
        Verdict::Refused => Exit::Refused,
        Verdict::Unreachable => Exit::Unreachable,
    };
    Failure::new(exit, format_args!("{reference}: {error}"))
}

/// How a command ends with an archive that cannot be used.
pub(crate) fn bad_archive(file: &Path, error: &LayoutError) -> Failure {
    let exit = match error {
        LayoutError::Io(_) => Exit::Usage,
        _ => Exit::Refused,
    };
    Failure::new(exit, format_args!("{}: {error}", file.display()))
}

/// Whom to trust. Who is named twice must agree twice.
#[derive(Debug, Clone, Args)]
pub(crate) struct Whom {
    /// Who may sign which plugins, as a runner reads it
    #[arg(long, env = "WHARF_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A public key (PEM) that must have signed the plugin, or the image as `cosign sign` does
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Whom {
    /// Whom to trust. `None` if nobody is named.
    pub(crate) fn load(&self) -> Result<Option<Trusted>> {
        let policy = match &self.policy {
            Some(file) => Some(local::load_policy(file)?.1),
            None => None,
        };
        let key = match &self.key {
            Some(file) => Some(
                PublicKey::load(file)
                    .or_exit(Exit::Usage, format_args!("cannot use {}", file.display()))?,
            ),
            None => None,
        };
        Ok(match (policy, key) {
            (None, None) => None,
            (Some(policy), None) => Some(Trusted::Policy(policy)),
            (None, Some(key)) => Some(Trusted::Key(key)),
            (Some(policy), Some(key)) => Some(Trusted::Both(policy, key)),
        })
    }
}

/// Somebody to trust, read.
pub(crate) enum Trusted {
    Policy(TrustPolicy),
    Key(PublicKey),
    Both(TrustPolicy, PublicKey),
}

impl Trusted {
    /// Refuses a plugin that nobody vouches for who is trusted.
    pub(crate) fn verify(&self, named: impl std::fmt::Display, of: &Published) -> Result<Accepted> {
        let accepted = match self {
            Self::Policy(policy) => Trust::Policy(policy).verify(of),
            Self::Key(key) => Trust::Key(key).verify(of),
            Self::Both(policy, key) => Trust::Key(key)
                .verify(of)
                .and_then(|_| Trust::Policy(policy).verify(of)),
        };
        accepted.or_exit(Exit::Refused, format_args!("{named} is not verified"))
    }
}

/// Writes a plugin and, beside it, what vouches for it: all of it, or what was there stays. The plugin
/// goes last: should the machine stop in between, what is left is refused, not run.
pub(crate) fn write_plugin(file: &Path, published: &Published) -> Result<()> {
    let beside = [
        (attestations_path(file), published.attestations_file()),
        (signature_path(file), published.signature_file()),
    ];
    let beside = beside.iter().map(|(path, content)| match content {
        Some(content) => Change::Write(path, content),
        // One of something else would only mislead.
        None => Change::Remove(path),
    });
    replace::all(beside.chain([Change::Write(file, published.component())]))
}

/// Says of a plugin that only its image was signed what that means.
pub(crate) fn note_form(accepted: &Accepted, file: &Path) {
    if accepted.form == Form::Statement {
        terminal::note(format_args!(
            "the image is signed, the component is not: there is no {}, and runners need one; `wharf sign` makes it",
            signature_path(file).display()
        ));
    }
}

/// A bar on terminals, and nothing elsewhere.
pub(crate) fn progress(quiet: bool) -> Arc<dyn Progress> {
    let bar = ProgressBar::hidden();
    if !quiet && std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    if let Ok(style) = ProgressStyle::with_template(
        "{msg} {bar:30.cyan} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    ) {
        bar.set_style(style);
    }
    Arc::new(Bar(bar))
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn begin(&self, what: &str, bytes: u64) {
        self.0.set_length(bytes);
        self.0.set_position(0);
        self.0.set_message(what.to_owned());
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}
