//! Secrets out of real stores, through a real runner: what is lent to an execution is gone after it.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use wharf_e2e::{Build, Process, Service, World, bundles, until, wharf_in};
use wharf_test_servers::{OpenBao, Postgres};

/// OpenBao whose database engine makes roles in PostgreSQL, and a token for the runner.
async fn database(folder: &Path) -> Option<(OpenBao, Postgres)> {
    let bao = OpenBao::start().await?;
    let postgres = Postgres::start().await?;
    bao.lend_roles(&postgres, "1h").await;
    private(&folder.join("vault.token"), bao.root());
    Some((bao, postgres))
}

fn private(file: &Path, content: &str) {
    std::fs::write(file, content).unwrap();
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
}

/// A store at this address, and a database password that goes to this origin.
fn policy(vault: &str, origin: &str) -> String {
    format!(
        "[store.vault]\nkind = 'vault'\naddress = '{vault}'\nlogin = {{ token = 'file:vault.token' }}\n\
         [[secret]]\nname = 'db'\nfrom = 'vault:database/creds/app#password'\nto = [{{ origin = '{origin}' }}]\n\
         [[secret]]\nname = 'none'\nfrom = 'vault:secret/none#x'\n\
         [[grant]]\nplugins = ['http']\nhttp = [{{ origin = '{origin}' }}]\nnetworks = ['127.0.0.0/8']\n\
         secrets = [{{ name = 'db' }}]\n"
    )
}

