//! Work that the runner's own policy does not allow: plugins, signatures, digests, names, actions,
//! rights, secrets, inputs. Against the real way of an attempt.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use tokio::net::TcpListener;
use wharf_bundle::{SigningKey, sign};
use wharf_engine::{Engine, EngineConfig};
use wharf_policy::{ByteSize, CallRights, Digest, LimitRequest};
use wharf_protocol::{Assignment, Payload, Verdict};

use super::super::key;
use super::super::real::{FAILS, GREEDY, House, bundle, work};
use super::{audited, says_so, until_audited};

const GRANTED: &str = "canary-granted-5d1f";
const OTHER: &str = "canary-other-88c2";

/// The path of a request, and its `authorization`.
type Got = (String, Option<String>);

/// A server within reach that keeps what it got: path and `authorization`.
#[derive(Clone, Default)]
struct Target(Arc<Mutex<Vec<Got>>>);

impl Target {
    async fn start() -> (Self, u16) {
        let target = Self::default();
        let app = Router::new().fallback(got).with_state(target.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (target, port)
    }

    fn got(&self) -> Vec<Got> {
        self.0.lock().unwrap().clone()
    }
}

async fn got(State(target): State<Target>, uri: Uri, headers: HeaderMap) -> &'static str {
    let credential = headers
        .get("authorization")
        .map(|v| v.to_str().unwrap().to_owned());
    target
        .0
        .lock()
        .unwrap()
        .push((uri.path().to_owned(), credential));
    "ok"
}

fn policy(port: u16) -> String {
    let origin = format!("http://127.0.0.1:{port}");
    format!(
        "[[trust]]\nplugins = ['hostile', 'humble', 'powerful']\nkeys = ['trusted.pub']\n\
         [[secret]]\nname = 'granted'\nfrom = 'file:granted.secret'\nto = [{{ origin = '{origin}', path = '/ok' }}]\n\
         [[secret]]\nname = 'other'\nfrom = 'file:other.secret'\nto = [{{ origin = '{origin}' }}]\n\
         [[grant]]\nplugins = ['hostile']\nactions = ['fetch', 'echo']\n\
         http = [{{ origin = '{origin}', path = '/ok' }}]\nnetworks = ['127.0.0.1/32']\n\
         secrets = [{{ name = 'granted', rungs = ['inject', 'operate'] }}]\n\
         [[grant]]\nplugins = ['powerful']\nhttp = [{{ origin = '{origin}' }}]\n\
         secrets = [{{ name = 'other' }}]\nlimits = {{ memory = '128MiB' }}\n\
         [[grant]]\nplugins = ['*']\nlimits = {{ memory = '16MiB', input = '1KiB' }}\n"
    )
}

