//! What other people's tools make of what Wharf pushes, and Wharf of theirs, in a registry of somebody
//! else. The table in docs/signing.md is made by this test: it fails where the table says something else,
//! and writes it with WHARF_WRITE_DOCS=1.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_e2e::{check_made, cosign, cosign_major, version, word};
use wharf_test_servers::{DockerRegistry, tool};

use super::Desk;

const KIND: &str = "https://acme.test/review/v1";

/// A desk at a registry, with a key of cosign's, which signs without a log.
struct Place {
    desk: Desk,
    host: String,
    wkg: PathBuf,
}

/// What a tool can do; `None` where it has no such thing.
struct Row {
    tool: String,
    cells: [Option<bool>; 5],
}

impl Place {
    fn new(host: String, wkg: PathBuf) -> Self {
        let place = Self {
            desk: Desk::new(),
            host,
            wkg,
        };
        assert!(place.cosign(&["generate-key-pair"]));
        assert!(place.cosign(&["signing-config", "create", "--out", "offline.json"]));
        place.desk.write("predicate.json", "{}");
        place.desk.write(
            "wanting.toml",
            &format!("[[trust]]\nplugins = ['*']\nkeys = ['ours/wharf.pub']\nattestations = [{{ type = '{KIND}', keys = ['cosign.pub'] }}]\n"),
        );
        place
    }

    fn cosign(&self, args: &[&str]) -> bool {
        cosign(self.desk.folder.path(), args)
    }

    /// Has cosign say something of an image, by its own key.
    fn says(&self, command: &str, more: &[&str], image: &str) -> bool {
        let how = [
            command,
            "--yes",
            "--key",
            "cosign.key",
            "--signing-config",
            "offline.json",
        ];
        self.cosign(&[&how[..], more, &[image]].concat())
    }

    fn wkg(&self, args: &[&str]) -> bool {
        let folder = self.desk.folder.path();
        let mut command = Command::new(&self.wkg);
        command.arg("oci").args(args);
        command.args(["--insecure", &self.host]);
        command.current_dir(folder).env("HOME", folder);
        command.status().unwrap().success()
    }

    fn image(&self, name: &str) -> String {
        format!("{}/acme/{name}:1.0", self.host)
    }

    /// Pushes a plugin; the image by its digest.
    fn push(&self, image: &str, more: &[&str]) -> String {
        let args = ["push", image, "http.wasm", "--json"];
        let pushed = self.desk.wharf(&[&args[..], more].concat()).ok().json();
        pushed["pinned"].as_str().unwrap().to_owned()
    }

    /// Whether Wharf takes an image and comes by the plugin that way. What is refused leaves nothing.
    fn pulls(&self, image: &str, trust: [&str; 2]) -> bool {
        let args = [&["pull", image, "-o", "pulled.wasm"], &trust[..]].concat();
        let code = self.desk.wharf(&args).code;
        let pulled = std::fs::read(self.desk.path("pulled.wasm")).ok();
        assert_eq!(pulled.is_some(), code == 0, "{code}");
        if pulled.is_none() {
            assert_eq!(code, 3);
            return false;
        }
        assert_eq!(pulled.unwrap(), self.desk.read("http.wasm"));
        std::fs::remove_file(self.desk.path("pulled.wasm")).unwrap();
        true
    }

    /// The same by that key, and not by another.
    fn pulls_by_the_key_only(&self, image: &str, key: &str) -> bool {
        self.pulls(image, ["--key", key]) && !self.pulls(image, ["--key", "theirs/wharf.pub"])
    }
}

fn of_cosign(place: &Place, cosign: &Path) -> Row {
    let verifies = || {
        let image = place.image("signed");
        place.push(&image, &["--key", "ours/wharf.key"]);
        let verify =
            |key: &str| place.cosign(&["verify", "--insecure-ignore-tlog", "--key", key, &image]);
        verify("ours/wharf.pub") && !verify("theirs/wharf.pub")
    };
    let signs = || {
        let image = place.image("cosigned");
        let pinned = place.push(&image, &[]);
        place.says("sign", &[], &pinned) && place.pulls_by_the_key_only(&image, "cosign.pub")
    };
    let attests = || {
        let image = place.image("attested");
        let pinned = place.push(&image, &[]);
        let wanting = ["--policy", "wanting.toml"];
        let before = place.pulls(&image, wanting);
        let attest = ["--type", KIND, "--predicate", "predicate.json"];
        !before && place.says("attest", &attest, &pinned) && place.pulls(&image, wanting)
    };
    Row {
        tool: format!("cosign {}", cosign_major(cosign)),
        cells: [None, Some(verifies()), None, Some(signs()), Some(attests())],
    }
}

fn of_wkg(place: &Place) -> Row {
    let takes = || {
        let image = place.image("taken");
        place.push(&image, &[]);
        place.wkg(&["pull", &image, "-o", "taken.wasm"])
            && place.desk.read("taken.wasm") == place.desk.read("http.wasm")
    };
    let makes = || {
        let image = place.image("made");
        assert!(place.wkg(&["push", &image, "http.wasm"]));
        let unsigned = place.pulls(&image, ["--key", "cosign.pub"]);
        !unsigned
            && place.says("sign", &[], &image)
            && place.pulls_by_the_key_only(&image, "cosign.pub")
    };
    Row {
        tool: format!("wkg {}", version(&place.wkg, "--version").unwrap()),
        cells: [Some(takes()), None, Some(makes()), None, None],
    }
}

fn table(rows: &[Row], registry: &str) -> String {
    let mut text = String::from(
        "| | pulls what Wharf pushed | verifies an image that Wharf signed | Wharf pulls its image, once it is signed | Wharf verifies its signature of an image | Wharf takes its attestation of an image |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let cells: Vec<_> = row.cells.iter().map(|cell| word(*cell)).collect();
        writeln!(text, "| {} | {} |", row.tool, cells.join(" | ")).unwrap();
    }
    writeln!(
        text,
        "\nAll of it goes by way of docker-registry {registry}, which keeps no lists of referrers."
    )
    .unwrap();
    text
}

#[tokio::test]
async fn the_table_of_what_works_with_cosign_and_others_in_a_registry_is_true() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let Some(wkg) = tool("get-wkg") else {
        return;
    };
    let cosign = tool("get-cosign").unwrap();
    let place = Place::new(registry.host(), wkg);
    let rows = [of_cosign(&place, &cosign), of_wkg(&place)];
    let program = tool("get-docker-registry").unwrap();
    let registry = version(&program, "--version").unwrap();
    let major = registry.split('.').next().unwrap();
    check_made(
        "docs/signing.md",
        "tests/e2e/tests/registry/matrix.rs",
        &table(&rows, major),
    );
}
