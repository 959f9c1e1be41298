//! The bundles of the demo: first-party plugins, signed; and those that must be refused.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use wharf_bundle::{PackOptions, PluginToml, SigningKey, signature_path};
use wharf_policy::Digest;

use super::report::Teller;
use crate::client::Client;
use crate::commands::{sign_file, write_key_pair};
use crate::exit::{Context, Exit, Result};
use crate::{local, plugin_build};

/// One bundle as it is published.
#[derive(Debug, Clone)]
pub(super) struct Bundle {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) digest: Digest,
    /// Who signed it, for the table.
    pub(super) signer: String,
    file: PathBuf,
}

/// All bundles of the demo.
pub(super) struct Bundles {
    pub(super) http: Bundle,
    pub(super) transform: Bundle,
    pub(super) notify: Bundle,
    pub(super) hostile: Bundle,
    pub(super) forbidden: Bundle,
    pub(super) unsigned: Bundle,
    pub(super) tampered: Bundle,
    pub(super) stranger: Bundle,
}

impl Bundles {
    pub(super) async fn publish(&self, client: &Client) -> Result<()> {
        let all = [
            &self.http,
            &self.transform,
            &self.notify,
            &self.hostile,
            &self.forbidden,
            &self.unsigned,
            &self.tampered,
            &self.stranger,
        ];
        for bundle in all {
            let papers = local::Papers::beside(&bundle.file)?;
            client.publish(local::read(&bundle.file)?, papers).await?;
        }
        Ok(())
    }
}

/// A key that signs, and what the table calls it.
struct Signer {
    key: SigningKey,
    label: String,
}

impl Signer {
    /// Makes a key under `folder`, or takes the one that an earlier demo made there.
    fn in_folder(folder: &Path, who: &str) -> Result<Self> {
        let password_file = folder.join("password");
        let (key_file, public_file) = (folder.join("wharf.key"), folder.join("wharf.pub"));
        let password: SecretString = if key_file.is_file() {
            local::read_text(&password_file)?.into()
        } else {
            let password = random_hex()?;
            fs::create_dir_all(folder).or_exit(
                Exit::Usage,
                format_args!("cannot make {}", folder.display()),
            )?;
            local::write_private(&password_file, &password)?;
            let password = SecretString::from(password);
            write_key_pair(folder, &password)?;
            password
        };
        let key = SigningKey::load(&key_file, &password).or_exit(Exit::Usage, "the demo's key")?;
        let label = format!(
            "{who} {}",
            short(
                &wharf_bundle::PublicKey::load(&public_file)
                    .or_exit(Exit::Usage, "the demo's key")?
                    .fingerprint()
            )
        );
        Ok(Self { key, label })
    }
}

/// The first digits of a digest, for the table.
pub(super) fn short(digest: &Digest) -> String {
    digest.to_hex().chars().take(12).collect()
}

/// 32 random bytes as text.
pub(super) fn random_hex() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).or_exit(Exit::Usage, "no randomness")?;
    Ok(hex::encode(bytes))
}

pub(super) async fn build_and_sign(source: &Path, data: &Path, tell: &Teller) -> Result<Bundles> {
    let developer = Signer::in_folder(&data.join("keys"), "developer")?;
    let stranger = Signer::in_folder(&data.join("stranger"), "stranger")?;
    let out = data.join("plugins");
    fs::create_dir_all(&out).or_exit(Exit::Usage, format_args!("cannot make {}", out.display()))?;

    let build = async |folder: &str, options: PackOptions| -> Result<Bundle> {
        tell.step(&format!("building {folder}"));
        let packed =
            plugin_build::build(&source.join(folder), options, &mut |line| tell.detail(line))
                .await?;
        let manifest = &packed.manifest;
        let file = out.join(format!("{}-{}.wasm", manifest.name, manifest.version));
        fs::copy(&packed.file, &file)
            .or_exit(Exit::Usage, format_args!("cannot write {}", file.display()))?;
        sign_file(&file, &developer.key)?;
        tell.done(&format!(
            "built, packed and signed {}@{} {}",
            manifest.name,
            manifest.version,
            short(&packed.digest)
        ));
        Ok(Bundle {
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            digest: packed.digest,
            signer: developer.label.clone(),
            file,
        })
    };
    let http = build("plugins/http", PackOptions::default()).await?;
    let transform = build("plugins/transform", PackOptions::default()).await?;
    let notify = build("plugins/notify", PackOptions::default()).await?;
    let hostile = build("tests/plugins/hostile", PackOptions::default()).await?;
    // An author would be told that it imports what it does not ask for.
    let unasked = PackOptions {
        allow_unasked_imports: true,
    };
    let forbidden = build("tests/plugins/forbidden", unasked).await?;

    // The same plugin under versions of its own, each with another fault.
    let toml = local::read_text(&source.join("plugins/http/plugin.toml"))?;
    let variant = async |version: &str| -> Result<Bundle> {
        let file = out.join(format!("http-{version}.wasm"));
        let toml = toml.replacen(
            &format!("version = \"{}\"", http.version),
            &format!("version = \"{version}\""),
            1,
        );
        let toml = PluginToml::parse(&toml, |name| {
            fs::read(source.join("plugins/http").join(name))
        })
        .or_exit(Exit::Usage, "plugins/http/plugin.toml")?;
        let packed = plugin_build::pack(&http.file, &toml, PackOptions::default(), &file).await?;
        let _ = fs::remove_file(signature_path(&file));
        Ok(Bundle {
            version: version.to_owned(),
            digest: packed.digest,
            signer: "nobody".to_owned(),
            file,
            ..http.clone()
        })
    };
    let unsigned = variant("0.1.0-unsigned").await?;
    let mut stranger_bundle = variant("0.1.0-stranger").await?;
    sign_file(&stranger_bundle.file, &stranger.key)?;
    stranger_bundle.signer = stranger.label;
    let mut tampered = variant("0.1.0-tampered").await?;
    sign_file(&tampered.file, &developer.key)?;
    tampered.digest = change_one_byte(&tampered.file)?;
    claim_digest(&signature_path(&tampered.file), &tampered.digest)?;
    tampered.signer = format!("{}, of other bytes", developer.label);
    Ok(Bundles {
        http,
        transform,
        notify,
        hostile,
        forbidden,
        unsigned,
        tampered,
        stranger: stranger_bundle,
    })
}

/// Has a signature say that it is of other bytes: the controller would not even take it otherwise.
fn claim_digest(signature: &Path, digest: &Digest) -> Result<()> {
    let what = format_args!("the signature {}", signature.display()).to_string();
    let mut bundle: serde_json::Value =
        serde_json::from_str(&local::read_text(signature)?).or_exit(Exit::Usage, &what)?;
    bundle["messageSignature"]["messageDigest"]["digest"] =
        STANDARD.encode(digest.as_bytes()).into();
    fs::write(signature, bundle.to_string()).or_exit(Exit::Usage, what)
}

/// Changes one letter of the version in the manifest, so that everything still parses.
fn change_one_byte(file: &Path) -> Result<Digest> {
    let mut bytes = local::read(file)?;
    let needle = b"0.1.0-tampered";
    if let Some(at) = bytes
        .windows(needle.len())
        .position(|window| window == needle)
    {
        bytes[at + needle.len() - 1] = b'r';
    }
    fs::write(file, &bytes)
        .or_exit(Exit::Usage, format_args!("cannot write {}", file.display()))?;
    Ok(wharf_bundle::digest(&bytes))
}
