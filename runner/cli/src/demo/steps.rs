//! What the demo submits, and what must become of it.

use serde_json::{Value, json};

use super::bundles::{Bundle, Bundles};
use super::internal_api::InternalApi;
use super::policy::GROUP;
use super::report::{Account, Entry, Teller};
use crate::client::Client;
use crate::commands::submit_and_wait;
use crate::exit::Result;

/// What must become of a step.
enum Expected<'a> {
    /// It is done, and the output holds this.
    Output(&'a dyn Fn(&Value) -> bool),
    /// It ends so, and the message holds these words.
    Outcome(&'static str, &'static [&'static str]),
}

struct Step<'a> {
    title: &'static str,
    bundle: &'a Bundle,
    action: &'static str,
    input: Value,
    rights: Value,
    expected: Expected<'a>,
}

pub(super) async fn run_all(
    client: &Client,
    bundles: &Bundles,
    api: &InternalApi,
    tell: &Teller,
) -> Result<Account> {
    let mut account = Account::default();
    let origin = api.origin();
    let none = json!({});

    let incidents = run(
        client,
        tell,
        Step {
            title: "ask the internal API, token injected by the host",
            bundle: &bundles.http,
            action: "request",
            input: json!({ "method": "GET", "url": format!("{origin}/v1/incidents") }),
            rights: none.clone(),
            expected: Expected::Output(&|output| {
                output["status"] == 200 && !output.to_string().contains(&api.secrets.token)
            }),
        },
    )
    .await?;
    let body = incidents.execution["output"]["body"]["json"].clone();
    account.executions.push(incidents);

    let urgent = run(
        client,
        tell,
        Step {
            title: "pick what is urgent with jq",
            bundle: &bundles.transform,
            action: "jq",
            input: json!({
                "filter": ".incidents[] | select(.severity == $level and .open) | {id, title}",
                "input": body,
                "variables": { "level": "critical" },
            }),
            rights: none.clone(),
            expected: Expected::Output(&|output| {
                output.to_string().contains("4711") && !output.to_string().contains("4713")
            }),
        },
    )
    .await?;
    let urgent_output = urgent.execution["output"].clone();
    account.executions.push(urgent);

    account.executions.push(
        run(
            client,
            tell,
            Step {
                title: "tell it to a webhook, signed by the host",
                bundle: &bundles.notify,
                action: "webhook",
                input: json!({
                    "url": format!("{origin}/hooks/deploy"),
                    "payload": { "json": urgent_output["result"] },
                    "sign": { "secret": "webhook-key" },
                }),
                rights: none.clone(),
                expected: Expected::Output(&|output| output["status"] == 200),
            },
        )
        .await?,
    );

    let get = |url: &str| json!({ "method": "GET", "url": url });
    let harmless = get(&format!("{origin}/v1/incidents"));
    let soon = json!({ "limits": { "deadline": "500ms" } });
    let refusals = [
        (
            "a bundle that nobody signed",
            &bundles.unsigned,
            "request",
            harmless.clone(),
            &none,
            "refused",
            &["sign"][..],
        ),
        (
            "a bundle with one byte changed",
            &bundles.tampered,
            "request",
            harmless.clone(),
            &none,
            "refused",
            &["changed after it was signed"],
        ),
        (
            "a bundle signed by a stranger",
            &bundles.stranger,
            "request",
            harmless,
            &none,
            "refused",
            &["key"],
        ),
        (
            "a request to a host that is not granted",
            &bundles.http,
            "request",
            get("https://example.org/"),
            &none,
            "failed",
            &["example.org", "grant"],
        ),
        (
            "a request to the cloud's metadata address",
            &bundles.http,
            "request",
            get("http://169.254.169.254/latest/meta-data/"),
            &none,
            "failed",
            &["metadata"],
        ),
        (
            "an endless loop",
            &bundles.hostile,
            "spin",
            json!({}),
            &soon,
            "stopped",
            &["deadline"],
        ),
        (
            "a memory bomb",
            &bundles.hostile,
            "hoard",
            json!({}),
            &none,
            "stopped",
            &["memory"],
        ),
        (
            "an import that was not granted",
            &bundles.forbidden,
            "betray",
            json!({ "name": "webhook-key" }),
            &none,
            "refused",
            &["wharf:plugin/reveal", "grant"],
        ),
    ];
    for (title, bundle, action, input, rights, outcome, words) in refusals {
        account.refusals.push(
            run(
                client,
                tell,
                Step {
                    title,
                    bundle,
                    action,
                    input,
                    rights: rights.clone(),
                    expected: Expected::Outcome(outcome, words),
                },
            )
            .await?,
        );
    }
    Ok(account)
}

async fn run(client: &Client, tell: &Teller, step: Step<'_>) -> Result<Entry> {
    tell.step(step.title);
    let request = json!({
        "group": GROUP,
        "plugin": step.bundle.digest,
        "action": step.action,
        "input": step.input,
        "rights": step.rights,
    });
    let execution = submit_and_wait(client, &request).await?;
    let message = execution["error"]["message"].as_str().unwrap_or_default();
    let as_expected = match step.expected {
        Expected::Output(holds) => execution["outcome"] == "done" && holds(&execution["output"]),
        Expected::Outcome(outcome, words) => {
            execution["outcome"] == outcome && words.iter().all(|word| message.contains(word))
        }
    };
    let entry = Entry {
        title: step.title,
        bundle: step.bundle.clone(),
        action: step.action,
        execution,
        as_expected,
    };
    tell.entry(&entry);
    Ok(entry)
}
