//! The API as a caller meets it: a real server, a real socket for the runner.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use support::{House, bundle, done, parts};
use wharf_bundle::SigningKey;
use wharf_protocol::{ActionFailure, FailureKind, Payload, ToController, ToRunner, Verdict};

#[tokio::test]
async fn health_and_the_document_need_no_token_and_everything_else_does() {
    let house = House::furnished().await;
    let open = |path: &str| house.http.get(house.url(path)).send();
    assert_eq!(open("/healthz").await.unwrap().status(), 200);
    let document: Value = open("/openapi.json").await.unwrap().json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "01JD8Z6J3KX9V4T0M5N7P2Q1RS").replace(
            "{digest}",
            "sha256:0000000000000000000000000000000000000000000000000000000000000000",
        );
        for verb in item.as_object().unwrap().keys() {
            if path == "/healthz" || path == "/openapi.json" || path.starts_with("/v1/runner/") {
                continue;
            }
            let method: Method = verb.to_uppercase().parse().unwrap();
            let response = house
                .http
                .request(method, house.url(&path))
                .body("{}")
                .send()
                .await;
            let (status, answer) = parts(response.unwrap()).await;
            // Enrolment has its token in the body, and this body has none.
            let expected = if path == "/v1/runners/enrol" {
                400
            } else {
                401
            };
            assert_eq!(status, expected, "{verb} {path}: {answer}");
            assert!(answer["error"]["message"].is_string());
        }
    }
}

#[tokio::test]
async fn each_role_may_do_its_part_and_no_more() {
    let house = House::furnished().await;
    let reader = house.token(json!({"kind": "api", "role": "reader"})).await;
    let operator = house
        .token(json!({"kind": "api", "role": "operator", "ttl_s": 60}))
        .await;
    let enrolment = house
        .token(json!({"kind": "enrolment", "group": "edge"}))
        .await;
    let submit =
        json!({"group": "edge", "plugin": "shop/orders", "action": "find", "input": {"id": 1}});
    for (token, method, path, body, expected) in [
        (&reader, Method::GET, "/v1/executions", json!({}), 200),
        (&reader, Method::POST, "/v1/executions", submit.clone(), 403),
        (&operator, Method::POST, "/v1/executions", submit, 201),
        (
            &operator,
            Method::POST,
            "/v1/groups",
            json!({"name": "x"}),
            403,
        ),
        (&enrolment, Method::GET, "/v1/executions", json!({}), 403),
    ] {
        let response = house
            .call(method.clone(), path, token, body.to_string().into_bytes())
            .await;
        let (status, answer) = parts(response).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
    }
    let (status, _) = house
        .post("/v1/tokens/revoke", json!({"token": reader}))
        .await;
    assert_eq!(status, 204);
    let response = house
        .call(Method::GET, "/v1/executions", &reader, Vec::new())
        .await;
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn what_is_wrong_with_a_submission_is_said() {
    let house = House::furnished().await;
    let good =
        json!({"group": "edge", "plugin": "shop/orders", "action": "find", "input": {"id": 1}});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, status, code) in [
        (with("group", json!("none")), 404, "no-such-group"),
        (with("plugin", json!("shop/none")), 404, "no-such-plugin"),
        (
            with("plugin", json!("shop/orders@9.0.0")),
            404,
            "no-such-plugin",
        ),
        (with("plugin", json!("SHOP")), 400, "bad-plugin"),
        (with("action", json!("fly")), 404, "no-such-action"),
        (with("input", json!({"id": "one"})), 400, "invalid-input"),
        (with("surprise", json!(1)), 400, "bad-body"),
        (with("idempotency_key", json!("")), 400, "bad-key"),
    ] {
        let (found, answer) = house.post("/v1/executions", body).await;
        assert_eq!(
            (found, &answer["error"]["code"]),
            (status, &json!(code)),
            "{answer}"
        );
    }
    let (_, answer) = house
        .post("/v1/executions", with("input", json!({"id": "one"})))
        .await;
    assert_eq!(answer["error"]["fields"][0]["path"], "/id");
    let token = house.running.admin_token();
    let broken = house
        .call(
            Method::POST,
            "/v1/executions",
            token,
            b"{\"group\":".to_vec(),
        )
        .await;
    assert_eq!(broken.status(), 400);
    let huge = format!(
        "{{\"group\":\"edge\",\"plugin\":\"{}\"}}",
        "x".repeat(5 << 20)
    );
    let huge = house
        .call(Method::POST, "/v1/executions", token, huge.into_bytes())
        .await;
    assert_eq!(huge.status(), 413);
}

