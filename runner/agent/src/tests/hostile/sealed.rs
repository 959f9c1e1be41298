//! A controller that gives out what it should not for a sealed secret: an old value, which the operator
//! signed once, and everything that nobody put there.

use std::time::{Duration, SystemTime};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use wharf_bundle::{SigningKey, sign};
use wharf_engine::{Engine, EngineConfig};
use wharf_policy::Digest;
use wharf_protocol::{Payload, Verdict};
use wharf_stores::{Label, PutAt, RunnerKey, SecretValue, seal};

use super::super::key;
use super::super::real::{House, failed_with, work};
use super::{audited, says_so};
use crate::identity::key_of;

/// A server that takes this value and nothing else.
async fn server(value: &'static str) -> u16 {
    let answer = move |headers: HeaderMap| async move {
        match headers.get("authorization") {
            Some(credential) if *credential == *format!("Bearer {value}") => StatusCode::OK,
            _ => StatusCode::UNAUTHORIZED,
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    port
}

/// What the plugin imports must be granted before it runs at all: hence the decoy.
fn policy(port: u16) -> String {
    let origin = format!("http://127.0.0.1:{port}");
    format!(
        "[[trust]]\nplugins = ['hostile']\nkeys = ['trusted.pub']\n\
         [store.shared]\nkind = 'controller'\nkeys = ['trusted.pub']\ncache = '0s'\n\
         [[secret]]\nname = 'api'\nfrom = 'shared:team/api'\nto = [{{ origin = '{origin}' }}]\n\
         [[secret]]\nname = 'decoy'\nfrom = 'file:decoy.secret'\n\
         [[grant]]\nplugins = ['hostile']\nactions = ['fetch']\nhttp = [{{ origin = '{origin}' }}]\n\
         networks = ['127.0.0.1/32']\n\
         secrets = [{{ name = 'api' }}, {{ name = 'decoy', rungs = ['operate'] }}]\n"
    )
}

/// A secret that was put: where, when, to which runner and by whom.
struct Put<'a> {
    place: (&'static str, &'static str),
    millis: u64,
    runner: RunnerKey,
    signer: &'a SigningKey,
}

impl<'a> Put<'a> {
    /// Put by the operator, for the runner of this house, as the policy asks for it.
    fn by_operator(house: &'a House, millis: u64) -> Self {
        Self {
            place: ("here", "team/api"),
            millis,
            runner: RunnerKey::of(&key_of(&house.state).unwrap()),
            signer: &house.trusted,
        }
    }

    /// What a controller keeps of it.
    fn kept(&self, value: &str) -> serde_json::Value {
        kept(&self.sealed(value), self.signer)
    }

    fn sealed(&self, value: &str) -> Vec<u8> {
        let label = Label {
            group: self.place.0.to_owned(),
            name: self.place.1.parse().unwrap(),
        };
        let value = SecretValue::new(value.as_bytes().to_vec());
        let put = PutAt::from_millis(self.millis);
        seal(&label, put, &value, &[self.runner]).unwrap()
    }
}

fn kept(sealed: &[u8], signer: &SigningKey) -> serde_json::Value {
    use base64::Engine as _;
    let signature = sign(sealed, signer).unwrap();
    let signature: serde_json::Value = serde_json::from_slice(&signature).unwrap();
    let sealed = base64::engine::general_purpose::STANDARD.encode(sealed);
    serde_json::json!({ "sealed": sealed, "signature": signature })
}

/// A secret that the operator put at that moment: what a controller keeps of it.
fn put(house: &House, millis: u64, value: &str) -> serde_json::Value {
    Put::by_operator(house, millis).kept(value)
}

/// A moment that is so far ahead that nothing could be put after it.
fn in_two_days() -> u64 {
    let moment = SystemTime::now() + Duration::from_secs(2 * 24 * 60 * 60);
    let millis = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(millis.as_millis()).unwrap()
}

/// Has the controller give this out, and a plugin use it.
async fn used(
    house: &mut House,
    (plugin, port): (Digest, u16),
    given: &serde_json::Value,
    n: u128,
) -> Verdict {
    let sealed = given.to_string().into_bytes();
    house.fake.shelf.lock().unwrap().sealed = Some(sealed);
    let mut ask = work(key(n), "hostile", plugin);
    ask.action = "fetch".parse().unwrap();
    ask.input = Payload::Inline(format!("{{\"url\": \"http://127.0.0.1:{port}/\"}}"));
    house.run(ask).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_sealed_value_is_not_used_once_a_newer_one_was_also_after_a_restart() {
    let port = server("value-the-second").await;
    let engine = Engine::new(EngineConfig::for_one_run()).unwrap();
    let hostile = wharf_test_support::packed(&engine, "hostile").await;
    let mut house = House::with_policy(&policy(port), &[("decoy.secret", "decoy-decoy")]).await;
    let asked = (house.publish_signed(&hostile), port);
    let old = put(&house, 1_000, "value-the-first");
    let new = put(&house, 2_000, "value-the-second");

    let verdict = used(&mut house, asked, &new, 1).await;
    assert!(matches!(verdict, Verdict::Done { .. }), "{verdict:?}");
    for (n, restarted) in [(2, false), (3, true)] {
        if restarted {
            house = house.restart().await;
        }
        let verdict = used(&mut house, asked, &old, n).await;
        assert!(failed_with(&verdict, "secret-unavailable"), "{verdict:?}");
        let Verdict::Failed(failure) = &verdict else {
            unreachable!()
        };
        // The secret, the store, when each was put, and what to do.
        for says in ["`api`", "`shared`", "00:00:01Z", "00:00:02Z", "secret put"] {
            assert!(failure.message.contains(says), "{says}: {failure:?}");
        }
        let refused = audited(&house.state);
        let times = refused
            .iter()
            .filter(|record| record.event == "sealed-secret-refused")
            .count();
        assert_eq!(times, usize::try_from(n).unwrap() - 1);
        assert!(says_so(&refused, "sealed-secret-refused", "team/api"));
    }

    // What was put in a future that keeps out everything else is not used, and not remembered.
    let given = put(&house, in_two_days(), "value-the-second");
    let verdict = used(&mut house, asked, &given, 7).await;
    assert!(failed_with(&verdict, "secret-unavailable"), "{verdict:?}");
    assert!(format!("{verdict:?}").contains("set the clock"));

    // What is given out again is used again, and so is what is put later.
    for (n, millis) in [(4, 2_000), (5, 3_000)] {
        let given = put(&house, millis, "value-the-second");
        let verdict = used(&mut house, asked, &given, n).await;
        assert!(matches!(verdict, Verdict::Done { .. }), "{verdict:?}");
    }
    let verdict = used(&mut house, asked, &new, 6).await;
    assert!(failed_with(&verdict, "secret-unavailable"), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_controller_gives_out_in_the_place_of_a_sealed_secret_leaves_a_line_that_says_why()
 {
    let port = server("value-the-good-one").await;
    let engine = Engine::new(EngineConfig::for_one_run()).unwrap();
    let hostile = wharf_test_support::packed(&engine, "hostile").await;
    let mut house = House::with_policy(&policy(port), &[("decoy.secret", "decoy-decoy")]).await;
    let asked = (house.publish_signed(&hostile), port);
    let (stranger, others) = (
        SigningKey::generate().unwrap(),
        RunnerKey::of(&ed25519_dalek::SigningKey::from_bytes(&[7; 32])),
    );
    let good = || Put::by_operator(&house, 1_000);
    let value = "value-the-good-one";
    let mut swapped = good().kept(value);
    swapped["signature"] = good().kept("value-of-another-time")["signature"].take();
    let changed = String::from_utf8(good().sealed(value)).unwrap();
    let changed = changed.replace("\"put_ms\":1000", "\"put_ms\":2000");
    let given = [
        (
            Put {
                signer: &stranger,
                ..good()
            }
            .kept(value),
            "signed by nobody who may put secrets there",
        ),
        (swapped, "changed after it was signed"),
        (
            Put {
                place: ("here", "team/other"),
                ..good()
            }
            .kept(value),
            "was sealed for `team/other`",
        ),
        (
            Put {
                place: ("elsewhere", "team/api"),
                ..good()
            }
            .kept(value),
            "of group `elsewhere`",
        ),
        (
            Put {
                runner: others,
                ..good()
            }
            .kept(value),
            "is not sealed to this runner",
        ),
        (
            Put {
                millis: in_two_days(),
                ..good()
            }
            .kept(value),
            "more than a day from now",
        ),
        (
            kept(changed.as_bytes(), &house.trusted),
            "changed after it was sealed",
        ),
        (kept(b"hunter2", &house.trusted), "is not a sealed secret"),
        (serde_json::json!({ "sealed": "" }), "its answer is not one"),
        // Which is not repeated.
        (
            serde_json::json!({ "sealed": { value: 1 }, "signature": value }),
            "its answer is not one",
        ),
        (
            serde_json::json!({ "sealed": 47_114_711, "signature": 1 }),
            "its answer is not one",
        ),
    ];
    let good = good().kept(value);
    for (before, (given, says)) in given.into_iter().enumerate() {
        let verdict = used(&mut house, asked, &given, before as u128 + 1).await;
        assert!(failed_with(&verdict, "secret-unavailable"), "{verdict:?}");
        let mut refused = audited(&house.state);
        refused.retain(|record| record.event == "sealed-secret-refused");
        let new = refused.split_off(before);
        assert_eq!(new.len(), 1, "{says}: {new:?}");
        assert_eq!(new[0].members["sealed"], "team/api");
        let why = new[0].members["why"].as_str().unwrap();
        assert!(why.contains(says), "{says}: {why}");
        let told = format!("{new:?} {verdict:?}");
        assert!(
            !told.contains(value) && !told.contains("47114711"),
            "{told}"
        );
    }
    // None of it is in the way of what the operator put.
    let verdict = used(&mut house, asked, &good, 100).await;
    assert!(matches!(verdict, Verdict::Done { .. }), "{verdict:?}");
}
