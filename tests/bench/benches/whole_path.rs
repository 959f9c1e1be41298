//! Submit → result, through controller, socket, runner and durable store: three processes, as in
//! production, with this one as the client. Prints p50 and p99 at one in flight, and how many
//! actions a second there are when the machine is full.
//!
//! `cargo bench -p wharf-bench --bench whole_path`

#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use tokio::runtime::Runtime;
use wharf_e2e::World;

/// Requests at a time when the machine is to be full.
const IN_FLIGHT: usize = 64;
/// How long it is kept full.
const FULL_FOR: Duration = Duration::from_secs(10);

/// Latencies of single executions, sorted when read.
#[derive(Default)]
struct Latencies(Vec<Duration>);

impl Latencies {
    fn percentile(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0
            .get(at)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }

    fn report(&mut self, title: &str) {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| self.percentile(percent));
        println!(
            "{title}: n {} · p50 {p50:.2} ms · p90 {p90:.2} ms · p99 {p99:.2} ms",
            self.0.len()
        );
    }
}

/// A client that submits `hostile`'s `echo` and waits for its output.
struct Submitter {
    request: reqwest::Request,
    http: reqwest::Client,
}

impl Submitter {
    fn new(world: &World) -> Self {
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(IN_FLIGHT)
            .build()
            .unwrap();
        let body =
            json!({ "group": "test", "plugin": "hostile", "action": "echo", "input": { "n": 1 } });
        let request = http
            .post(format!("{}/v1/executions?wait_ms=30000", world.url()))
            .bearer_auth(world.token())
            .json(&body)
            .build()
            .unwrap();
        Self { request, http }
    }

    async fn submit(&self) -> Duration {
        let began = Instant::now();
        let answer = self
            .http
            .execute(self.request.try_clone().unwrap())
            .await
            .unwrap();
        let body = answer.bytes().await.unwrap();
        let took = began.elapsed();
        // Looked at, not parsed: the client shares the cores with what is measured.
        let done = b"\"outcome\":\"done\"";
        assert!(
            body.windows(done.len()).any(|window| window == done),
            "{}",
            String::from_utf8_lossy(&body)
        );
        took
    }
}

fn whole_path(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (world, _runner) = runtime.block_on(async {
        let world = World::quiet().await;
        let runner = world.runner("runner", &world.policy("policy", "")).await;
        (world, runner)
    });
    let submitter = Arc::new(Submitter::new(&world));
    runtime.block_on(async {
        for _ in 0..200 {
            submitter.submit().await;
        }
    });

    let mut latencies = Latencies::default();
    criterion.bench_function("whole path, one in flight", |bencher| {
        bencher.iter_custom(|count| {
            runtime.block_on(async {
                let mut total = Duration::ZERO;
                for _ in 0..count {
                    let took = submitter.submit().await;
                    latencies.0.push(took);
                    total += took;
                }
                total
            })
        });
    });
    latencies.report("one in flight");

    // `cargo bench -- --test` only asks whether it runs.
    let full_for = if std::env::args().any(|arg| arg == "--test") {
        Duration::from_millis(100)
    } else {
        FULL_FOR
    };
    runtime.block_on(saturate(&submitter, full_for));
}

async fn saturate(submitter: &Arc<Submitter>, full_for: Duration) {
    let (done, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let began = Instant::now();
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (submitter, done, stop) =
                (Arc::clone(submitter), Arc::clone(&done), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    latencies.push(submitter.submit().await);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                latencies
            })
        })
        .collect();
    tokio::time::sleep(full_for).await;
    let (count, took) = (done.load(Ordering::Relaxed), began.elapsed());
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.0.extend(task.await.unwrap());
    }
    println!(
        "{IN_FLIGHT} in flight: {:.0} actions/s",
        count as f64 / took.as_secs_f64()
    );
    latencies.report("with the machine full");
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(10));
    targets = whole_path
}
criterion_main!(benches);