#[tokio::test]
async fn a_key_makes_a_submission_safe_to_repeat() {
    let house = House::furnished().await;
    let body = |id: u32| json!({"group": "edge", "plugin": "shop/orders", "action": "find", "input": {"id": id}, "idempotency_key": "k"});
    let (first, one) = house.post("/v1/executions", body(1)).await;
    let (again, same) = house.post("/v1/executions", body(1)).await;
    assert_eq!((first, again), (201, 200));
    assert_eq!(one["id"], same["id"]);
    assert_eq!(house.post("/v1/executions", body(2)).await.0, 409);
    // With a wait that is too short, and after it is over, too.
    let (status, same) = house.post("/v1/executions?wait_ms=20", body(1)).await;
    assert_eq!((status, &same["id"]), (200, &one["id"]));
    let path = format!("/v1/executions/{}/cancel", one["id"].as_str().unwrap());
    house.post(&path, json!({})).await;
    let (status, same) = house.post("/v1/executions?wait_ms=1000", body(1)).await;
    assert_eq!((status, &same["outcome"]), (200, &json!("cancelled")));
}

#[tokio::test]
async fn an_action_goes_to_a_runner_and_its_result_comes_back() {
    let house = House::furnished().await;
    let mut runner = house.runner(1).await;
    let body = json!({
        "group": "edge", "plugin": "shop/orders", "action": "find", "input": {"id": 1},
        "rights": {"limits": {"deadline": "5s"}},
    });
    let waiting = house.post("/v1/executions?wait_ms=20000", body);
    let serving = async {
        let assignment = runner.assignment().await;
        assert_eq!(assignment.input, Payload::Inline("{\"id\":1}".to_owned()));
        assert!(assignment.rights.limits.deadline.is_some());
        runner
            .finish(assignment.key, done("{\"big\": 12345678901234567890123}"))
            .await;
        assert!(matches!(runner.next().await, ToRunner::ResultAck { .. }));
    };
    let ((status, found), ()) = tokio::join!(waiting, serving);
    assert_eq!(status, 201);
    assert_eq!(
        (&found["state"], &found["outcome"]),
        (&json!("finished"), &json!("done"))
    );
    assert_eq!(
        (&found["ran_ms"], &found["prepare_ms"]),
        (&json!(2.5), &json!(1.0))
    );
    assert!(found["queued_ms"].is_number() && found["error"].is_null());
    let (_, later) = house
        .get(&format!("/v1/executions/{}", found["id"].as_str().unwrap()))
        .await;
    assert_eq!(later, found);
    let (_, list) = house
        .get("/v1/executions?state=finished&group=edge&plugin=shop/orders")
        .await;
    assert_eq!(list["executions"][0]["id"], found["id"]);
    let (_, runners) = house.get("/v1/runners?group=edge").await;
    assert_eq!(runners["runners"][0]["state"], "online");
}

#[tokio::test]
async fn a_failure_is_told_in_the_actions_own_words() {
    let house = House::furnished().await;
    let mut runner = house.runner(2).await;
    let id = house.submit("pay", json!({"id": 1})).await["id"].clone();
    let failure = Verdict::Failed(ActionFailure {
        kind: FailureKind::Unavailable,
        code: "busy".to_owned(),
        message: "the bank sleeps".to_owned(),
        details: Some("{\"until\": 8}".to_owned()),
        fields: Vec::new(),
        retry_after_ms: Some(50),
    });
    let key = runner.assignment().await.key;
    runner.finish(key, failure).await;
    let (_, found) = house
        .get(&format!(
            "/v1/executions/{}?wait_ms=20000",
            id.as_str().unwrap()
        ))
        .await;
    let expected = json!({"kind": "unavailable", "code": "busy", "message": "the bank sleeps", "details": {"until": 8}, "retry_after_ms": 50});
    assert_eq!(
        (&found["outcome"], &found["error"]),
        (&json!("failed"), &expected)
    );
    // What is not JSON is no output.
    let id = house.submit("pay", json!({"id": 1})).await["id"].clone();
    let key = runner.assignment().await.key;
    runner.finish(key, done("{oops")).await;
    let (_, found) = house
        .get(&format!(
            "/v1/executions/{}?wait_ms=20000",
            id.as_str().unwrap()
        ))
        .await;
    assert_eq!(found["error"]["code"], "bad-output");
}

