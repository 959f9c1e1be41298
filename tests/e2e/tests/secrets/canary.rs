//! A secret goes through a whole execution and is nowhere afterwards but where it belongs.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use wharf_e2e::{
    Build, Places, REFLECTED, Search, Service, WireTap, World, broken, forms, holds, wharf_in,
};

use crate::everywhere::{BUILT_IN, BY_FEATURE, Everywhere, Kept, private};
use crate::lent::Lent;
use crate::told::{all_are_marked, cancelled_while_telling, telling, told_everywhere};

const CANARY: &str = "canary+Zx9/quiet\"Harbour=4711?";

/// What names a proxy for those who heed it.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// What stands in the place of it.
const MARK: &str = "[secret canary]";

fn is_found(text: &str, how: &str) {
    let forms = forms(CANARY);
    let found = Search::of(&forms).find(text.as_bytes());
    assert!(found.is_some(), "{how}: {text}");
}

#[test]
fn the_search_finds_the_secret_in_every_form_it_looks_for() {
    for shift in 0..3 {
        let text = STANDARD_NO_PAD.encode(format!("{}{CANARY} and more", "x".repeat(shift)));
        is_found(&text, "base64");
    }
    is_found(&json!({ "a": CANARY }).to_string(), "json");
    for (name, form) in REFLECTED {
        is_found(&form(CANARY), name);
    }
    // Wherever it is broken.
    for before in 0..100 {
        let text = format!("{}{CANARY} and more", "x".repeat(before));
        for width in [64, 76] {
            is_found(
                &broken(&STANDARD_NO_PAD.encode(&text), width, "\r\n"),
                "lines of base64",
            );
        }
        is_found(&broken(&hex::encode(&text), 64, "\n"), "lines of hex");
    }
    let other = CANARY.replace('+', "-").repeat(10);
    for form in [other.clone(), STANDARD_NO_PAD.encode(&other[1..])] {
        let forms = forms("something quite different");
        assert_eq!(Search::of(&forms).find(form.as_bytes()), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_injected_and_operated_secret_appears_nowhere_but_at_its_destination() {
    let mut world = World::start().await;
    let (service, hanging) = (Service::start().await, Service::hanging().await);
    let origin = service.origin();
    let secrets = world.dir().join("operator-secrets");
    std::fs::create_dir(&secrets).unwrap();
    let secret_file = private(&secrets.join("canary"), CANARY);
    let policy = world.policy(
        "policy",
        &format!(
            "[[secret]]\nname = 'canary'\nfrom = 'file:{}'\nto = [{{ origin = '{origin}' }}]\noperations = ['hmac']\n\
             [[grant]]\nplugins = ['*']\nhttp = [{{ origin = '{origin}' }}, {{ origin = '{tls}' }}]\n\
             networks = ['127.0.0.1/32']\n\
             secrets = [{{ name = 'canary', rungs = ['inject', 'operate'] }}]\n\
             [[grant]]\nplugins = ['rungs']\nhttp = [{{ origin = '{hanging}' }}]\n\
             networks = ['127.0.0.1/32']\n\
             secrets = [{{ name = 'canary', rungs = ['inject', 'attach', 'operate', 'reveal'] }}]\n",
            secret_file,
            hanging = hanging.origin(),
            tls = origin.replace("http:", "https:"),
        ),
    );
    // Everything between runner and controller passes the wire tap.
    let tap = WireTap::to(world.port()).await;
    world.enrol("runner", &tap.url()).await;
    let proxy = Service::start().await;
    let through = proxy.origin();
    let mut variables = vec![("NO_PROXY", ""), ("no_proxy", "")];
    variables.extend(PROXIES.map(|name| (name, &*through)));
    let runner = world
        .start_runner_with(Build::Default, "runner", &policy, &variables)
        .await;

    // The service echoes every header: the credential reaches it, and comes back towards the guest.
    let fetched = world
        .run(
            "http",
            "request",
            json!({ "method": "GET", "url": origin.clone() + "/echo" }),
        )
        .await;
    assert_eq!(fetched["outcome"], "done", "{fetched}");
    assert!(fetched["output"].to_string().contains(MARK), "{fetched}");
    let input = json!({ "method": "GET", "url": origin.clone() + "/forms" });
    let reflected = world.run("http", "request", input).await;
    assert_eq!(reflected["outcome"], "done", "{reflected}");
    all_are_marked(reflected["output"]["body"]["text"].as_str().unwrap(), MARK);
    // It speaks no TLS; who asked a proxy for it would not know.
    let input = json!({ "method": "GET", "url": origin.replace("http:", "https:") });
    let in_vain = world.run("http", "request", input).await;
    assert!(in_vain["error"].to_string().contains("TLS"), "{in_vain}");
    let signed = world
        .run("notify", "webhook", json!({ "url": origin.clone() + "/hook", "payload": { "json": { "a": 1 } }, "sign": { "secret": "canary" } }))
        .await;
    assert_eq!(signed["outcome"], "done", "{signed}");
    let mut executions = vec![fetched, reflected, in_vain, signed];
    executions.extend(told_everywhere(&world, "canary").await);
    let id = cancelled_while_telling(&world, &hanging, "canary").await;
    executions.push(world.finished(&id).await);
    let mut places = Places::default();
    places.add_process(runner.pid());
    executions.push(journaled(&mut world, &hanging, &secrets, &mut places).await);
    look_at(&world, &executions, &mut places).await;
    // Drained, so that everything that is ever written or sent is.
    runner.terminate().await;
    look_at_wire(&tap, &mut places);
    places.must_hold("from the runner", MARK);
    places.add_files(world.dir(), &secrets);
    places.must_not_hold(&forms(CANARY));
    // Nothing that a plugin sends goes through a proxy, whatever the runner was started with.
    assert_eq!(proxy.requests(), [""; 0]);
}

/// Has a result wait in the runner's journal, and looks at all files meanwhile.
async fn journaled(
    world: &mut World,
    hanging: &Service,
    except: &Path,
    places: &mut Places,
) -> Value {
    let id = telling(world, hanging, "canary").await;
    world.until_says("runner", "journaled", 0).await;
    world.kill_controller().await;
    hanging.answer();
    world.until_says("runner", "journaled", 1).await;
    let mut now = Places::default();
    now.add_files(world.dir(), except);
    now.must_hold("runner/journal.db", MARK);
    places.append(now);
    world.start_controller().await;
    let delivered = world.finished(&id).await;
    assert_eq!(delivered["outcome"], "done", "{delivered}");
    assert_eq!(delivered["output"], MARK, "{delivered}");
    delivered
}

/// The wire, now that the runner has said everything.
fn look_at_wire(tap: &WireTap, places: &mut Places) {
    places.add("the wire from the runner", tap.sent());
    places.add("the wire to the runner", tap.received());
}

/// The controller, and what it says of these executions.
async fn look_at(world: &World, executions: &[Value], places: &mut Places) {
    places.add_process(world.controller().pid());
    let listing = world.wharf(&["exec", "list", "--json"]).ok();
    places.add("wharf exec list", listing.out);
    for execution in executions {
        let id = execution["id"].as_str().unwrap();
        let logs = world.logs(id).await;
        places.add(format!("the logs of {id}"), logs.to_string());
        places.add(id, world.execution(id).await.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_whatever_store_and_on_whatever_rung_a_secret_appears_nowhere() {
    let world = World::start().await;
    let (service, hanging) = (Service::start().await, Service::hanging().await);
    let tap = WireTap::to(world.port()).await;
    world.enrol("runner", &tap.url()).await;
    let stores = [BUILT_IN, BY_FEATURE].concat();
    // Another for each store, none of them part of another.
    let password = |store: &str| format!("{store}+Zx9/quiet\"Harbour=4711?{store}");
    let kept = Everywhere::keep(&world, &stores, password).await;
    let origins = [service.origin(), hanging.origin()];
    let runner = kept.runner(Build::EveryStore, &world, &origins).await;
    let executions = kept.use_all(&world, &origins[0], &hanging).await;

    let lent = kept.lent.as_ref().map_or_else(Vec::new, Lent::values);
    assert!(kept.lent.is_none() || lent.len() > 4, "{lent:?}");

    let mut places = Places::default();
    look_at(&world, &executions, &mut places).await;
    let mut process = Places::default();
    process.add_process(runner.pid());
    runner.terminate().await;
    look_at_wire(&tap, &mut places);
    places.add_files(world.dir(), &kept.folder);
    let mut of_environment = Vec::new();
    let mut others = Vec::new();
    for Kept { store, value, .. } in &kept.secrets {
        places.must_hold("from the runner", &format!("[secret {store}]"));
        let parts = value.parts().into_iter();
        let parts = parts.map(|(form, part)| (format!("{form}, of {store}"), part));
        match *store {
            "env" => of_environment.extend(parts),
            _ => others.extend(parts),
        }
    }
    others.extend(lent.iter().flat_map(|value| forms(value)));
    // What a process was started with stays there: the documentation says so of that store.
    process.must_not_hold(&others);
    others.append(&mut of_environment);
    places.must_not_hold(&others);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_run_scrubs_what_an_echoing_server_reflects() {
    let world = World::start().await;
    let service = Service::start().await;
    let origin = service.origin();
    let file = private(&world.dir().join("secret"), CANARY);
    let policy = world.policy(
        "policy",
        &format!(
            "[[secret]]\nname = 'canary'\nfrom = 'file:{}'\nto = [{{ origin = '{origin}' }}]\n\
             [[grant]]\nplugins = ['http']\nhttp = [{{ origin = '{origin}' }}]\nnetworks = ['127.0.0.1/32']\n\
             secrets = [{{ name = 'canary' }}]\n",
            file
        ),
    );
    let input = json!({ "method": "GET", "url": origin + "/forms" }).to_string();
    let bundle = wharf_e2e::bundles().file("http");
    let args = [
        "-vv",
        "run",
        bundle.to_str().unwrap(),
        "request",
        "--input",
        &input,
        "--policy",
        policy.to_str().unwrap(),
    ];
    let home = world.dir().join("home");
    let answer = wharf_in(
        world.dir(),
        &args,
        &[("WHARF_HOME", home.to_str().unwrap())],
    )
    .ok();
    all_are_marked(answer.json()["body"]["text"].as_str().unwrap(), MARK);
    for (form, needle) in forms(CANARY) {
        assert!(
            !holds(answer.out.as_bytes(), &needle),
            "stdout has the secret as {form}"
        );
        assert!(
            !holds(answer.err.as_bytes(), &needle),
            "stderr has the secret as {form}"
        );
    }
}
