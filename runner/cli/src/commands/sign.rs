//! `wharf sign`: by a key or an identity, with witnesses or without.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ValueEnum};
use secrecy::SecretString;
use serde_json::json;
use wharf_bundle::keyless::{
    Ambient, IdentityToken, LogVersion, Services, Signed, SigningError, SigningFailure, TlsRoots,
    sign_keyless, sign_with_key,
};
use wharf_bundle::sigstore::{Signer, TrustRoot};
use wharf_bundle::{
    AddError, Kept, MAX_CA_FILE, MAX_SIGNATURE_FILE, SignatureFile, SigningKey, add_signature,
    may_replace, read_file, signature_path,
};

use super::attest::{self, Attest};
use super::keys;
use crate::exit::{Context, Exit, Failure, Result};
use crate::{local, terminal};

/// Signs a file: writes FILE.sigstore.json. With --attest, attests something of it.
///
/// By a key nothing leaves this machine unless --rekor-url or --timestamp-url asks for it. By an
/// identity (--identity-token, --keyless) a certificate authority confirms it, and a public log
/// keeps file digest and identity for ever. What was made is verified before it is written.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("by").required(true).multiple(true).args(["key", "identity_token", "keyless"])))]
pub(crate) struct Sign {
    /// Any file
    file: PathBuf,
    /// The encrypted key, as `wharf keygen` or cosign write it: a file, or env://NAME for a variable
    /// that holds it; the password comes from WHARF_KEY_PASSWORD or a prompt
    #[arg(long, value_name = "KEY", conflicts_with_all = ["identity_token", "keyless"])]
    key: Option<String>,
    /// Sign as the identity that this token is of; @FILE reads it from a file, env://NAME from a
    /// variable. Arguments can be seen by others on the machine: prefer those two
    #[arg(long, value_name = "TOKEN")]
    identity_token: Option<String>,
    /// Sign as the identity that the environment has a token of: WHARF_IDENTITY_TOKEN,
    /// SIGSTORE_ID_TOKEN (GitLab), or that of a GitHub Actions job with `id-token: write`
    #[arg(long)]
    keyless: bool,
    /// Where to write the signature; FILE.sigstore.json if left out
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Keep the signatures that are there of the same file, and add this one
    #[arg(long)]
    add: bool,
    /// Write over what is there, also over signatures of others
    #[arg(long, conflicts_with = "add")]
    replace: bool,
    #[command(flatten)]
    attest: Attest,
    #[command(flatten)]
    with: With,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The services of a Sigstore instance.
#[derive(Debug, Args)]
struct With {
    /// The services of a Sigstore instance (a signing configuration, JSON). Without this and without
    /// URLs, identities sign by the public-good instance
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fulcio_url", "rekor_url", "timestamp_url"])]
    signing_config: Option<PathBuf>,
    /// The certificate authority
    #[arg(long, value_name = "URL", conflicts_with = "key")]
    fulcio_url: Option<String>,
    /// A transparency log that shall have an entry
    #[arg(long, value_name = "URL")]
    rekor_url: Option<String>,
    /// How that log is spoken to. Version 2 needs a timestamp as well
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "1",
        requires = "rekor_url"
    )]
    rekor_version: RekorVersion,
    /// A timestamp authority (RFC 3161) that shall say when
    #[arg(long, visible_alias = "tsa-url", value_name = "URL")]
    timestamp_url: Option<String>,
    /// The trusted root (JSON) that what was made must verify against; that of the public-good
    /// instance if left out
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// A PEM file of authorities to trust for TLS beside the system's
    #[arg(long, env = CA_FILE, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// The variable for all commands that speak TLS.
const CA_FILE: &str = "WHARF_CA_FILE";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RekorVersion {
    #[value(name = "1")]
    One,
    #[value(name = "2")]
    Two,
}

impl From<RekorVersion> for LogVersion {
    fn from(version: RekorVersion) -> Self {
        match version {
            RekorVersion::One => Self::V1,
            RekorVersion::Two => Self::V2,
        }
    }
}

