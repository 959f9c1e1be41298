//! A runner holds a secret for as long as it is needed, and no longer: its memory is searched as a
//! core dump of it would be.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::time::Duration;

use serde_json::json;
use wharf_e2e::{Build, Memory, Process, Service, TlsFront, World, forms, until};

use crate::everywhere::{BUILT_IN, BY_FEATURE, Everywhere, Kept, LENT, private};
use crate::lent::Lent;

/// Another value in every run, so that no binary and no test has it in its own constants.
fn fresh_secret() -> String {
    let noise = |n: u8| RandomState::new().hash_one(n);
    format!("mem+{:016x}/{:016x}?", noise(1), noise(2))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_lifetime_a_secret_is_nowhere_in_the_runners_memory() {
    // Not `env`: what a process was started with lies in its memory where the system put it, for as long as it
    // lives, and its store keeps what it read of it for as long as the runner does. There is no moment at
    // which it should be gone; the documentation says so, and prefers `file:`.
    nothing_stays(Build::Default, &BUILT_IN[1..]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_of_other_stores_leave_nothing_in_the_runners_memory() {
    nothing_stays(Build::EveryStore, &BY_FEATURE).await;
}

/// Uses a secret of each of these stores in every way, and searches for them afterwards.
async fn nothing_stays(build: Build, stores: &[&'static str]) {
    let world = World::start().await;
    let (answering, hanging) = (Service::start().await, Service::hanging().await);
    let front = TlsFront::before(answering.port()).await;
    world.enrol("runner", &world.url()).await;
    let mut kept = Everywhere::keep(&world, stores, |_| fresh_secret()).await;
    kept.believe(&front);
    let [a, b] = [front.url(), hanging.origin()];
    let runner = kept.runner(build, &world, &[a.clone(), b.clone()]).await;
    let static_ones = kept.secrets.iter().flat_map(|Kept { store, value, .. }| {
        let of_one = value.parts().into_iter();
        of_one.map(move |(form, bytes)| (format!("{store} as {form}"), bytes))
    });
    let mut all: Vec<_> = static_ones.collect();
    let memory = Memory::of(runner.pid());

    // While requests with them are under way, they are there: the search finds what there is.
    let mut cut_off = Vec::new();
    let names = kept.secrets.iter().map(|Kept { store, .. }| *store);
    for store in names.chain(kept.lent.as_ref().map(|_| LENT)) {
        let input = json!({ "method": "GET", "url": format!("{b}/{store}/hang") });
        let under_way = world.submit("http", "request", input).await;
        until("the request is under way", async || {
            let asked = hanging.requests();
            asked.iter().any(|of| of.contains(store)).then_some(())
        })
        .await;
        if store == LENT {
            all.extend(lent(&kept));
        }
        let Some(found) = memory.search(&all) else {
            assert!(
                std::env::var_os("WHARF_REQUIRE_ALL").is_none(),
                "the memory of a runner can be read by root only, and this test is not run by root"
            );
            println!("skipped: the memory of a runner can be read by root only");
            return;
        };
        let this = format!("{store} as ");
        assert!(
            found.iter().any(|of| of.starts_with(&this)),
            "the search does not find what is there of {store}"
        );
        // Cut off in the middle.
        world.wharf(&["exec", "cancel", &under_way]).ok();
        cut_off.push(under_way);
    }
    for id in cut_off {
        world.finished(&id).await;
    }

    // Every way of using it: sent and reflected, computed with, shown to a plugin.
    for Kept { store, .. } in &kept.secrets {
        let input = json!({ "method": "GET", "url": format!("{a}/{store}/echo") });
        let sent = world.run("http", "request", input).await;
        assert_eq!(sent["outcome"], "done", "{sent}");
        let input = json!({ "url": format!("{a}/{store}/hook"), "payload": { "json": { "a": 1 } },
                            "sign": { "secret": store } });
        let signed = world.run("notify", "webhook", input).await;
        assert_eq!(signed["outcome"], "done", "{signed}");
    }
    kept.use_all(&world, &a, &hanging).await;
    all.extend(lent(&kept));

    // Kept values, and idle connections to stores, live for up to half a minute.
    let mut found = memory.search(&all).unwrap();
    for _ in 0..60 {
        if found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        found = memory.search(&all).unwrap();
    }
    assert!(found.is_empty(), "still in the runner's memory: {found:#?}");
    assert_eq!(runner.terminate().await, 0);
}

/// Everything that was lent so far, in every form.
fn lent(kept: &Everywhere) -> Vec<(String, Vec<u8>)> {
    let values = kept.lent.as_ref().map_or_else(Vec::new, Lent::values);
    let forms = values.iter().flat_map(|value| forms(value));
    forms
        .map(|(form, bytes)| (format!("{LENT} as {form}"), bytes))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_writes_no_core_files_and_its_memory_and_environment_are_roots_alone() {
    /// Who is nobody, on every Linux.
    const OTHER: u32 = 65_534;
    let world = World::start().await;
    let root = rustix::process::geteuid().is_root();
    let (runner, user) = if root {
        // It is to be seen whose the files are, and root's own are root's anyway.
        world.enrol("runner", &world.url()).await;
        let policy = world.dir().join("empty.toml");
        std::fs::write(&policy, "").unwrap();
        (world.start_runner_as(OTHER, "runner", &policy).await, OTHER)
    } else {
        let runner = world.runner("runner", &world.policy("policy", "")).await;
        (runner, rustix::process::geteuid().as_raw())
    };
    assert!(writes_no_core_files(&runner));
    let owner = |process: u32, file: &str| {
        let file = std::fs::metadata(format!("/proc/{process}/{file}"));
        file.unwrap().uid()
    };
    // It is the process of that user, whose own such files would be theirs.
    let status = std::fs::read_to_string(format!("/proc/{}/status", runner.pid())).unwrap();
    assert!(
        status.contains(&format!("\nUid:\t{user}\t{user}\t")),
        "{status}"
    );
    let mut other = std::process::Command::new("sleep");
    if root {
        other.uid(OTHER);
    }
    let mut other = other.arg("60").spawn().unwrap();
    // While it becomes another program they are nobody's.
    until("its files are its user's", async || {
        (owner(other.id(), "environ") == user).then_some(())
    })
    .await;
    other.kill().unwrap();
    other.wait().unwrap();
    for file in ["environ", "mem", "maps", "auxv"] {
        until(&format!("{file} is root's"), async || {
            (owner(runner.pid(), file) == 0).then_some(())
        })
        .await;
    }
    assert_eq!(runner.terminate().await, 0);
}

/// Whether it writes none, whatever it dies of.
fn writes_no_core_files(process: &Process) -> bool {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let mut numbers = core.unwrap().split_whitespace().skip(4);
    [numbers.next(), numbers.next()] == [Some("0"), Some("0")]
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_have_a_value_in_their_hands_write_no_core_files() {
    let world = World::start().await;
    let hanging = Service::hanging().await;
    let folder = world.dir();
    private(&folder.join("token"), "hunter2hunter2");
    let policy = format!(
        "[store.vault]\nkind = 'vault'\naddress = '{}'\ntimeout = '60s'\n\
         login = {{ token = 'file:token' }}\n\
         [[secret]]\nname = 'slow'\nfrom = 'vault:kv/a#b'\n",
        hanging.origin()
    );
    let policy = private(&folder.join("policy.toml"), &policy);
    let test = ["secret", "test", "slow", "--policy", &policy];

    let keys = folder.join("keys");
    world.wharf(&["keygen", keys.to_str().unwrap()]).ok();
    let key = keys.join("wharf.key");
    // A value that nobody writes.
    let pipe = folder.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let put = ["secret", "put", "slow", "--group", "test", "--key"];
    let what = [key.to_str().unwrap(), "--value", pipe.to_str().unwrap()];
    let put = [&put[..], &what].concat();

    let (url, token) = (world.url(), world.token());
    let variables = [("WHARF_CONTROLLER", &*url), ("WHARF_TOKEN", &token)];
    for args in [&test[..], &put] {
        let log = folder.join("command.log");
        let waiting = Process::start(Build::Default, args, &variables, &log);
        until("it writes no core files", async || {
            writes_no_core_files(&waiting).then_some(())
        })
        .await;
    }
}
