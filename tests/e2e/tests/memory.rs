//! A runner holds a secret for as long as it is needed, and no longer: its memory is searched as a
//! core dump of it would be.

#![allow(clippy::unwrap_used)]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::json;
use wharf_e2e::{Memory, Service, World, forms, until};

/// Another value in every run, so that no binary and no test has it in its own constants.
fn fresh_secret() -> String {
    let noise = |n: u8| RandomState::new().hash_one(n);
    format!("mem+{:016x}/{:016x}?", noise(1), noise(2))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_lifetime_a_secret_is_nowhere_in_the_runners_memory() {
    let world = World::start().await;
    let (answering, hanging) = (Service::start().await, Service::hanging().await);
    let secret = fresh_secret();
    let file = world.dir().join("secret");
    std::fs::write(&file, &secret).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let [a, b] = [answering.origin(), hanging.origin()];
    let policy = world.policy(
        "policy",
        &format!(
            "[[secret]]\nname = 'canary'\nfrom = 'file:{}'\nto = [{{ origin = '{a}' }}, {{ origin = '{b}' }}]\n\
             as = {{ basic = {{ user = 'me' }} }}\noperations = ['hmac', 'bearer', 'basic']\n\
             [[grant]]\nplugins = ['*']\nhttp = [{{ origin = '{a}' }}, {{ origin = '{b}' }}]\n\
             networks = ['127.0.0.1/32']\n\
             secrets = [{{ name = 'canary', rungs = ['inject', 'attach', 'operate', 'reveal'] }}]\n",
            file.display()
        ),
    );
    let runner = world.runner("runner", &policy).await;
    let forms = forms(&secret);
    let memory = Memory::of(runner.pid());

    // While a request with it is under way, it is there: the search finds what there is.
    let input = json!({ "method": "GET", "url": format!("{b}/hang") });
    let under_way = world.submit("http", "request", input).await;
    until("the request is under way", async || {
        (!hanging.requests().is_empty()).then_some(())
    })
    .await;
    let Some(found) = memory.search(&forms) else {
        assert!(
            std::env::var_os("WHARF_REQUIRE_ALL").is_none(),
            "the memory of a runner can be read by root only, and this test is not run by root"
        );
        println!("skipped: the memory of a runner can be read by root only");
        return;
    };
    assert!(!found.is_empty(), "the search does not find what is there");

    // Every way of using it: sent and reflected, computed with, shown to a plugin, cut off in the
    // middle.
    world.wharf(&["exec", "cancel", &under_way]).ok();
    world.finished(&under_way).await;
    let input = json!({ "method": "GET", "url": format!("{a}/echo") });
    let sent = world.run("http", "request", input).await;
    assert_eq!(sent["outcome"], "done", "{sent}");
    let input = json!({ "url": format!("{a}/hook"), "payload": { "json": { "a": 1 } },
                        "sign": { "secret": "canary" } });
    let signed = world.run("notify", "webhook", input).await;
    assert_eq!(signed["outcome"], "done", "{signed}");

    for (action, input) in [
        (
            "send",
            json!({ "url": format!("{a}/x"), "secret": "canary", "how": "attach" }),
        ),
        (
            "send",
            json!({ "url": format!("{a}/x"), "secret": "canary", "how": "bearer" }),
        ),
        (
            "send",
            json!({ "url": format!("{a}/x"), "secret": "canary", "how": "basic" }),
        ),
        ("look", json!({ "secret": "canary" })),
    ] {
        let used = world.run("rungs", action, input).await;
        assert_eq!(used["outcome"], "done", "{used}");
    }

    // Kept values and idle connections live for up to half a minute.
    let mut found = memory.search(&forms).unwrap();
    for _ in 0..60 {
        if found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        found = memory.search(&forms).unwrap();
    }
    assert!(found.is_empty(), "still in the runner's memory: {found:#?}");
    assert_eq!(runner.terminate().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_writes_no_core_files() {
    let world = World::start().await;
    let runner = world.runner("runner", &world.policy("policy", "")).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", runner.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let mut numbers = core.unwrap().split_whitespace().skip(4);
    assert_eq!([numbers.next(), numbers.next()], [Some("0"), Some("0")]);
    assert_eq!(runner.terminate().await, 0);
}