impl Sign {
    pub(crate) async fn run(self) -> Result<Exit> {
        if let (Some((predicate, kind)), Some(key)) = (self.attest.wanted(), &self.key) {
            let environment = std::env::var_os(CA_FILE);
            attested_without_tls(self.with.ca_file.as_deref(), environment.as_deref())?;
            let to = attest::Target {
                file: &self.file,
                key,
                bundle: self.bundle.as_deref(),
                replace: self.replace,
                json: self.json,
            };
            return attest::run(predicate, kind, &to);
        }
        let bytes = local::read(&self.file)?;
        let target = match &self.bundle {
            Some(path) => path.clone(),
            None => signature_path(&self.file),
        };
        let there = match self.replace {
            true => None,
            false => existing(&target)?,
        };
        let roots = self.with.tls_roots()?;
        let root = self.with.trusted_root()?;
        let signed = match &self.key {
            Some(key) => {
                let services = self.with.services(false, &roots)?;
                sign_with_key(&bytes, &keys::open(key)?, &services, &root).await
            }
            None => {
                let services = self.with.services(true, &roots)?;
                let token = self.token(&roots).await?;
                sign_keyless(&bytes, &token, &services, &root).await
            }
        }
        .map_err(|error| self.failed(&error))?;
        let content = self.beside(&target, there.as_deref(), &signed)?;
        local::write_whole(&target, &content)?;
        self.report(&target, &content, &signed)
    }

    /// The signature file with the new signature, or a reason to leave what is there.
    fn beside(&self, target: &Path, there: Option<&[u8]>, signed: &Signed) -> Result<Vec<u8>> {
        let Some(there) = there else {
            return Ok(signed.json().to_owned());
        };
        let about = |why: &dyn std::fmt::Display| format!("{}: {why}", target.display());
        if self.add {
            return add_signature(there, signed.json()).map_err(|error| match error {
                AddError::OtherFile { .. } => Failure::refused(about(&error)),
                AddError::Unreadable(_) | AddError::TooMuch(_) => Failure::usage(about(&error)),
            });
        }
        match may_replace(there, signed.json()) {
            Ok(()) => Ok(signed.json().to_owned()),
            Err(kept @ (Kept::OfOthers(_) | Kept::SomethingElse(_))) => {
                Err(Failure::usage(about(&kept)).help(
                    "add yours with --add, put it in their place with --replace, or write it elsewhere with --bundle",
                ))
            }
        }
    }

    async fn token(&self, roots: &TlsRoots) -> Result<IdentityToken> {
        let token = match &self.identity_token {
            Some(given) => IdentityToken::parse(read_token(given)?),
            None => {
                let ambient = Ambient::find(|name| std::env::var(name).ok()).ok_or_else(|| {
                    Failure::usage("there is no identity token in the environment").help(
                        "give one with --identity-token, set WHARF_IDENTITY_TOKEN, or give the CI job the right to one (GitHub: `permissions: id-token: write`; GitLab: `id_tokens: SIGSTORE_ID_TOKEN: aud: sigstore`)",
                    )
                })?;
                ambient.token(roots).await
            }
        };
        token.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &SigningError) -> Failure {
        let message = format!("{} was not signed: {error}", self.file.display());
        match error.failure() {
            SigningFailure::Usage => Failure::usage(message),
            SigningFailure::Refused => Failure::refused(message),
            SigningFailure::Unreachable => Failure::unreachable(message)
                .help("nothing was written; try again, or ask its operator"),
        }
    }

    fn report(&self, target: &Path, content: &[u8], signed: &Signed) -> Result<Exit> {
        if !self.json {
            terminal::print(target.display());
            return Ok(Exit::Done);
        }
        let verified = signed.verified();
        let signer = match verified.signer() {
            Signer::Key(fingerprint) => json!({ "key": fingerprint }),
            Signer::Identity(identity) => {
                json!({ "identity": identity.subject, "issuer": identity.issuer })
            }
        };
        let signatures = SignatureFile::parse(content)
            .or_exit(Exit::Usage, "the signature file")?
            .count();
        let times: Vec<String> = verified.times().iter().map(ToString::to_string).collect();
        terminal::print_json(&json!({
            "ok": true,
            "file": self.file,
            "digest": verified.digest(),
            "bundle": target,
            "signatures": signatures,
            "signer": signer,
            "times": times,
            "log-entries": verified.log_entries(),
            "timestamps": verified.timestamps(),
        }));
        Ok(Exit::Done)
    }
}

