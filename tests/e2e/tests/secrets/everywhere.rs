//! One secret in each kind of store, and a runner that may use each of them on every rung.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wharf_e2e::{Build, Process, Service, World};
use wharf_test_servers::{Gcp, Kubernetes, Moto, OpenBao};

/// The kinds that every `wharf` has.
pub(crate) const BUILT_IN: [&str; 4] = ["env", "file", "vault", "controller"];
/// Those that are behind features.
pub(crate) const BY_FEATURE: [&str; 4] = ["age", "aws", "gcp", "kubernetes"];

/// A secret in a store. Both have the name of the store's kind.
pub(crate) struct Kept {
    pub(crate) store: &'static str,
    pub(crate) value: String,
    from: From,
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
    moto: Option<Moto>,
    gcp: Gcp,
    kubernetes: Kubernetes,
}

impl Everywhere {
    /// Puts a value into each of these stores; what a store is to hold is chosen by its name. The runner of
    /// the world must be enrolled. A store that cannot be had here is left out.
    pub(crate) async fn keep(
        world: &World,
        stores: &[&'static str],
        value: impl Fn(&str) -> String,
    ) -> Self {
        let folder = world.dir().join("operator-secrets");
        std::fs::create_dir(&folder).unwrap();
        let mut all = Self {
            secrets: Vec::new(),
            folder,
            variables: Vec::new(),
            bao: None,
            moto: None,
            gcp: Gcp::start().await,
            kubernetes: Kubernetes::start().await,
        };
        for store in stores {
            let value = value(store);
            if let Some(from) = all.put(world, store, &value).await {
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
                let bao = OpenBao::start().await?;
                bao.write("secret/data/canary", json!({ "data": { "value": value } }))
                    .await;
                let token = private(&folder.join("token"), bao.root());
                let url = bao.url().to_owned();
                self.bao = Some(bao);
                let table = format!("address = '{url}'\nlogin = {{ token = 'file:{token}' }}");
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

    /// A runner that may use each of them on every rung, each below its own path of these origins.
    pub(crate) async fn runner(&self, build: Build, world: &World, origins: &[String]) -> Process {
        let at = |rest: &str| {
            let all = origins.iter();
            let all = all.map(|origin| format!("{{ origin = '{origin}'{rest} }}"));
            all.collect::<Vec<_>>().join(", ")
        };
        let (mut text, mut granted) = (String::new(), String::new());
        for Kept { store, from, .. } in &self.secrets {
            let From(reference, table) = from;
            let to = at(&format!(", path = '/{store}'"));
            text += &format!(
                "[[secret]]\nname = '{store}'\nfrom = '{reference}'\nto = [{to}]\n\
                 as = {{ basic = {{ user = 'me' }} }}\noperations = ['hmac', 'bearer', 'basic']\n"
            );
            if let Some(table) = table {
                text += &format!("[store.{store}]\nkind = '{store}'\ncache = '1s'\n{table}\n");
            }
            granted += &format!(
                "{{ name = '{store}', rungs = ['inject', 'attach', 'operate', 'reveal'] }}, "
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

    /// Uses each on every rung, towards a service that echoes what it gets.
    pub(crate) async fn use_all(&self, world: &World, service: &Service) -> Vec<Value> {
        let mut done = Vec::new();
        for Kept { store: secret, .. } in &self.secrets {
            let url = format!("{}/{secret}/echo", service.origin());
            let with = |how: &str| json!({ "url": url, "secret": secret, "how": how });
            for (action, input) in [
                ("send", json!({ "url": url })),
                ("send", with("attach")),
                ("send", with("bearer")),
                ("send", with("basic")),
                ("look", json!({ "secret": secret })),
            ] {
                let execution = world.run("rungs", action, input.clone()).await;
                assert_eq!(execution["outcome"], "done", "{input}: {execution}");
                let output = execution["output"].to_string();
                let mark = format!("[secret {secret}]");
                assert!(output.contains(&mark), "{input}: {output}");
                done.push(execution);
            }
        }
        done
    }
}

/// Writes a file that only its owner can read.
pub(crate) fn private(file: &Path, content: &str) -> String {
    std::fs::write(file, content).unwrap();
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    file.display().to_string()
}
