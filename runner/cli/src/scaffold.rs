//! The files of a new plugin, with the SDK that this binary was built with beside them.
//!
//! The SDK is written into the plugin's own `sdk/` folder, so that a new plugin builds with this
//! binary alone, and goes on building with the SDK that it was begun with.

use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};
use wharf_policy::PluginName;

use crate::exit::{Context, Exit, Failure, Result};

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../plugin-sdk/rust/template");
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../plugin-sdk/rust/src");
static MACROS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../plugin-sdk/rust/macros/src");
static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../plugin-sdk/rust/wit");

/// Writes a new plugin into a folder that must not be there yet.
pub(crate) fn create(folder: &Path, name: &PluginName) -> Result<Vec<PathBuf>> {
    fs::create_dir(folder).map_err(|error| {
        Failure::usage(format!("cannot make {}: {error}", folder.display()))
            .help("choose a name whose folder is not there yet")
    })?;
    // Crates have no namespaces: `acme/tickets` is the crate `acme-tickets`.
    let package = name.as_str().replace('/', "-");
    let fill = |text: &str| {
        text.replace("{{name}}", name.as_str())
            .replace("{{package}}", &package)
            .replace("{{crate}}", &package.replace('-', "_"))
    };
    let mut written = Vec::new();
    copy(&TEMPLATE, folder, &fill, &mut written)?;
    let sdk = folder.join("sdk");
    for (source, target) in [(&SDK, "src"), (&MACROS, "macros/src"), (&WIT, "wit")] {
        copy(
            source,
            &sdk.join(target),
            &|text| text.to_owned(),
            &mut Vec::new(),
        )?;
    }
    Ok(written)
}

/// Copies a folder; files that end in `.tmpl` lose that ending and are filled in.
fn copy(
    source: &Dir<'_>,
    target: &Path,
    fill: &dyn Fn(&str) -> String,
    written: &mut Vec<PathBuf>,
) -> Result<()> {
    fs::create_dir_all(target).or_exit(
        Exit::Usage,
        format_args!("cannot make {}", target.display()),
    )?;
    for entry in source.entries() {
        let Some(file_name) = entry.path().file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        match entry {
            DirEntry::Dir(dir) => copy(dir, &target.join(file_name), fill, written)?,
            DirEntry::File(file) => {
                let path = target.join(file_name.strip_suffix(".tmpl").unwrap_or(file_name));
                let content = match file
                    .contents_utf8()
                    .filter(|_| file_name.ends_with(".tmpl"))
                {
                    Some(text) => fill(text).into_bytes(),
                    None => file.contents().to_owned(),
                };
                fs::write(&path, content)
                    .or_exit(Exit::Usage, format_args!("cannot write {}", path.display()))?;
                written.push(path);
            }
        }
    }
    Ok(())
}
