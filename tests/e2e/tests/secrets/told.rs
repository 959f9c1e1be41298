//! What a plugin or a service tells of a secret, in every way, with the mark in its place.

use serde_json::{Value, json};
use wharf_e2e::{REFLECTED, Service, World, until};

/// Of what a service reflected in every form, each part must have the mark in it.
pub(crate) fn all_are_marked(reflected: &str, mark: &str) {
    for (name, _) in REFLECTED {
        let begin = format!("== {name}\n");
        let part = reflected.split_once(&begin).expect(name).1;
        let part = part.split("== ").next().unwrap();
        assert!(part.contains(mark), "{name}: {part}");
    }
}

/// Has a plugin that was shown a secret tell it everywhere, and looks for the mark in each place.
pub(crate) async fn told_everywhere(world: &World, secret: &str) -> [Value; 2] {
    let mark = format!("[secret {secret}]");
    let input = json!({ "secret": secret, "as_output": true });
    let given = world.run("rungs", "tell", input).await;
    assert_eq!(given["outcome"], "done", "{given}");
    assert_eq!(given["output"], mark, "{given}");

    let failed = world
        .run("rungs", "tell", json!({ "secret": secret }))
        .await;
    assert_eq!(failed["outcome"], "failed", "{failed}");
    let error = &failed["error"];
    assert_eq!(error["message"], format!("the secret is {mark}"), "{error}");
    assert_eq!(error["details"]["secret"], mark, "{error}");

    for execution in [&given, &failed] {
        let id = execution["id"].as_str().unwrap();
        let logs = world.logs(id).await;
        for told in ["it is", "stdout:", "stderr:"] {
            let told = format!("{told} {mark}");
            assert!(logs.to_string().contains(&told), "{told}: {logs}");
        }
        let entries = logs["entries"].as_array().unwrap();
        let in_field = entries
            .iter()
            .any(|entry| entry["fields"]["secret"] == mark);
        assert!(in_field, "{logs}");
    }
    [given, failed]
}

/// Has it cancelled while it tells a secret. It does not heed that, so its end comes when its time to do so
/// is over.
pub(crate) async fn cancelled_while_telling(
    world: &World,
    hanging: &Service,
    secret: &str,
) -> String {
    let id = telling(world, hanging, secret).await;
    world.wharf(&["exec", "cancel", &id]).ok();
    id
}

/// Starts to tell a secret, with the output still to come: that waits for the service. While it does, the
/// progress can be seen.
pub(crate) async fn telling(world: &World, hanging: &Service, secret: &str) -> String {
    let input = json!({ "secret": secret, "url": hanging.origin(), "as_output": true });
    let id = world.submit("rungs", "tell", input).await;
    let progress = until("it reports progress", async || {
        let progress = world.execution(&id).await["progress"].take();
        (!progress.is_null()).then_some(progress)
    })
    .await;
    let saying = format!("saying [secret {secret}]");
    assert_eq!(progress["message"], saying, "{progress}");
    id
}
