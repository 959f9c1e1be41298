//! From a plugin's folder to a packed component: cargo, then describe, then pack.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use wharf_bundle::{Description, Kind, Manifest, PackOptions, PluginToml};
use wharf_engine::{Engine, EngineConfig};
use wharf_policy::Digest;

use crate::exit::{Context, Exit, Failure, Result};
use crate::local;

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "wharf-plugin";

/// The settings of that profile, one a line. Cargo takes them on its command line, because the
/// plugin of a user is in a workspace of its own.
const PROFILE_SETTINGS: &str = include_str!("plugin-profile.toml");

/// A packed plugin on disk.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) file: PathBuf,
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
}

/// Builds the plugin of a folder and packs it into `target/wharf/NAME.wasm` beside what cargo
/// built. `tell` hears cargo's lines.
pub(crate) async fn build(
    folder: &Path,
    options: PackOptions,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Packed> {
    let description = folder.join("plugin.toml");
    if !description.is_file() || !folder.join("Cargo.toml").is_file() {
        return Err(Failure::usage(format!("{} is not the folder of a Rust plugin", folder.display()))
            .help("it needs a Cargo.toml and a plugin.toml; `wharf plugin new NAME` makes one, and `wharf plugin pack` takes a component that was built in any other way"));
    }
    ensure_target(tell).await?;
    let (component, target_folder) = compile(folder, tell).await?;
    tell("packing");
    let toml = PluginToml::load(&description).or_exit(Exit::Usage, description.display())?;
    // Names may have namespaces; files do not.
    let out = target_folder
        .join("wharf")
        .join(format!("{}.wasm", toml.name().as_str().replace('/', "-")));
    pack(&component, &toml, options, &out).await
}

/// Packs a component that is already built.
pub(crate) async fn pack(
    component: &Path,
    toml: &PluginToml,
    options: PackOptions,
    out: &Path,
) -> Result<Packed> {
    let bytes = local::read(component)?;
    let refused = format!("cannot pack {}", component.display());
    let described = describe(&bytes, &refused).await?;
    let packed = wharf_bundle::pack_with(&bytes, toml, &described, options)
        .or_exit(Exit::Usage, &refused)?;
    let manifest =
        Manifest::read(&packed).or_exit(Exit::Usage, "the packed plugin does not read back")?;
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).or_exit(
            Exit::Usage,
            format_args!("cannot make {}", folder.display()),
        )?;
    }
    std::fs::write(out, &packed)
        .or_exit(Exit::Usage, format_args!("cannot write {}", out.display()))?;
    Ok(Packed {
        file: out.to_owned(),
        digest: wharf_bundle::digest(&packed),
        manifest,
    })
}

/// What a component says of itself. A program (`wasi:cli/run`) says nothing.
async fn describe(component: &[u8], refused: &str) -> Result<Vec<Description>> {
    let shape = wharf_bundle::shape(component).or_exit(Exit::Usage, refused)?;
    if shape.kind == Kind::Command {
        return Ok(Vec::new());
    }
    let engine = Engine::new(EngineConfig::for_one_run())
        .or_exit(Exit::Usage, "the engine does not start")?;
    let described = engine
        .describe(component)
        .await
        .or_exit(Exit::Usage, refused)?;
    Ok(described.unwrap_or_default())
}

/// Fetches the standard library for the target where rustup has none. Asking again costs little.
async fn ensure_target(tell: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
    let sysroot = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .await;
    let sysroot = sysroot.or_exit(
        Exit::Usage,
        "rustc is not to be found; install Rust with rustup",
    )?;
    let folder = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    if Path::new(&folder).is_dir() {
        return Ok(());
    }
    tell(&format!("fetching the target {TARGET}"));
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .output()
        .await;
    let added = added.or_exit(
        Exit::Usage,
        format_args!("the target {TARGET} is missing, and so is rustup to fetch it"),
    )?;
    if !added.status.success() {
        let said = String::from_utf8_lossy(&added.stderr).trim().to_owned();
        return Err(
            Failure::usage(format!("rustup cannot fetch the target {TARGET}: {said}")).help(
                format!("run `rustup target add {TARGET}` where there is a network"),
            ),
        );
    }
    Ok(())
}

/// Runs cargo; gives the component and the target folder.
async fn compile(folder: &Path, tell: &mut (dyn FnMut(&str) + Send)) -> Result<(PathBuf, PathBuf)> {
    let folder = folder
        .canonicalize()
        .or_exit(Exit::Usage, folder.display())?;
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(&folder)
        .args([
            "build",
            "--target",
            TARGET,
            "--profile",
            PROFILE,
            "--message-format",
            "json-render-diagnostics",
        ])
        .args(
            PROFILE_SETTINGS
                .lines()
                .filter(|line| !line.starts_with('#'))
                .flat_map(|setting| ["--config", setting]),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let mut cargo = cargo.spawn().or_exit(
        Exit::Usage,
        "cargo cannot be started; install Rust with rustup",
    )?;
    let (Some(mut stdout), Some(stderr)) = (cargo.stdout.take(), cargo.stderr.take()) else {
        return Err(Failure::usage("cargo gives no output"));
    };
    let messages = tokio::spawn(async move {
        let mut text = String::new();
        stdout.read_to_string(&mut text).await.map(|_| text)
    });
    let mut said = String::new();
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tell(line.trim());
        said.push_str(&line);
        said.push('\n');
    }
    let status = cargo.wait().await.or_exit(Exit::Usage, "cargo")?;
    if !status.success() {
        return Err(Failure::usage(format!(
            "{} does not build:\n{}",
            folder.display(),
            said.trim_end()
        )));
    }
    let messages = messages.await.ok().and_then(Result::ok).unwrap_or_default();
    let manifest = folder.join("Cargo.toml");
    let component = artifact(&messages, &manifest).ok_or_else(|| {
        Failure::usage(format!("{} builds no component", folder.display()))
            .help("a plugin's Cargo.toml has `[lib] crate-type = [\"cdylib\"]`, or a binary for a program")
    })?;
    // TARGET_FOLDER/wasm32-wasip2/wharf-plugin/NAME.wasm
    let target_folder = component.ancestors().nth(3).unwrap_or(&folder).to_owned();
    Ok((component, target_folder))
}

/// The `.wasm` that cargo says it built for this package.
fn artifact(messages: &str, manifest: &Path) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact"
                && message["manifest_path"]
                    .as_str()
                    .is_some_and(|path| Path::new(path) == manifest)
        })
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_the_wasm_file_of_this_package_and_of_no_dependency() {
        let messages = [
            r#"{"reason":"compiler-artifact","manifest_path":"/dep/Cargo.toml","filenames":["/t/dep.wasm"]}"#,
            "not json",
            r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/p.rlib","/t/p.wasm"]}"#,
        ]
        .join("\n");
        assert_eq!(
            artifact(&messages, Path::new("/p/Cargo.toml")),
            Some(PathBuf::from("/t/p.wasm"))
        );
        assert_eq!(artifact(&messages, Path::new("/q/Cargo.toml")), None);
    }
}
