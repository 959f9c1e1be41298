//! One secret in each kind of store, and a runner that may use each of them on every rung, in every
//! place of a request and for every operation.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wharf_e2e::{Build, Process, Service, TlsFront, World, forms};
use wharf_test_servers::{Gcp, Kubernetes, Moto, OpenBao};

use crate::lent::Lent;
use crate::told::{all_are_marked, cancelled_while_telling, told_everywhere};

/// The kinds that every `wharf` has.
pub(crate) const BUILT_IN: [&str; 4] = ["env", "file", "vault", "controller"];
/// Those that are behind features.
pub(crate) const BY_FEATURE: [&str; 4] = ["age", "aws", "gcp", "kubernetes"];

/// Where on a request the bindings of a secret put it: the name of each is the store's with this behind
/// it, and so is the path that it goes to.
const PLACES: [(&str, &str); 5] = [
    ("", "{ basic = { user = 'user' } }"),
    ("-bearer", "'bearer'"),
    ("-header", "{ header = { name = 'x-api-key' } }"),
    ("-query", "{ query = { name = 'key' } }"),
    (
        "-aws",
        "{ aws-sigv4 = { region = 'eu-west-1', service = 'execute-api', access-key-id = 'AKID' } }",
    ),
];

/// The name of what is lent.
pub(crate) const LENT: &str = "lent";

/// How the header of a request begins that AWS would take.
const AWS: &str = "AWS4-HMAC-SHA256 Credential=AKID/";

/// A secret in a store. Both have the name of the store's kind.
pub(crate) struct Kept {
    pub(crate) store: &'static str,
    pub(crate) value: Credential,
    from: From,
}

/// A value for every use: a private key in one line of PEM, with a password behind it.
#[derive(Clone)]
pub(crate) struct Credential {
    password: String,
    /// The number that makes the key private, big-endian.
    number: [u8; 32],
    whole: String,
}

impl Credential {
    fn new(password: String) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = key.serialize_der();
        // PKCS #8 of a key on P-256 has its number behind 36 bytes, the last two of which announce it.
        assert_eq!(der[34..36], [4, 32]);
        let pem = key.serialize_pem().replace(['\r', '\n'], "");
        Self {
            number: der[36..68].try_into().unwrap(),
            whole: format!("{pem} {password}"),
            password,
        }
    }

    /// What gives it away, each by itself.
    pub(crate) fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let reversed: Vec<u8> = self.number.iter().rev().copied().collect();
        let mut parts = forms(&self.password);
        parts.extend([
            ("a number".to_owned(), self.number.to_vec()),
            ("a number in a computer's order".to_owned(), reversed),
        ]);
        // The first 30 bytes of the number are 40 characters of the PEM.
        parts.extend(forms(&STANDARD.encode(&self.number[..30])));
        parts
    }
}

/// What the policy file says of a secret's origin: the reference, and what the store's table has beside
/// its kind, if it needs one.
struct From(String, Option<String>);

