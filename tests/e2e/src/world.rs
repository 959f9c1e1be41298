//! A controller and its runners, as processes, with the bundles published.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_test_servers::free_port;

use crate::{Build, Bundles, Process, bundles};

/// Asks again until there is an answer; gives up, loudly, after a minute.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1200 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("after a minute still not: {what}");
}

/// What `hostile` imports must be granted before it runs at all. These lead nowhere.
pub const DECOY: &str = "
[[secret]]
name = 'decoy'
from = 'env:WHARF_TEST_DECOY'
[[grant]]
plugins = ['hostile']
http = [{ origin = 'https://nowhere.invalid' }]
secrets = [{ name = 'decoy', rungs = ['operate'] }]
";

/// One controller with its data, its port and its admin token.
pub struct World {
    dir: tempfile::TempDir,
    port: u16,
    http: reqwest::Client,
    controller: Option<Process>,
    /// How much the processes tell of themselves.
    verbosity: &'static [&'static str],
}

/// The group that every world has.
pub(crate) const GROUP: &str = "test";

impl World {
    /// A controller, a group, and every bundle published. All processes log
    /// everything, so that a test can look for what must not be there.
    pub async fn start() -> Self {
        Self::with(&["-vv"]).await
    }

    /// The same, logging as little as in production.
    pub async fn quiet() -> Self {
        Self::with(&[]).await
    }