impl With {
    fn tls_roots(&self) -> Result<TlsRoots> {
        let Some(file) = &self.ca_file else {
            return Ok(TlsRoots::default());
        };
        TlsRoots::from_pem(&local::read_up_to(file, MAX_CA_FILE)?)
            .or_exit(Exit::Usage, format_args!("cannot use {}", file.display()))
    }

    fn trusted_root(&self) -> Result<TrustRoot> {
        match &self.trusted_root {
            Some(path) => TrustRoot::load(path),
            None => TrustRoot::public_good(),
        }
        .or_exit(Exit::Usage, "nothing was signed")
    }

    /// Who is asked. A key needs nobody, so only who is named is asked for one.
    fn services(&self, identity: bool, roots: &TlsRoots) -> Result<Services> {
        self.named(identity, roots)
            .or_exit(Exit::Usage, "nothing was signed")
    }

    fn named(&self, identity: bool, roots: &TlsRoots) -> Result<Services, SigningError> {
        if let Some(file) = &self.signing_config {
            return Services::load(file, roots);
        }
        let nobody =
            self.fulcio_url.is_none() && self.rekor_url.is_none() && self.timestamp_url.is_none();
        if identity && nobody {
            return Services::public_good(roots);
        }
        let mut services = Services::default();
        if let Some(url) = &self.fulcio_url {
            services = services.with_fulcio(url, roots)?;
        }
        if let Some(url) = &self.rekor_url {
            services = services.with_log(url, self.rekor_version.into(), roots)?;
        }
        if let Some(url) = &self.timestamp_url {
            services = services.with_timestamps(url, roots)?;
        }
        Ok(services)
    }
}

/// Nobody is asked for an attestation, so authorities for TLS mean nothing. What the environment says for
/// all commands is no word about this one.
fn attested_without_tls(given: Option<&Path>, environment: Option<&OsStr>) -> Result<()> {
    match given {
        Some(file) if Some(file.as_os_str()) != environment => Err(Failure::usage(
            "--ca-file cannot be used with --attest: an attestation is made without services",
        )),
        _ => Ok(()),
    }
}

/// Signs a file by a key and writes the signature beside it, whatever is there.
pub(crate) fn sign_file(file: &Path, key: &SigningKey) -> Result<PathBuf> {
    let bytes = local::read(file)?;
    let bundle = wharf_bundle::sign(&bytes, key)
        .or_exit(Exit::Usage, format_args!("cannot sign {}", file.display()))?;
    let target = signature_path(file);
    local::write_whole(&target, &bundle)?;
    Ok(target)
}

/// A token as the command line names it.
fn read_token(given: &str) -> Result<SecretString> {
    if let Some(file) = given.strip_prefix('@') {
        return local::read_text(Path::new(file)).map(SecretString::from);
    }
    if let Some(variable) = given.strip_prefix("env://") {
        return std::env::var(variable)
            .map(SecretString::from)
            .map_err(|error| Failure::usage(format!("no identity token: {variable}: {error}")));
    }
    Ok(given.into())
}

/// What is there already. Anything but its absence that keeps it from being read is an error: it
/// would be lost.
fn existing(target: &Path) -> Result<Option<Vec<u8>>> {
    let cannot = || format!("cannot read {}", target.display());
    match fs::metadata(target) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).or_exit(Exit::Usage, cannot()),
        Ok(there) if there.len() > MAX_SIGNATURE_FILE as u64 => Err(Failure::usage(format!(
            "{} is there and is no signature file: it has {} bytes",
            target.display(),
            there.len()
        ))
        .help("write the signature elsewhere with --bundle, or over it with --replace")),
        Ok(_) => read_file(target, MAX_SIGNATURE_FILE)
            .map(Some)
            .or_exit(Exit::Usage, cannot()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_for_tls_are_refused_with_an_attestation_and_those_of_the_environment_are_not() {
        let (one, other) = (Path::new("one.pem"), OsStr::new("other.pem"));
        for environment in [None, Some(other)] {
            let refused = attested_without_tls(Some(one), environment).unwrap_err();
            assert!(refused.to_string().contains("--ca-file"), "{refused}");
        }
        attested_without_tls(Some(one), Some(one.as_os_str())).unwrap();
        attested_without_tls(None, None).unwrap();
    }
}
