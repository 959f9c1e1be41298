//! Objects of a real S3 service, under an access key that the plugin never sees: the service computes
//! every signature for itself, and takes no request whose signature is another.

use serde_json::{Value, json};
use wharf_e2e::World;
use wharf_test_servers::SeaweedFs;

use crate::everywhere::private;

/// A bucket for each way of signing.
const SIGNED: &str = "signed";
const UNSIGNED: &str = "unsigned";
/// A bucket whose binding has another secret.
const STRANGE: &str = "strange";

/// Names of objects as a URL can have them, each in two spellings that mean the same.
const OBJECTS: [[&str; 2]; 5] = [
    ["plain.txt", "%70lain%2Etxt"],
    ["dt=2024/part(1).csv", "dt%3D2024/part%281%29.csv"],
    [
        "a+b&c;d,e:f@g$h!i*j'k~",
        "a%2Bb%26c%3Bd%2Ce%3Af%40g%24h%21i%2Aj%27k%7E",
    ],
    ["with%20space/100%25", "with%20space/%31%30%30%25"],
    ["%C3%A9t%C3%A9/%E2%82%AC", "%c3%a9t%c3%a9/%e2%82%ac"],
];

struct Bucket<'a> {
    world: &'a World,
    url: String,
}

impl Bucket<'_> {
    /// What the service answers: the status, and its body as text.
    async fn ask(&self, method: &str, rest: &str, more: Value) -> (u64, String) {
        let mut input = json!({ "method": method, "url": format!("{}{rest}", self.url),
                                "expect_status": "any" });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let execution = self.world.run("http", "request", input).await;
        assert_eq!(execution["outcome"], "done", "{execution}");
        let output = &execution["output"];
        let status = output["status"].as_u64().unwrap();
        let text = output["body"]["text"].as_str().unwrap_or_default();
        (status, text.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_checks_signatures_takes_those_of_every_name_of_an_object() {
    let Some(s3) = SeaweedFs::start().await else {
        return;
    };
    let world = World::start().await;
    let origin = s3.url();
    let key = private(&world.dir().join("key"), s3.secret_access_key());
    let other = private(&world.dir().join("other"), "not-the-key-of-this-service");
    let id = s3.access_key_id();
    let mut text = String::new();
    for (bucket, from, more) in [
        (SIGNED, &key, ""),
        (UNSIGNED, &key, ", unsigned-payload = true"),
        (STRANGE, &other, ""),
    ] {
        text += &format!(
            "[[secret]]\nname = '{bucket}'\nfrom = 'file:{from}'\n\
             to = [{{ origin = '{origin}', path = '/{bucket}' }}]\n\
             as = {{ aws-sigv4 = {{ region = 'us-east-1', service = 's3', access-key-id = '{id}'{more} }} }}\n"
        );
    }
    text += &format!(
        "[[grant]]\nplugins = ['http']\nhttp = [{{ origin = '{origin}' }}]\nnetworks = ['127.0.0.1/32']\n\
         secrets = [{{ name = '{SIGNED}' }}, {{ name = '{UNSIGNED}' }}, {{ name = '{STRANGE}' }}]\n"
    );
    let _runner = world.runner("runner", &world.policy("policy", &text)).await;
    let bucket = |name: &str| Bucket {
        world: &world,
        url: format!("{origin}/{name}"),
    };

    for name in [SIGNED, UNSIGNED] {
        let bucket = bucket(name);
        assert_eq!(bucket.ask("PUT", "", json!({})).await.0, 200, "{name}");
        for [written, read] in OBJECTS {
            let body = format!("{name} {written}");
            let put = json!({ "body": { "text": body },
                              "headers": { "x-amz-meta-note": "two  spaces, and more " } });
            let (status, answer) = bucket.ask("PUT", &format!("/{written}"), put).await;
            assert_eq!(status, 200, "{name} {written}: {answer}");
            for spelling in [written, read] {
                let got = bucket.ask("GET", &format!("/{spelling}"), json!({})).await;
                assert_eq!(got, (200, body.clone()), "{name} {spelling}");
            }
        }
        let (status, listed) = bucket
            .ask(
                "GET",
                "?list-type=2&prefix=dt%3D2024%2F&delimiter=%2F&max-keys=7",
                json!({}),
            )
            .await;
        assert_eq!(status, 200, "{name}: {listed}");
        assert!(
            listed.contains("<Key>dt=2024/part(1).csv</Key>"),
            "{listed}"
        );
        let query = json!({ "query": { "list-type": "2", "prefix": "a+b&c", "max-keys": 7 } });
        let (status, listed) = bucket.ask("GET", "", query).await;
        assert_eq!(status, 200, "{name}: {listed}");
        assert!(listed.contains("<KeyCount>1</KeyCount>"), "{listed}");
        let [written, _] = OBJECTS[0];
        let (status, _) = bucket
            .ask("DELETE", &format!("/{written}"), json!({}))
            .await;
        assert_eq!(status, 204, "{name}");
    }

    let (status, refused) = bucket(STRANGE).ask("PUT", "", json!({})).await;
    assert_eq!(status, 403, "{refused}");
    assert!(refused.contains("SignatureDoesNotMatch"), "{refused}");
}
