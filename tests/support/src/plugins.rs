//! From the name of a plugin in this repository, or from any component, to a verified bundle.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use wharf_bundle::{PackOptions, PluginToml, SigningKey, TrustPolicy, Verified};
use wharf_engine::Engine;
use wharf_policy::Policy;

const TARGET: &str = "wasm32-wasip2";

/// As `wharf plugin build` compiles, so that both find each other's work done.
const PROFILE: &str = "runner/cli/src/plugin-profile.toml";

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .canonicalize()
        .unwrap()
}

/// The folder of a plugin, first-party or for tests.
fn folder(name: &str) -> PathBuf {
    ["plugins", "tests/plugins"]
        .map(|place| root().join(place).join(name))
        .into_iter()
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| panic!("there is no plugin `{name}`"))
}

/// The component of a plugin of this repository, without a manifest. Cargo builds it where it is
/// not built yet.
pub fn component(name: &str) -> Vec<u8> {
    let package = format!("wharf-plugin-{name}");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let run = |command: &mut Command| {
        let done = command.current_dir(root()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{command:?}: {said}");
    };
    let library = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .unwrap();
    if !PathBuf::from(String::from_utf8_lossy(&library.stdout).trim()).is_dir() {
        run(Command::new("rustup").args(["target", "add", TARGET]));
    }
    run(Command::new("cargo")
        .args(["build", "-p", &package, "--target", TARGET])
        .args(["--profile", "wharf-plugin"])
        .args(["--config", PROFILE])
        .arg("--target-dir")
        .arg(&target));
    let built = target.join(TARGET).join("wharf-plugin");
    // Libraries are named with `_`, programs as their package.
    [package.replace('-', "_"), package]
        .into_iter()
        .find_map(|name| std::fs::read(built.join(name).with_extension("wasm")).ok())
        .unwrap()
}

/// A plugin of this repository, packed with its plugin.toml.
pub async fn packed(engine: &Engine, name: &str) -> Vec<u8> {
    let bytes = component(name);
    let toml = PluginToml::load(&folder(name).join("plugin.toml")).unwrap();
    let described = engine.describe(&bytes).await.unwrap().unwrap_or_default();
    let options = PackOptions {
        allow_unasked_imports: true,
    };
    wharf_bundle::pack_with(&bytes, &toml, &described, options).unwrap()
}

/// A packed plugin, signed by a fresh key and verified under a policy that trusts it.
pub fn verified(packed: Vec<u8>) -> Verified {
    let key = SigningKey::generate().unwrap();
    let signature = wharf_bundle::sign(&packed, &key).unwrap();
    let policy = Policy::from_toml("[[trust]]\nplugins = ['*']\nkeys = ['test.pub']").unwrap();
    TrustPolicy::with_keys(&policy, |_| Ok(key.public().clone()))
        .unwrap()
        .verify(Arc::from(packed), Some(&signature))
        .unwrap()
}