#[tokio::test]
async fn what_waits_says_why_and_can_be_cancelled() {
    let house = House::furnished().await;
    let waiting = house.submit("find", json!({"id": 1})).await;
    assert_eq!(waiting["reason"], "no runner of group edge is connected");
    let path = format!("/v1/executions/{}", waiting["id"].as_str().unwrap());
    let (_, found) = house
        .post(&format!("{path}/cancel"), json!({"reason": "enough"}))
        .await;
    assert_eq!(
        (&found["outcome"], &found["error"]["message"]),
        (&json!("cancelled"), &json!("enough"))
    );
    let mut runner = house.runner(1).await;
    let id = house.submit("find", json!({"id": 1})).await["id"].clone();
    let path = format!("/v1/executions/{}", id.as_str().unwrap());
    let key = runner.assignment().await.key;
    let (_, found) = house
        .post(&format!("{path}/cancel"), json!({"grace_ms": 5}))
        .await;
    assert_eq!(found["state"], "running");
    assert!(matches!(
        runner.next().await,
        ToRunner::Cancel { grace_ms: 5, .. }
    ));
    runner
        .finish(
            key,
            Verdict::Cancelled {
                reason: "r".to_owned(),
            },
        )
        .await;
    let (_, found) = house.get(&format!("{path}?wait_ms=20000")).await;
    assert_eq!(found["outcome"], "cancelled");
}

#[tokio::test]
async fn large_documents_travel_by_reference() {
    let house = House::furnished().await;
    let mut runner = house.runner(1).await;
    let text = "x".repeat(300 << 10);
    let id = house.submit("find", json!({"id": 1, "text": text})).await["id"].clone();
    let assignment = runner.assignment().await;
    let Payload::Stored { digest, size } = assignment.input else {
        panic!("{size} bytes came in a frame", size = text.len());
    };
    let path = format!("/v1/payloads/{digest}");
    let fetched = house
        .call(Method::GET, &path, &runner.session, Vec::new())
        .await;
    assert_eq!(fetched.bytes().await.unwrap().len() as u64, size);
    let output = json!([text]).to_string();
    let digest = wharf_bundle::digest(output.as_bytes());
    let path = format!("/v1/payloads/{digest}");
    let wrong = house
        .call(Method::PUT, &path, &runner.session, b"[]".to_vec())
        .await;
    assert_eq!(wrong.status(), 400);
    let stored = house
        .call(
            Method::PUT,
            &path,
            &runner.session,
            output.clone().into_bytes(),
        )
        .await;
    assert_eq!(stored.status(), 204);
    let size = output.len() as u64;
    let verdict = Verdict::Done {
        output: Payload::Stored { digest, size },
    };
    runner.finish(assignment.key, verdict).await;
    let (_, found) = house
        .get(&format!(
            "/v1/executions/{}?wait_ms=20000",
            id.as_str().unwrap()
        ))
        .await;
    assert_eq!(found["output"], json!([text]));
}

