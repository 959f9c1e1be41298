//! `wharf cache`: the compiled code that is kept on this machine, and away with it.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wharf_agent::{AgentConfig, kept_manifest};
use wharf_engine::{
    CacheDir, CachedFile, Clear, Cleared, CodeCache, Engine, EngineConfig, Finding,
};
use wharf_policy::{ByteSize, Digest, Moment, Period};

use crate::exit::{Context, Exit, Result};
use crate::{home, terminal};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the compiled code that is kept, what was used last first
    List(Where),
    /// Check that every file is as this host wrote it; exits with 3 if one is not
    Verify(Where),
    /// Remove compiled code; what is needed again is compiled again. Runners may go on meanwhile
    Clear {
        /// Only the code of these components, as `list` shows them
        #[arg(value_name = "DIGEST", conflicts_with = "older_than")]
        components: Vec<Digest>,
        /// Only what was not used for so long, such as 30d
        #[arg(long, value_name = "TIME")]
        older_than: Option<Period>,
        #[command(flatten)]
        place: Where,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The state folder of a runner; otherwise that of this machine's runner, and `wharf run`'s
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// One cache, and the state folder of the runner that it is of.
struct Place {
    root: PathBuf,
    state: Option<PathBuf>,
    cache: CodeCache,
}

impl Command {
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::List(place) | Self::Verify(place) | Self::Clear { place, .. } => place.json,
        }
    }

    pub(crate) fn run(self) -> Result<Exit> {
        match self {
            Self::List(place) => list(&place),
            Self::Verify(place) => verify(&place),
            Self::Clear {
                components,
                older_than,
                place,
            } => {
                let which = match older_than {
                    Some(age) => Clear::OlderThan(age.duration()),
                    None if components.is_empty() => Clear::All,
                    None => Clear::Of(components),
                };
                clear(&which, &place)
            }
        }
    }
}

impl Where {
    /// The caches that there are.
    fn places(&self) -> Result<Vec<Place>> {
        let of_runner = |state: PathBuf| match AgentConfig::new(&state, "").engine.cache {
            CacheDir::At(root) => Some((root, Some(state))),
            CacheDir::Disabled => None,
        };
        let named = match &self.state {
            Some(state) => vec![of_runner(state.clone())],
            None => vec![
                of_runner(home::runner_state()?),
                Some((home::cache()?, None)),
            ],
        };
        let mut places = Vec::new();
        for (root, state) in named.into_iter().flatten() {
            let cache = CodeCache::open(&root).or_exit(
                Exit::Refused,
                format_args!("the cache in {} cannot be used", root.display()),
            )?;
            match cache {
                Some(cache) => places.push(Place { root, state, cache }),
                None => terminal::note(format_args!("nothing was compiled in {}", root.display())),
            }
        }
        Ok(places)
    }
}

impl Place {
    fn failed<T>(&self, done: Result<T, wharf_engine::CacheError>) -> Result<T> {
        done.or_exit(
            Exit::Usage,
            format_args!("the cache in {}", self.root.display()),
        )
    }

    /// A file in words.
    fn row(&self, file: &CachedFile) -> Value {
        let code = file.code.as_ref();
        let manifest = code
            .zip(self.state.as_deref())
            .and_then(|(code, state)| kept_manifest(state, code.component));
        json!({
            "cache": self.root,
            "file": file.name,
            "component": code.map(|code| code.component),
            "plugin": manifest.map(|manifest| format!("{}@{}", manifest.name, manifest.version)),
            "engine": code.map(|code| code.engine.to_string()),
            "target": code.map(|code| &code.target),
            "size": file.size,
            "used": moment(file.used),
        })
    }
}

fn list(place: &Where) -> Result<Exit> {
    let mut rows = Vec::new();
    for place in place.places()? {
        let files = place.failed(place.cache.list())?;
        rows.extend(files.iter().map(|file| place.row(file)));
    }
    if place.json {
        terminal::print_json(&rows);
    } else {
        print(&["component", "plugin", "engine", "size", "used"], &rows);
    }
    Ok(Exit::Done)
}

fn verify(place: &Where) -> Result<Exit> {
    let config = EngineConfig {
        cache: CacheDir::Disabled,
        ..EngineConfig::for_one_run()
    };
    let engine = Engine::new(config)
        .or_exit(Exit::Usage, "the engine does not start")?
        .fingerprint();
    let (mut rows, mut worst) = (Vec::new(), Finding::Sound);
    for place in place.places()? {
        for (file, finding) in place.failed(place.cache.verify(engine))? {
            worst = worst.max(finding);
            let mut row = place.row(&file);
            row["finding"] = word(finding).into();
            row["do"] = advice(finding, &place.root, &file).into();
            rows.push(row);
        }
    }
    let sound = worst < Finding::Changed;
    if place.json {
        terminal::print_json(&json!({ "ok": sound, "files": rows }));
    } else {
        print(
            &["finding", "component", "plugin", "engine", "size", "used"],
            &rows,
        );
        for advice in rows.iter().filter_map(|row| row["do"].as_str()) {
            terminal::note(advice);
        }
    }
    Ok(if sound { Exit::Done } else { Exit::Refused })
}

fn clear(which: &Clear, place: &Where) -> Result<Exit> {
    let mut all = Cleared::default();
    for place in place.places()? {
        let cleared = place.failed(place.cache.clear(which))?;
        all.files += cleared.files;
        all.bytes += cleared.bytes;
    }
    if place.json {
        terminal::print_json(&json!({ "files": all.files, "bytes": all.bytes }));
    } else {
        terminal::print(format_args!(
            "{} files removed, {}",
            all.files,
            size(all.bytes)
        ));
    }
    Ok(Exit::Done)
}

/// The rows as people read them.
fn print(columns: &[&str], rows: &[Value]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut row = row.clone();
            row["size"] = size(row["size"].as_u64().unwrap_or(0)).into();
            // Enough to tell two of them apart.
            row["engine"] = row["engine"].as_str().map(|hex| &hex[..12]).into();
            if row["component"].is_null() {
                let name = row["file"].as_str().unwrap_or_default();
                row["component"] = name.escape_debug().to_string().into();
            }
            row
        })
        .collect();
    terminal::print(terminal::table(columns, &rows));
}

fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Sound => "sound",
        Finding::Stale => "stale",
        Finding::Changed => "changed",
        Finding::NotOurs => "not ours",
    }
}

/// What to do about it, if anything.
fn advice(finding: Finding, root: &Path, file: &CachedFile) -> Option<String> {
    let name = file.name.escape_debug();
    let root = root.display();
    match finding {
        Finding::Sound | Finding::Stale => None,
        Finding::Changed => Some(format!(
            "{name} is not as this host wrote it: it was changed, or the key beside it was. It is never loaded. \
             Find out who can write to {root}, then remove it with `wharf cache clear`"
        )),
        Finding::NotOurs => Some(format!(
            "{name} is not a file that this cache made, or others can read or change it. It is never loaded. \
             Find out how it came into {root}, then remove it with `wharf cache clear`"
        )),
    }
}

/// To three digits or so.
fn size(bytes: u64) -> String {
    let whole = match bytes {
        0..0x2800 => ByteSize::bytes(bytes),
        0x2800..0xa0_0000 => ByteSize::kib(bytes >> 10),
        _ => ByteSize::mib(bytes >> 20),
    };
    whole.to_string()
}

fn moment(time: SystemTime) -> Option<String> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    let moment = Moment::from_unix(i64::try_from(since.as_secs()).ok()?).ok()?;
    Some(moment.to_string())
}