    async fn with(verbosity: &'static [&'static str]) -> Self {
        let mut world = Self {
            dir: tempfile::tempdir().unwrap(),
            port: free_port(),
            http: reqwest::Client::new(),
            controller: None,
            verbosity,
        };
        world.start_controller().await;
        world
            .post(
                "/v1/groups",
                &json!({ "name": GROUP, "kind": "persistent" }),
            )
            .await;
        for name in [
            "http",
            "transform",
            "notify",
            "hostile",
            "command",
            "rungs",
            "database",
        ] {
            world.publish(bundles().file(name)).await;
        }
        world
    }

    /// The folder of this world.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Starts the controller, again if it was killed, and waits until it serves.
    pub async fn start_controller(&mut self) {
        let (data, listen) = (self.path("controller"), format!("127.0.0.1:{}", self.port));
        let args = [
            "controller",
            "start",
            "--data",
            &data,
            "--listen",
            &listen,
            // No test waits for its end: who comes back in time keeps what it runs.
            "--lease",
            "60s",
            "--heartbeat",
            "500ms",
        ];
        let args = [self.verbosity, &args].concat();
        let process = Process::start(
            Build::Default,
            &args,
            &[],
            &self.dir.path().join("controller.log"),
        );
        self.controller = Some(process);
        until("the controller is healthy", async || {
            let answer = self
                .http
                .get(format!("{}/healthz", self.url()))
                .send()
                .await
                .ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Ends the controller as `kill -9` does.
    pub async fn kill_controller(&mut self) {
        self.controller.take().unwrap().kill().await;
    }

    pub fn controller(&self) -> &Process {
        self.controller.as_ref().unwrap()
    }

    /// Writes a policy that trusts the test key for everything, with these grants and secrets.
    pub fn policy(&self, name: &str, rest: &str) -> PathBuf {
        let Bundles { key, .. } = bundles();
        let file = self.dir.path().join(format!("{name}.toml"));
        let trust = format!("[[trust]]\nplugins = ['*']\nkeys = ['{}']\n", key.display());
        std::fs::write(&file, [&trust, DECOY, rest].concat()).unwrap();
        file
    }

    /// Enrols a runner with the controller at this URL.
    pub async fn enrol(&self, name: &str, controller: &str) {
        let token = self
            .post(
                "/v1/tokens",
                &json!({ "kind": "enrolment", "group": GROUP, "ttl_s": 60 }),
            )
            .await;
        let state = self.path(name);
        let args = [
            "runner",
            "enroll",
            "--controller",
            controller,
            "--state",
            &state,
        ];
        let token = token["token"].as_str().unwrap();
        crate::wharf_in(self.dir.path(), &args, &[("WHARF_TOKEN", token)]).ok();
    }

    /// Starts an enrolled runner, and waits until the controller sees it.
    pub async fn start_runner(&self, name: &str, policy: &Path) -> Process {
        let build = Build::Default;
        self.start_runner_with(build, name, policy, &[]).await
    }

    /// The same of this build, with these variables in its environment.
    pub async fn start_runner_with(
        &self,
        build: Build,
        name: &str,
        policy: &Path,
        variables: &[(&str, &str)],
    ) -> Process {
        let state = self.path(name);
        let args = [
            "runner",
            "start",
            "--state",
            &state,
            "--policy",
            policy.to_str().unwrap(),
        ];
        let args = [self.verbosity, &args].concat();
        let log = self.dir.path().join(format!("{name}.log"));
        let process = Process::start(build, &args, variables, &log);
        self.online(name, &process).await;
        process
    }

    /// Starts an enrolled runner as that user, to whom its folder is given.
    pub async fn start_runner_as(&self, user: u32, name: &str, policy: &Path) -> Process {
        let state = self.dir.path().join(name);
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(self.dir.path(), open).unwrap();
        let files = std::fs::read_dir(&state).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        for path in files.chain([state.clone()]) {
            std::os::unix::fs::chown(path, Some(user), None).unwrap();
        }
        let [state, policy] = [&state, policy].map(|path| path.to_str().unwrap());
        let args = ["runner", "start", "--state", state, "--policy", policy];
        let log = self.dir.path().join(format!("{name}.log"));
        let process = Process::start_as(user, self.dir.path(), &args, &log);
        self.online(name, &process).await;
        process
    }

    /// Waits until the controller sees that runner: this process, not one before it.
    async fn online(&self, name: &str, process: &Process) {
        until("the runner is connected", async || {
            let status = self.status(name)?;
            let connected = status["link"]["state"] == "connected";
            (connected && status["pid"] == process.pid()).then_some(())
        })
        .await;
        let state = self.path(name);
        let identity = std::fs::read_to_string(Path::new(&state).join("runner.json")).unwrap();
        let identity: Value = serde_json::from_str(&identity).unwrap();
        until("the runner is online", async || {
            let runners = self.get("/v1/runners").await;
            let listed = runners["runners"]
                .as_array()
                .or(runners.as_array())?
                .clone();
            listed
                .iter()
                .any(|runner| runner["id"] == identity["runner"] && runner["state"] == "online")
                .then_some(())
        })
        .await;
    }

    /// Waits until that runner says this of itself.
    pub async fn until_says(&self, name: &str, what: &str, value: impl Into<Value>) {
        let value = value.into();
        until(&format!("{what} is {value}"), async || {
            (self.status(name)?[what] == value).then_some(())
        })
        .await;
    }

    /// What a runner keeps of its state for others to read.
    fn status(&self, name: &str) -> Option<Value> {
        let file = self.dir.path().join(name).join("status.json");
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    /// Enrols and starts a runner.
    pub async fn runner(&self, name: &str, policy: &Path) -> Process {
        self.enrol(name, &self.url()).await;
        self.start_runner(name, policy).await
    }

    /// The admin token.
    pub fn token(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("controller/admin.token"))
            .unwrap()
            .trim()
            .to_owned()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.bearer_auth(self.token()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    pub async fn get(&self, path: &str) -> Value {
        self.send(self.http.get(format!("{}{path}", self.url())))
            .await
            .1
    }

    pub async fn try_post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.http.post(format!("{}{path}", self.url())).json(body))
            .await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_post(path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Publishes a bundle with its signature.
    pub async fn publish(&self, file: &Path) {
        let args = [
            "plugin",
            "publish",
            file.to_str().unwrap(),
            "--controller",
            &self.url(),
        ];
        crate::wharf_in(self.dir.path(), &args, &[("WHARF_TOKEN", &self.token())]).ok();
    }

    /// Runs `wharf` as this world's admin.
    pub fn wharf(&self, args: &[&str]) -> crate::Answer {
        let (url, token) = (self.url(), self.token());
        crate::wharf_in(
            self.dir.path(),
            args,
            &[("WHARF_CONTROLLER", &url), ("WHARF_TOKEN", &token)],
        )
    }

    /// Submits an execution and gives its id.
    pub async fn submit(&self, plugin: &str, action: &str, input: Value) -> String {
        let request = json!({ "group": GROUP, "plugin": plugin, "action": action, "input": input });
        let execution = self.post("/v1/executions", &request).await;
        execution["id"].as_str().unwrap().to_owned()
    }

    /// The execution as it is now.
    pub async fn execution(&self, id: &str) -> Value {
        self.get(&format!("/v1/executions/{id}")).await
    }

    /// Waits for the end of an execution.
    pub async fn finished(&self, id: &str) -> Value {
        until(&format!("{id} is finished"), async || {
            let execution = self.get(&format!("/v1/executions/{id}?wait_ms=1000")).await;
            (execution["state"] == "finished").then_some(execution)
        })
        .await
    }

    /// The whole log of an execution that is finished. It takes another way than the result and may come
    /// after it.
    pub async fn logs(&self, id: &str) -> Value {
        until(&format!("the log of {id} is complete"), async || {
            let logs = self.get(&format!("/v1/executions/{id}/logs")).await;
            (logs["complete"] == true).then_some(logs)
        })
        .await
    }

    /// Submits and waits.
    pub async fn run(&self, plugin: &str, action: &str, input: Value) -> Value {
        let id = self.submit(plugin, action, input).await;
        self.finished(&id).await
    }
}