#[tokio::test]
async fn bundles_are_taken_only_if_they_are_what_they_say() {
    let house = House::furnished().await;
    let bytes = bundle("2.0.0");
    let digest = wharf_bundle::digest(&bytes);
    let path = format!("/v1/bundles/{digest}");
    let (status, answer) = house.put(&path, b"something else").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("wrong-digest"))
    );
    let junk = b"\0asm\x01\0\0\0";
    let (status, answer) = house
        .put(&format!("/v1/bundles/{}", wharf_bundle::digest(junk)), junk)
        .await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("bad-bundle"))
    );
    assert_eq!(house.put(&path, &bytes).await.0, 201);
    assert_eq!(house.put(&path, &bytes).await.0, 200);
    let (status, answer) = house.put(&path, b"something else").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("wrong-digest"))
    );
    // Its file is lost, or damaged: publishing it again brings it back.
    let file = house.data.path().join("controller/blobs/bundles");
    let file = file.join(digest.to_hex());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(house.put(&path, &bytes).await.0, 200);
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    std::fs::write(&file, b"damaged").unwrap();
    assert_eq!(house.put(&path, &bytes).await.0, 200);
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    let (_, plugins) = house.get("/v1/plugins").await;
    assert_eq!(plugins["plugins"].as_array().unwrap().len(), 2);
    // A runner fetches it with its session.
    let runner = house.runner(0).await;
    let fetched = house
        .call(Method::GET, &path, &runner.session, Vec::new())
        .await;
    assert_eq!(fetched.bytes().await.unwrap(), bytes);
    let submitted = house.submit("find", json!({"id": 1})).await;
    assert_eq!(submitted["version"], "2.0.0");
    assert_eq!(submitted["digest"], digest.to_string());
    drop(runner);
}

#[tokio::test]
async fn signatures_are_taken_if_runners_would_read_them_and_they_are_of_the_bundle() {
    let house = House::furnished().await;
    let bytes = bundle("2.0.0");
    let digest = house.publish(&bytes).await;
    let path = format!("/v1/bundles/{digest}/signature");
    let by = |bytes: &[u8]| wharf_bundle::sign(bytes, &SigningKey::generate().unwrap()).unwrap();
    let (one, two) = (by(&bytes), by(&bytes));
    assert_eq!(house.get(&path).await.0, 404);
    let unknown = wharf_bundle::digest(b"no bundle");
    let nowhere = format!("/v1/bundles/{unknown}/signature");
    assert_eq!(house.put(&nowhere, &by(b"no bundle")).await.0, 404);

    let one_too_many = one.repeat(17);
    let refused: [(&[u8], &str); 7] = [
        (b"", "bad-signature"),
        (b"not json", "bad-signature"),
        (b"{}", "bad-signature"),
        (b"{\"mediaType\": \"x\"}", "bad-signature"),
        (&one_too_many, "bad-signature"),
        (&[one.as_slice(), &by(b"else")].concat(), "bad-signature"),
        (&by(b"something else"), "wrong-digest"),
    ];
    for (body, code) in refused {
        let (status, answer) = house.put(&path, body).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(100)]);
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(code)),
            "{shown}"
        );
    }
    assert_eq!(house.put(&path, &vec![b' '; (1 << 20) + 1]).await.0, 413);
    assert_eq!(house.get(&path).await.0, 404, "nothing of that is kept");

    // One, and then two in its place; a runner gets them as they were published.
    let runner = house.runner(0).await;
    let lines = [one.as_slice(), b"\n", &two, b"\n"].concat();
    for signature in [&one, &lines] {
        assert_eq!(house.put(&path, signature).await.0, 204);
        let fetched = house.call(Method::GET, &path, &runner.session, Vec::new());
        assert_eq!(fetched.await.bytes().await.unwrap(), signature);
    }
    drop(runner);
}