fn roles(postgres: &Postgres) -> String {
    postgres.query("select count(*) from pg_roles where rolname like 'v-%'")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_role_lives_as_long_as_the_execution_that_it_was_made_for() {
    let world = World::start().await;
    let Some((bao, postgres)) = database(world.dir()).await else {
        return;
    };
    let (echo, hanging) = (Service::start().await, Service::hanging().await);
    let text = policy(bao.url(), &echo.origin()) + &policy_for_hanging(&hanging.origin());
    let runner = world.runner("runner", &world.policy("policy", &text)).await;

    // Done: the password went where it should, is in no result, and its role is gone.
    let done = world
        .run("http", "request", json!({ "url": echo.origin() + "/" }))
        .await;
    assert_eq!(done["outcome"], "done", "{done}");
    assert!(done.to_string().contains("[secret db]"), "{done}");
    until("the role is gone", async || {
        (roles(&postgres) == "0").then_some(())
    })
    .await;

    // Cancelled in the middle.
    let id = world
        .submit("http", "request", json!({ "url": hanging.origin() + "/" }))
        .await;
    until("the request is out", async || {
        (!hanging.requests().is_empty()).then_some(())
    })
    .await;
    assert_eq!(roles(&postgres), "1");
    world
        .post(
            &format!("/v1/executions/{id}/cancel"),
            &json!({ "reason": "test", "grace_ms": 10 }),
        )
        .await;
    let cancelled = world.finished(&id).await;
    assert_eq!(cancelled["outcome"], "cancelled", "{cancelled}");
    until("the role is gone", async || {
        (roles(&postgres) == "0").then_some(())
    })
    .await;

    // Ended by a runner that leaves at once: it gives back before it goes.
    world
        .submit("http", "request", json!({ "url": hanging.origin() + "/" }))
        .await;
    until("the request is out", async || {
        (hanging.requests().len() > 1).then_some(())
    })
    .await;
    assert_eq!(roles(&postgres), "1");
    runner.signal();
    until("it drains", async || {
        runner.said().contains("draining").then_some(())
    })
    .await;
    runner.terminate().await;
    assert_eq!(roles(&postgres), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_run_gives_back_what_it_was_lent_however_it_ends() {
    let world = World::start().await;
    let Some((bao, postgres)) = database(world.dir()).await else {
        return;
    };
    let (echo, hanging) = (Service::start().await, Service::hanging().await);
    let text = policy(bao.url(), &echo.origin()) + &policy_for_hanging(&hanging.origin());
    let home = world.dir().join("home");
    let bundle = bundles().file("http").to_str().unwrap();
    let variables = [("WHARF_HOME", home.to_str().unwrap())];
    let run = |origin: &str, policy: &Path| {
        let input = json!({ "url": format!("{origin}/") }).to_string();
        let policy = policy.to_str().unwrap();
        [
            "run", bundle, "request", "--input", &input, "--policy", policy,
        ]
        .map(str::to_owned)
    };

    // Done.
    let whole = world.policy("whole", &text);
    let args = run(&echo.origin(), &whole);
    let done = wharf_in(
        world.dir(),
        &args.each_ref().map(String::as_str),
        &variables,
    )
    .ok();
    assert!(done.out.contains("[secret db]"), "{}", done.out);
    assert_eq!(roles(&postgres), "0");

    // Never begun, because another secret is not there.
    let missing = format!(
        "[[secret]]\nname = 'gone'\nfrom = 'env:WHARF_TEST_NOT_THERE'\nas = {{ header = {{ name = 'x-key' }} }}\n\
         to = [{{ origin = '{}' }}]\n[[grant]]\nplugins = ['http']\nsecrets = [{{ name = 'gone' }}]\n",
        echo.origin()
    );
    let missing = world.policy("missing", &(text + &missing));
    let args = run(&echo.origin(), &missing);
    for _ in 0..3 {
        let refused = wharf_in(
            world.dir(),
            &args.each_ref().map(String::as_str),
            &variables,
        );
        assert_eq!(refused.code, 3, "{} {}", refused.out, refused.err);
        assert_eq!(roles(&postgres), "0");
    }

    // Interrupted in the middle.
    let args = run(&hanging.origin(), &whole);
    let log = world.dir().join("interrupted.log");
    let args = args.each_ref().map(String::as_str);
    let process = Process::start(Build::Default, &args, &variables, &log);
    until("the request is out", async || {
        (!hanging.requests().is_empty()).then_some(())
    })
    .await;
    assert_ne!(roles(&postgres), "0");
    let said = process.said();
    assert_eq!(process.terminate().await, 1, "{said}");
    assert_eq!(roles(&postgres), "0");
}

/// The same password may go to a service that never answers.
fn policy_for_hanging(origin: &str) -> String {
    format!(
        "[[secret]]\nname = 'db-too'\nfrom = 'vault:database/creds/app#password'\nto = [{{ origin = '{origin}' }}]\n\
         [[grant]]\nplugins = ['http']\nhttp = [{{ origin = '{origin}' }}]\nnetworks = ['127.0.0.0/8']\n\
         secrets = [{{ name = 'db-too' }}]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_asks_a_database_over_tcp_as_the_role_that_was_made_for_it() {
    let world = World::start().await;
    let Some((bao, postgres)) = database(world.dir()).await else {
        return;
    };
    let (vault, port) = (bao.url(), postgres.port());
    let text = format!(
        "[store.vault]\nkind = 'vault'\naddress = '{vault}'\nlogin = {{ token = 'file:vault.token' }}\n\
         [[secret]]\nname = 'db-user'\nfrom = 'vault:database/creds/app#username'\n\
         [[secret]]\nname = 'db-password'\nfrom = 'vault:database/creds/app#password'\n\
         [[grant]]\nplugins = ['database']\ntcp = [{{ host = '127.0.0.1', ports = [{port}] }}]\n\
         networks = ['127.0.0.1/32']\n\
         secrets = [{{ name = 'db-user', rungs = ['reveal'] }}, {{ name = 'db-password', rungs = ['reveal'] }}]\n"
    );
    let _runner = world.runner("runner", &world.policy("policy", &text)).await;
    let ask = |server: String| {
        json!({ "server": server, "database": "postgres", "user": "db-user",
                "password": "db-password", "sql": "select current_user, 40 + 2, null" })
    };
    let done = world
        .run("database", "query", ask(format!("127.0.0.1:{port}")))
        .await;
    assert_eq!(done["outcome"], "done", "{done}");
    assert_eq!(
        done["output"],
        json!([["[secret db-user]", "42", null]]),
        "{done}"
    );
    until("the role is gone", async || {
        (roles(&postgres) == "0").then_some(())
    })
    .await;

    // The controller listens on the same address, and is not granted.
    let refused = world
        .run(
            "database",
            "query",
            ask(format!("127.0.0.1:{}", world.port())),
        )
        .await;
    assert_eq!(refused["outcome"], "failed", "{refused}");
    assert_eq!(refused["error"]["code"], "unreachable", "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_makes_executions_unavailable_and_is_named() {
    let world = World::start().await;
    private(&world.dir().join("vault.token"), "the-token-of-the-runner");
    let text = policy("http://127.0.0.1:1", "http://127.0.0.1:2");
    let _runner = world.runner("runner", &world.policy("policy", &text)).await;
    let failed = world
        .run("http", "request", json!({ "url": "http://127.0.0.1:2/" }))
        .await;
    let text = failed.to_string();
    for word in ["unavailable", "secret-unavailable", "`vault`", "`db`"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("the-token-of-the-runner"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn testing_a_secret_says_one_word() {
    let folder = tempfile::tempdir().unwrap();
    private(&folder.path().join("token"), "hunter2hunter2");
    std::fs::write(
        folder.path().join("policy.toml"),
        "[[secret]]\nname = 'there'\nfrom = 'file:token'\n\
         [[secret]]\nname = 'gone'\nfrom = 'file:none'\n\
         [[secret]]\nname = 'open'\nfrom = 'file:open'\n\
         [[secret]]\nname = 'down'\nfrom = 'vault:kv/a#b'\n\
         [[secret]]\nname = 'sealed'\nfrom = 'shared:team/api'\n\
         [store.shared]\nkind = 'controller'\nkeys = ['none.pub']\n\
         [store.vault]\nkind = 'vault'\naddress = 'http://127.0.0.1:1'\nlogin = { token = 'file:token' }\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("open"), "hunter2hunter2").unwrap();
    let test = |name: &str| {
        wharf_in(
            folder.path(),
            &["secret", "test", name, "--policy", "policy.toml", "--json"],
            &[],
        )
    };
    for (name, code, word) in [
        ("there", 0, "present"),
        ("gone", 1, "absent"),
        ("open", 3, "denied"),
    ] {
        let answer = test(name);
        assert_eq!(answer.code, code, "{} {}", answer.out, answer.err);
        assert_eq!(answer.json(), json!({ "secret": name, "answer": word }));
        assert!(!answer.err.contains("hunter2"), "{}", answer.err);
    }
    let answer = test("down");
    assert_eq!(answer.code, 5, "{} {}", answer.out, answer.err);
    assert!(answer.out.contains("`vault`") || answer.err.contains("`vault`"));
    assert_eq!(test("unknown").code, 2);
    // What only a running runner gets is not answered about, and is in nobody's way.
    let answer = test("sealed");
    assert_eq!(answer.code, 2, "{} {}", answer.out, answer.err);
    for says in ["sealed on the controller", "wharf secret list"] {
        assert!(answer.err.contains(says), "{says}: {}", answer.err);
    }
    let said = answer.json();
    assert!(
        said.get("answer").is_none() && said["ok"] == false,
        "{said}"
    );
}