/// How a case ends, for the controller.
enum Ends {
    Refused,
    Failed(&'static str),
    Stopped(&'static str),
    Done,
}

/// One attack.
struct Case {
    name: &'static str,
    ask: Assignment,
    ends: Ends,
    /// The event in the record, and what it says.
    audited: (&'static str, &'static str),
}

/// What a case is made of.
struct Stage {
    house: House,
    port: u16,
    /// The plugin that does what it is told, signed and granted.
    hostile: Digest,
}

impl Stage {
    fn asking(&self, action: &str, input: &str) -> Assignment {
        let mut ask = work(key(0), "hostile", self.hostile);
        ask.action = action.parse().unwrap();
        ask.input = Payload::Inline(input.to_owned());
        ask
    }

    fn fetching(&self, url: &str) -> Assignment {
        self.asking("fetch", &format!("{{\"url\": \"{url}\"}}"))
    }

    fn local(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A document in the controller's store, and a reference to it that may lie.
    fn stored(&self, named: Digest, size: u64, bytes: &[u8]) -> Payload {
        let mut shelf = self.house.fake.shelf.lock().unwrap();
        shelf.payloads.insert(named, bytes.to_vec());
        Payload::Stored {
            digest: named,
            size,
        }
    }
}

fn widest() -> CallRights {
    let rule =
        |origin: &str| serde_json::from_value(serde_json::json!({ "origin": origin })).unwrap();
    CallRights {
        http: Some(vec![rule("http://*:*"), rule("https://*:*")]),
        secrets: Some(vec!["granted".parse().unwrap(), "other".parse().unwrap()]),
        limits: LimitRequest {
            memory: Some(ByteSize::mib(4096)),
            requests: Some(u32::MAX),
            ..LimitRequest::default()
        },
        ..CallRights::default()
    }
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn cases(stage: &Stage) -> Vec<Case> {
    let house = &stage.house;
    let trusted = &house.trusted;
    let mut all: Vec<Case> = Vec::new();
    let mut case = |name, ends, event, says, ask| {
        let audited = (event, says);
        all.push(Case {
            name,
            ask,
            ends,
            audited,
        });
    };
    // Components that differ in a byte of their description differ in their digest.
    let mut number = 0;
    let mut fresh = |name: &str| {
        number += 1;
        bundle(name, &format!("(global i32 (i32.const {number})) {FAILS}"))
    };
    let dispatch = "dispatch-refused";

    let digest = house.publish(&fresh("humble"), None);
    case(
        "a bundle that nobody signed",
        Ends::Refused,
        dispatch,
        "not signed",
        work(key(0), "humble", digest),
    );

    let bytes = fresh("humble");
    let stranger = sign(&bytes, &SigningKey::generate().unwrap()).unwrap();
    let digest = house.publish(&bytes, Some(stranger));
    case(
        "a bundle signed by a stranger",
        Ends::Refused,
        dispatch,
        "nobody who is trusted",
        work(key(0), "humble", digest),
    );

    let digest = house.publish(&fresh("humble"), Some(b"{}".to_vec()));
    case(
        "a signature that is none",
        Ends::Refused,
        dispatch,
        "not a Sigstore",
        work(key(0), "humble", digest),
    );

    let (one, two) = (fresh("humble"), fresh("humble"));
    let digest = house.publish(&one, Some(sign(&two, trusted).unwrap()));
    case(
        "the good signature of another good bundle",
        Ends::Refused,
        dispatch,
        "changed after it was signed",
        work(key(0), "humble", digest),
    );

    let bytes = fresh("humble");
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    let digest = house.publish(&changed, Some(sign(&bytes, trusted).unwrap()));
    case(
        "a bundle changed in one byte, under its true digest",
        Ends::Refused,
        dispatch,
        "changed after it was signed",
        work(key(0), "humble", digest),
    );

    let digest = house.publish_signed(&fresh("humble"));
    house
        .fake
        .shelf
        .lock()
        .unwrap()
        .bundles
        .insert(digest, changed);
    case(
        "other bytes than the digest says",
        Ends::Refused,
        dispatch,
        "other bytes",
        work(key(0), "humble", digest),
    );

    let nowhere = Digest::from_bytes([7; 32]);
    case(
        "a digest that is nowhere",
        Ends::Failed("bundle-unavailable"),
        dispatch,
        "has no bundle",
        work(key(0), "humble", nowhere),
    );

    let digest = house.publish_signed(&fresh("outsider"));
    case(
        "a plugin whose name nobody is trusted for",
        Ends::Refused,
        dispatch,
        "outsider",
        work(key(0), "outsider", digest),
    );

    let digest = house.publish_signed(&fresh("humble"));
    case(
        "a humble plugin under the name of a powerful one",
        Ends::Refused,
        dispatch,
        "`humble` by its signed manifest",
        work(key(0), "powerful", digest),
    );

    let mut ask = work(key(0), "humble", digest);
    ask.action = "stop".parse().unwrap();
    case(
        "an action that does not exist",
        Ends::Refused,
        dispatch,
        "no action `stop`",
        ask,
    );

    case(
        "an action that is granted nothing",
        Ends::Refused,
        dispatch,
        "which is not granted",
        stage.asking("metadata", "{}"),
    );

    let mut ask = stage.fetching(&stage.local("/elsewhere"));
    ask.rights = widest();
    case(
        "rights that widen the paths",
        Ends::Failed("denied"),
        "request-refused",
        "/elsewhere",
        ask,
    );

    let mut ask = stage.fetching("http://8.8.8.8/");
    ask.rights = widest();
    case(
        "rights that widen the hosts",
        Ends::Failed("denied"),
        "request-refused",
        "8.8.8.8",
        ask,
    );

    let mut ask = stage.fetching("http://169.254.169.254/latest/meta-data");
    ask.rights = widest();
    case(
        "rights that widen the networks",
        Ends::Failed("denied"),
        "request-refused",
        "169.254.169.254",
        ask,
    );

    let mut ask = stage.fetching(&stage.local("/ok/widened"));
    ask.rights = widest();
    case(
        "a secret that is bound there and not granted",
        Ends::Done,
        "request",
        "/ok/widened",
        ask,
    );

    let mut ask = stage.fetching(&stage.local("/ok/none"));
    ask.rights.secrets = Some(vec!["other".parse().unwrap()]);
    case(
        "only a secret that is not granted",
        Ends::Refused,
        dispatch,
        "which is not granted",
        ask,
    );

    let digest = house.publish_signed(&bundle("humble", GREEDY));
    let mut ask = work(key(0), "humble", digest);
    ask.rights = widest();
    case(
        "limits that are widened",
        Ends::Stopped("memory"),
        "limit-reached",
        "memory",
        ask,
    );

    let named = wharf_bundle::digest(b"{}");
    let mut ask = stage.asking("echo", "");
    ask.input = stage.stored(named, 2, b"{\"admin\": true}");
    case(
        "another input than its digest says",
        Ends::Failed("input-unavailable"),
        dispatch,
        "other bytes",
        ask,
    );

    let mut ask = stage.asking("echo", "");
    ask.input = Payload::Stored {
        digest: nowhere,
        size: 2,
    };
    case(
        "an input that is nowhere",
        Ends::Failed("input-unavailable"),
        dispatch,
        "has no payload",
        ask,
    );

    let mut ask = stage.asking("echo", "");
    ask.input = Payload::Stored {
        digest: nowhere,
        size: u64::MAX,
    };
    case(
        "an input of sixteen exabytes",
        Ends::Stopped("input"),
        dispatch,
        "larger than 1KiB",
        ask,
    );

    let large = vec![b' '; 5_000];
    let mut ask = stage.asking("echo", "");
    ask.input = stage.stored(wharf_bundle::digest(&large), 2, &large);
    case(
        "an input that is larger than it says",
        Ends::Stopped("input"),
        dispatch,
        "larger than 1KiB",
        ask,
    );

    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    case(
        "an input that is deep",
        Ends::Failed("invalid-input"),
        "input-refused",
        "input-refused",
        stage.asking("echo", &deep),
    );
    case(
        "an input that is no JSON",
        Ends::Failed("invalid-input"),
        "input-refused",
        "input-refused",
        stage.asking("echo", "canary-in-input"),
    );
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_dispatch_of_a_hostile_controller_gets_more_than_the_policy_gives() {
    let (target, port) = Target::start().await;
    let secrets = [("granted.secret", GRANTED), ("other.secret", OTHER)];
    let engine = Engine::new(EngineConfig::for_one_run()).unwrap();
    let hostile = wharf_test_support::packed(&engine, "hostile").await;
    let house = House::with_policy(&policy(port), &secrets).await;
    let hostile = house.publish_signed(&hostile);
    let mut stage = Stage {
        house,
        port,
        hostile,
    };
    let cases = cases(&stage);
    assert!(cases.len() >= 20, "{}", cases.len());
    for (number, mut case) in cases.into_iter().enumerate() {
        let number = number as u128 + 1;
        case.ask.key = key(number);
        let verdict = stage.house.run(case.ask).await;
        let as_expected = match (&case.ends, &verdict) {
            (Ends::Refused, Verdict::Refused { .. }) | (Ends::Done, Verdict::Done { .. }) => true,
            (Ends::Failed(code), Verdict::Failed(failure)) => failure.code == *code,
            (Ends::Stopped(at), Verdict::Stopped { limit, .. }) => limit == at,
            _ => false,
        };
        assert!(as_expected, "{}: {verdict:?}", case.name);
        let (event, says) = case.audited;
        // The line is of this very attempt.
        until_audited(
            &mut stage.house.peer,
            &stage.house.state,
            event,
            &key(number).execution.to_string(),
        )
        .await;
        let found = says_so(&audited(&stage.house.state), event, says);
        assert!(found, "{}: no `{event}` says `{says}`", case.name);
        // It goes on serving.
        let mut good = stage.fetching(&stage.local("/ok"));
        good.key = key(1_000 + number);
        let verdict = stage.house.run(good).await;
        assert!(
            matches!(verdict, Verdict::Done { .. }),
            "{}: {verdict:?}",
            case.name
        );
    }
    // What arrived carried the granted credential or none, and arrived where it may.
    for (path, credential) in target.got() {
        assert!(path.starts_with("/ok"), "{path}");
        let granted = format!("Bearer {GRANTED}");
        assert!(
            credential.is_none() || credential == Some(granted),
            "{path}: {credential:?}"
        );
    }
    let record: Vec<_> = audited(&stage.house.state);
    let text = format!("{record:?}");
    for secret in [GRANTED, OTHER, "canary-in-input"] {
        assert!(!text.contains(secret), "{secret} is in the record");
    }
    wharf_audit::verify(&stage.house.state.join("audit"), None).unwrap();
}
