//! From no grant at all to one that fits, by what the audit record says; and what the record proves.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use wharf_e2e::{Answer, Bundles, Service, bundles, wharf_in};

const ROUNDS: usize = 6;

struct Desk(tempfile::TempDir);

impl Desk {
    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Trusts the bundles of the tests, and grants this.
    fn grant(&self, grants: &str) {
        let Bundles { key, .. } = bundles();
        let trust = format!("[[trust]]\nplugins = ['*']\nkeys = ['{}']\n", key.display());
        std::fs::write(self.path().join("policy.toml"), trust + grants).unwrap();
    }

    fn wharf(&self, args: &[&str]) -> Answer {
        let home = self.path().join("home");
        let variables = [
            ("WHARF_HOME", home.to_str().unwrap()),
            ("WHARF_POLICY", "policy.toml"),
        ];
        wharf_in(self.path(), args, &variables)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_that_a_plugin_follows_is_judged_as_a_request_of_its_own_and_audited() {
    let (service, other) = (Service::start().await, Service::start().await);
    let desk = Desk(tempfile::tempdir().unwrap());
    let plugin = bundles().file("http").to_str().unwrap();
    let narrow = service.origin();
    let grant = |origin: &str| {
        format!(
            "[[grant]]\nplugins = ['http']\nhttp = [{{ origin = '{origin}' }}]\n\
             networks = ['127.0.0.1/32', '169.254.0.0/16']\n"
        )
    };
    let outside = format!("{}/inside", other.origin());
    for (number, (origin, to, refused)) in [
        (&*narrow, &*format!("{narrow}/there"), false),
        (&narrow, &outside, true),
        ("http://*:*", &outside, false),
        (
            "http://*:*",
            "http://169.254.169.254/latest/meta-data",
            true,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        desk.grant(&grant(origin));
        let before = other.requests().len();
        let audit = format!("redirects-{number}.jsonl");
        let input = json!({ "url": format!("{narrow}/redirect?{to}"), "follow_redirects": 1 });
        let input = input.to_string();
        let args = [
            "run", plugin, "request", "--audit", &audit, "--input", &input,
        ];
        let answer = desk.wharf(&args);
        assert_eq!(
            answer.code != 0,
            refused,
            "{to}: {} {}",
            answer.out,
            answer.err
        );
        let lines = std::fs::read_to_string(desk.path().join(&audit)).unwrap();
        let told = lines
            .lines()
            .filter(|line| line.contains("request-refused"));
        let told: Vec<_> = told.collect();
        assert_eq!(told.len(), usize::from(refused), "{to}: {lines}");
        let host = to.split('/').nth(2).unwrap();
        assert!(told.iter().all(|line| line.contains(host)), "{to}: {lines}");
        let reached = other.requests().len() - before;
        assert_eq!(reached, usize::from(!refused && to == outside), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metadata_service_that_a_run_tried_is_a_comment_in_the_suggestion_and_no_line() {
    let service = Service::start().await;
    let desk = Desk(tempfile::tempdir().unwrap());
    let plugin = bundles().file("http").to_str().unwrap();
    desk.grant("[[grant]]\nplugins = ['http']\nhttp = [{ origin = 'http://*:*' }]\n");
    for url in [
        format!("{}/v1", service.origin()),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[64:ff9b::a9fe:a9fe]/x".to_owned(),
    ] {
        let input = json!({ "url": url }).to_string();
        let refused = desk.wharf(&[
            "run",
            plugin,
            "request",
            "--audit",
            "audit.jsonl",
            "--input",
            &input,
        ]);
        assert_ne!(refused.code, 0, "{url}: {}", refused.out);
    }
    let suggested = desk.wharf(&[
        "grant",
        "suggest",
        plugin,
        "--action",
        "request",
        "--audit",
        "audit.jsonl",
    ]);
    let text = suggested.ok().out;
    let (comments, lines): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with('#'));
    let lines = lines.join("\n");
    for tried in ["http://169.254.169.254", "http://[64:ff9b::a9fe:a9fe]"] {
        let said = |line: &&str| line.contains(tried) && line.contains("credentials");
        assert_eq!(
            comments.iter().filter(|line| said(line)).count(),
            1,
            "{text}"
        );
        assert!(!lines.contains(tried), "{text}");
    }
    assert_eq!(lines.matches("networks = ").count(), 1, "{text}");
    assert!(lines.contains("networks = [\"127.0.0.1/32\"]"), "{text}");
}

/// A server that lets go of whoever connects, its port, and the connections that it was given.
fn rude_server() -> (u16, std::sync::mpsc::Receiver<()>) {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let (tell, connected) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            // Told before the plugin sees the end.
            if tell.send(()).is_err() {
                return;
            }
            drop(stream);
        }
    });
    (port, connected)
}

#[test]
fn following_the_suggestions_leads_a_plugin_to_the_one_host_and_port_that_it_connects_to() {
    for host in ["localhost", "127.0.0.1"] {
        let (port, connected) = rude_server();
        let desk = Desk(tempfile::tempdir().unwrap());
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600);
        let mut file = file.open(desk.path().join("login")).unwrap();
        file.write_all(b"postgres").unwrap();
        let plugin = bundles().file("database").to_str().unwrap();
        let input = json!({
            "server": format!("{host}:{port}"), "database": "db", "user": "login", "password": "login", "sql": "select 1",
        });
        let (input, mut grant) = (input.to_string(), String::new());
        for round in 0.. {
            // The manifest leaves to the operator which secret it is shown.
            desk.grant(&format!(
                "[[secret]]\nname = 'login'\nfrom = 'file:login'\n\
                 [[grant]]\nplugins = ['database']\nsecrets = [{{ name = 'login', rungs = ['reveal'] }}]\n{grant}"
            ));
            let run = [
                "run",
                plugin,
                "query",
                "--audit",
                "audit.jsonl",
                "--input",
                &input,
            ];
            let run = desk.wharf(&run);
            if connected.try_recv().is_ok() {
                break;
            }
            let told = format!("{}{}", run.out, run.err);
            assert!(round < ROUNDS, "{told} with no grant, the last is {grant}");
            let suggest = [
                "grant",
                "suggest",
                plugin,
                "--action",
                "query",
                "--audit",
                "audit.jsonl",
            ];
            grant = desk.wharf(&suggest).ok().out;
        }
        let rule = format!("tcp = [{{ host = \"{host}\", ports = [{port}] }}]\n");
        assert!(grant.contains(&rule), "{grant}");
        assert_eq!(grant.matches("host = ").count(), 1, "{grant}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn following_the_suggestions_leads_from_nothing_to_the_smallest_grant() {
    let service = Service::start().await;
    let desk = Desk(tempfile::tempdir().unwrap());
    let plugin = bundles().file("http").to_str().unwrap();
    let url = format!("{}/v1/items?canary-in-query=1", service.origin());
    let input = json!({ "url": url }).to_string();
    let run = [
        "run",
        plugin,
        "request",
        "--audit",
        "audit.jsonl",
        "--json",
        "--input",
        &input,
    ];
    let suggest = [
        "grant",
        "suggest",
        plugin,
        "--action",
        "request",
        "--audit",
        "audit.jsonl",
    ];
    let check = ["grant", "check", plugin, "--json"];

    desk.grant("");
    let missing = desk.wharf(&check);
    assert_eq!(missing.code, 3, "{}", missing.out);
    let mut grant = String::new();
    let mut refused = 0;
    while desk.wharf(&run).code != 0 {
        refused += 1;
        assert!(
            refused <= ROUNDS,
            "no grant was enough, the last is {grant}"
        );
        assert!(
            service.requests().is_empty(),
            "something left that was not granted"
        );
        grant = desk.wharf(&suggest).ok().out;
        desk.grant(&grant);
    }
    assert_eq!(service.requests().len(), 1);
    // One thing after the other: the interface, and the destination, which is itself an address.
    assert_eq!(refused, 2, "{grant}");
    for line in [
        "plugins = [\"http\"]",
        "actions = [\"request\"]",
        "path = \"/v1/items\", methods = [\"GET\"]",
        "networks = [\"127.0.0.1/32\"]",
    ] {
        assert!(grant.contains(line), "{grant}");
    }
    assert!(
        !grant.contains("\"*\"") && !grant.contains("nowhere"),
        "{grant}"
    );
    let answer = desk.wharf(&check).ok().json();
    assert_eq!(answer["trusted"], true);
    let rows = answer["actions"][0]["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["finding"] != "wider"), "{rows:?}");

    // The record is whole, tells of the refusals, and of no query.
    let verified = desk
        .wharf(&["audit", "verify", "audit.jsonl", "--json"])
        .ok()
        .json();
    let head = verified["head"].as_str().unwrap();
    let shown = desk
        .wharf(&["audit", "show", "audit.jsonl", "--refused", "--json"])
        .ok()
        .json();
    let events: Vec<&str> = shown.as_array().unwrap().iter().map(event).collect();
    assert!(
        events.contains(&"dispatch-refused") && events.contains(&"request-refused"),
        "{events:?}"
    );
    let file = desk.path().join("audit.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("canary-in-query"));

    // Cut, it still holds, but not with the head; changed, it does not hold.
    let cut = &text[..text.trim_end().rfind('\n').unwrap() + 1];
    std::fs::write(&file, cut).unwrap();
    desk.wharf(&["audit", "verify", "audit.jsonl"]).ok();
    let cut = desk.wharf(&["audit", "verify", "audit.jsonl", "--head", head]);
    assert!(cut.code == 3 && cut.err.contains("was cut"), "{}", cut.err);
    std::fs::write(&file, text.replacen("127.0.0.1", "127.0.0.2", 1)).unwrap();
    let changed = desk.wharf(&["audit", "verify", "audit.jsonl"]);
    assert!(
        changed.code == 3 && changed.err.contains("line"),
        "{}",
        changed.err
    );
    let anew = desk.wharf(&run);
    assert_ne!(anew.code, 0, "a record that was changed is not written on");
}

fn event(line: &Value) -> &str {
    line["event"].as_str().unwrap()
}