/// Secrets in stores.
pub(crate) struct Everywhere {
    pub(crate) secrets: Vec<Kept>,
    /// Where the operator keeps what the stores need.
    pub(crate) folder: PathBuf,
    variables: Vec<(&'static str, String)>,
    bao: Option<OpenBao>,
    /// What the store `vault` lends, if it is one of them.
    pub(crate) lent: Option<Lent>,
    moto: Option<Moto>,
    gcp: Gcp,
    kubernetes: Kubernetes,
}

impl Everywhere {
    /// Puts a value into each of these stores; the password in it is chosen by the store's name. The runner
    /// of the world must be enrolled. A store that cannot be had here is left out.
    pub(crate) async fn keep(
        world: &World,
        stores: &[&'static str],
        password: impl Fn(&str) -> String,
    ) -> Self {
        let folder = world.dir().join("operator-secrets");
        std::fs::create_dir(&folder).unwrap();
        let mut all = Self {
            secrets: Vec::new(),
            folder,
            variables: Vec::new(),
            bao: None,
            lent: None,
            moto: None,
            gcp: Gcp::start().await,
            kubernetes: Kubernetes::start().await,
        };
        for store in stores {
            let value = Credential::new(password(store));
            if let Some(from) = all.put(world, store, &value.whole).await {
                all.secrets.push(Kept { store, value, from });
            }
        }
        all
    }

    /// Puts one into one.
    async fn put(&mut self, world: &World, store: &str, value: &str) -> Option<From> {
        let folder = self.folder.clone();
        let (from, table) = match store {
            "env" => {
                self.variables.push(("CANARY", value.to_owned()));
                ("env:CANARY".to_owned(), None)
            }
            "file" => {
                let file = private(&folder.join("file"), value);
                (format!("file:{file}"), None)
            }
            "vault" => {
                let bao = OpenBao::start_with_tls().await?;
                let ca = private(&folder.join("vault-ca.pem"), &bao.authority());
                bao.write("secret/data/canary", json!({ "data": { "value": value } }))
                    .await;
                let token = private(&folder.join("token"), bao.root());
                let url = bao.url().to_owned();
                self.lent = Lent::by(&bao).await;
                self.bao = Some(bao);
                let table =
                    format!("address = '{url}'\nca = '{ca}'\nlogin = {{ token = 'file:{token}' }}");
                ("vault:secret/canary#value".to_owned(), Some(table))
            }
            "controller" => {
                let keys = folder.join("keys");
                let file = private(&folder.join("sealed"), value);
                world.wharf(&["keygen", keys.to_str().unwrap()]).ok();
                let key = keys.join("wharf.key");
                let put = ["secret", "put", "canary", "--group", "test", "--key"];
                let what = [key.to_str().unwrap(), "--value", &file];
                world.wharf(&[&put[..], &what].concat()).ok();
                let public = keys.join("wharf.pub");
                let table = format!("keys = ['{}']", public.display());
                ("controller:canary".to_owned(), Some(table))
            }
            "age" => {
                let identity = age::x25519::Identity::generate();
                let sealed = age::encrypt(&identity.to_public(), value.as_bytes()).unwrap();
                let file = folder.join("canary.age");
                std::fs::write(&file, sealed).unwrap();
                let text =
                    age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
                let identity = private(&folder.join("age.key"), &text);
                let table = format!("identity = '{identity}'");
                (format!("age:{}", file.display()), Some(table))
            }
            "aws" => {
                let moto = Moto::start().await?;
                let secret = json!({ "Name": "canary", "SecretString": value });
                moto.secrets_manager("CreateSecret", secret).await;
                for (name, value) in [
                    ("AWS_ACCESS_KEY_ID", "test"),
                    ("AWS_SECRET_ACCESS_KEY", "test"),
                    ("AWS_REGION", "us-east-1"),
                    ("AWS_EC2_METADATA_DISABLED", "true"),
                ] {
                    self.variables.push((name, value.to_owned()));
                }
                let url = moto.url().to_owned();
                self.moto = Some(moto);
                let table = format!("endpoint = '{url}'");
                ("aws:canary".to_owned(), Some(table))
            }
            "gcp" => {
                let document = json!({ "token": value }).to_string();
                let version = "projects/acme/secrets/canary/versions/latest";
                self.gcp.put(version, document.as_bytes());
                let url = self.gcp.url();
                let table = format!("project = 'acme'\nendpoint = '{url}'\nmetadata = '{url}'");
                ("gcp:canary#token".to_owned(), Some(table))
            }
            "kubernetes" => {
                self.kubernetes.put("prod/app", "token", value.as_bytes());
                let file = folder.join("kubeconfig");
                let kubeconfig = self.kubernetes.kubeconfig().to_string();
                let table = format!("kubeconfig = '{}'", private(&file, &kubeconfig));
                ("kubernetes:prod/app#token".to_owned(), Some(table))
            }
            other => panic!("no store {other}"),
        };
        Some(From(from, table))
    }

    /// Has the runner believe this server's certificate.
    pub(crate) fn believe(&mut self, front: &TlsFront) {
        let file = private(&self.folder.join("authority.pem"), front.certificate());
        self.variables.push(("SSL_CERT_FILE", file));
    }

    /// A runner that may use each of them on every rung, in each place below its own path of these origins.
    pub(crate) async fn runner(&self, build: Build, world: &World, origins: &[String]) -> Process {
        let at = |rest: &str| {
            let all = origins.iter();
            let all = all.map(|origin| format!("{{ origin = '{origin}'{rest} }}"));
            all.collect::<Vec<_>>().join(", ")
        };
        let (mut text, mut granted) = (String::new(), String::new());
        for Kept { store, from, .. } in &self.secrets {
            let From(reference, table) = from;
            for (place, how) in PLACES {
                let name = format!("{store}{place}");
                let to = at(&format!(", path = '/{name}'"));
                text += &format!(
                    "[[secret]]\nname = '{name}'\nfrom = '{reference}'\nto = [{to}]\nas = {how}\n\
                     operations = ['hmac', 'sign', 'jwt', 'bearer', 'basic', 'aws-sigv4']\n"
                );
                granted += &format!(
                    "{{ name = '{name}', rungs = ['inject', 'attach', 'operate', 'reveal'] }}, "
                );
            }
            if let Some(table) = table {
                text += &format!("[store.{store}]\nkind = '{store}'\ncache = '1s'\n{table}\n");
            }
        }
        if self.lent.is_some() {
            text += &Lent::binding(LENT, &at(&format!(", path = '/{LENT}'")));
            granted += &format!(
                "{{ name = '{LENT}', rungs = ['inject', 'attach', 'operate', 'reveal'] }}, "
            );
        }
        let http = at("");
        text += &format!(
            "[[grant]]\nplugins = ['rungs', 'http', 'notify']\nhttp = [{http}]\n\
             networks = ['127.0.0.1/32']\nsecrets = [{granted}]\n"
        );
        let policy = world.policy("policy", &text);
        let variables: Vec<_> = self
            .variables
            .iter()
            .map(|(n, v)| (*n, v.as_str()))
            .collect();
        world
            .start_runner_with(build, "runner", &policy, &variables)
            .await
    }

    /// Uses each on every rung, towards a service that echoes what it gets, and another that hangs.
    pub(crate) async fn use_all(
        &self,
        world: &World,
        origin: &str,
        hanging: &Service,
    ) -> Vec<Value> {
        let (mut done, mut cancelled) = (Vec::new(), Vec::new());
        for Kept { store, .. } in &self.secrets {
            // Of names for the same value, the first is told.
            let mark = format!("[secret {store}]");
            for (place, _) in PLACES {
                let url = format!("{origin}/{store}{place}/echo");
                let proof = match place {
                    "-aws" => AWS,
                    _ => &mark,
                };
                for input in [
                    json!({ "url": url }),
                    json!({ "url": url, "secret": format!("{store}{place}"), "how": "attach" }),
                ] {
                    done.push(run(world, "send", input, proof).await);
                }
            }
            let aws = format!("{store}-aws");
            for (how, secret, proof) in [
                ("bearer", *store, &*mark),
                ("basic", store, &mark),
                ("aws-sigv4", &aws, AWS),
            ] {
                let input = json!({ "url": format!("{origin}/{secret}/echo"), "secret": secret, "how": how });
                done.push(run(world, "send", input, proof).await);
            }
            let secret = json!({ "secret": store });
            done.push(run(world, "look", secret, &mark).await);
            let input = json!({ "secret": store, "message": "to be signed" });
            done.push(run(world, "sign", input.clone(), "").await);
            done.push(run(world, "hmac", input, "").await);
            let input = json!({ "secret": store, "sub": "someone" });
            // What an ES256 header begins with.
            done.push(run(world, "token", input, "eyJhbGciOiJFUzI1NiIs").await);
            done.extend(reflected(world, origin, &format!("{store}-bearer"), &mark).await);
            done.extend(told_everywhere(world, store).await);
            cancelled.push(cancelled_while_telling(world, hanging, store).await);
        }
        if self.lent.is_some() {
            let mark = format!("[secret {LENT}]");
            let url = format!("{origin}/{LENT}/echo");
            let input = json!({ "url": url, "secret": LENT, "how": "basic" });
            done.push(run(world, "send", input, &mark).await);
            done.push(run(world, "look", json!({ "secret": LENT }), &mark).await);
            let input = json!({ "secret": LENT, "message": "to be signed" });
            done.push(run(world, "hmac", input, "").await);
            done.extend(reflected(world, origin, LENT, &mark).await);
            done.extend(told_everywhere(world, LENT).await);
            cancelled.push(cancelled_while_telling(world, hanging, LENT).await);
        }
        for id in cancelled {
            let execution = world.finished(&id).await;
            assert_eq!(execution["outcome"], "cancelled", "{execution}");
            done.push(execution);
        }
        done
    }
}

/// Has a service say a secret in every form, after it came there as a bearer token on each of the rungs.
async fn reflected(world: &World, origin: &str, secret: &str, mark: &str) -> Vec<Value> {
    let mut done = Vec::new();
    for how in ["plain", "attach", "bearer"] {
        let url = format!("{origin}/{secret}/forms");
        let input = json!({ "url": url, "secret": secret, "how": how });
        let execution = run(world, "send", input, mark).await;
        all_are_marked(execution["output"]["body"].as_str().unwrap(), mark);
        done.push(execution);
    }
    done
}

/// Runs an action of the plugin that uses every rung; its output must contain this.
async fn run(world: &World, action: &str, input: Value, proof: &str) -> Value {
    let execution = world.run("rungs", action, input.clone()).await;
    assert_eq!(execution["outcome"], "done", "{input}: {execution}");
    let output = execution["output"].to_string();
    assert!(output.contains(proof), "{input}: {output}");
    execution
}

/// Writes a file that only its owner can read.
pub(crate) fn private(file: &Path, content: &str) -> String {
    std::fs::write(file, content).unwrap();
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    file.display().to_string()
}