#[tokio::test]
async fn attestations_are_taken_if_runners_would_read_them_and_they_are_of_the_bundle() {
    let house = House::furnished().await;
    let bytes = bundle("2.0.0");
    let digest = house.publish(&bytes).await;
    let path = format!("/v1/bundles/{digest}/attestations");
    let key = SigningKey::generate().unwrap();
    let of = |digest| {
        let kind = "https://slsa.dev/provenance/v1";
        wharf_bundle::attest(digest, kind, &json!({ "buildDefinition": {} }), &key).unwrap()
    };
    let one = of(digest);
    assert_eq!(house.get(&path).await.0, 404);
    let unknown = wharf_bundle::digest(b"no bundle");
    let nowhere = format!("/v1/bundles/{unknown}/attestations");
    assert_eq!(house.put(&nowhere, &of(unknown)).await.0, 404);

    let one_too_many = one.repeat(17);
    let signature = wharf_bundle::sign(&bytes, &key).unwrap();
    let refused: [(&[u8], &str); 6] = [
        (b"", "bad-attestations"),
        (b"{}", "bad-attestations"),
        (&signature, "bad-attestations"),
        (&one_too_many, "bad-attestations"),
        (&of(unknown), "wrong-digest"),
        (&[one.as_slice(), &of(unknown)].concat(), "wrong-digest"),
    ];
    for (body, code) in refused {
        let (status, answer) = house.put(&path, body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(code)));
    }
    assert_eq!(house.put(&path, &vec![b' '; (1 << 20) + 1]).await.0, 413);
    assert_eq!(house.get(&path).await.0, 404, "nothing of that is kept");

    let attested = async || {
        let (_, plugins) = house.get("/v1/plugins").await;
        let plugins = plugins["plugins"].as_array().unwrap().clone();
        let plugin = plugins.iter().find(|p| p["version"] == "2.0.0");
        plugin.unwrap()["attested"].clone()
    };
    assert_eq!(attested().await, false);
    // One, and then two in its place; a runner gets them as they were published.
    let runner = house.runner(0).await;
    let lines = [one.as_slice(), b"\n", &of(digest), b"\n"].concat();
    for published in [&one, &lines] {
        assert_eq!(house.put(&path, published).await.0, 204);
        let fetched = house.call(Method::GET, &path, &runner.session, Vec::new());
        assert_eq!(fetched.await.bytes().await.unwrap(), published);
    }
    assert_eq!(attested().await, true);
    drop(runner);
}

#[tokio::test]
async fn a_session_ends_with_its_connection() {
    let house = House::furnished().await;
    let mut runner = house.runner(0).await;
    let path = format!("/v1/bundles/{}", wharf_bundle::digest(&bundle("1.0.0")));
    let fetch = || house.call(Method::GET, &path, &runner.session, Vec::new());
    assert_eq!(fetch().await.status(), 200);
    let session = runner.session.clone();
    runner.send(&[ToController::Draining]).await;
    drop(runner);
    // The controller notes the end when it reads it.
    while house
        .call(Method::GET, &path, &session, Vec::new())
        .await
        .status()
        != 401
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn of_those_who_replace_the_same_sealed_secret_one_does_and_the_others_are_told() {
    let house = House::furnished().await;
    let path = "/v1/groups/edge/secrets/team%2Fapi";
    let body = |value: &str| {
        let sealed = STANDARD.encode(value);
        json!({ "sealed": sealed, "signature": {} }).to_string()
    };
    let digest = |value: &str| wharf_bundle::digest(value.as_bytes()).to_string();
    let put = async |value: &str, replaces: &str| {
        let path = format!("{path}?replaces={replaces}");
        let (status, answer) = house.put(&path, body(value).as_bytes()).await;
        (status, answer["error"]["code"].clone())
    };
    let refused = (409, json!("another-is-kept"));
    assert_eq!(put("first", &digest("first")).await, refused);
    for replaces in ["none".to_owned(), digest("first")] {
        if replaces != "none" {
            let (status, _) = house.put(path, body("first").as_bytes()).await;
            assert_eq!(status, 204);
        }
        let values: Vec<_> = (0..8).map(|n| format!("{replaces} {n}")).collect();
        let answers = join_all(values.iter().map(|value| put(value, &replaces))).await;
        let (kept, others): (Vec<_>, Vec<_>) = values
            .iter()
            .zip(answers)
            .partition(|(_, (status, _))| *status == 204);
        assert_eq!((kept.len(), others.len()), (1, 7));
        assert!(others.iter().all(|(_, answer)| *answer == refused));
        let (_, there) = house.get(path).await;
        assert_eq!(there["sealed"], STANDARD.encode(kept[0].0));
    }
    assert_eq!(put("other", "nonsense").await.0, 400);
    let (_, there) = house.get(path).await;
    let there = STANDARD.decode(there["sealed"].as_str().unwrap()).unwrap();
    // Who asks again, because no answer came, has done it.
    let again = put(std::str::from_utf8(&there).unwrap(), "none").await;
    assert_eq!(again.0, 204);
    // Whoever does not say what it was replaces whatever it is.
    assert_eq!(house.put(path, body("last").as_bytes()).await.0, 204);
    assert_eq!(put("more", "none").await, refused);
}
