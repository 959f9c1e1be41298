//! One action, by the engine's public API against bare wasmtime: the same component, process,
//! compiled code, pool and input. Every run has a fresh instance. The engine's has rights, limits,
//! log capture, checked input and output, and scrubbing; the bare one has no host at all.
//!
//! Two times are told. *Latency* is from the call to its result, on a worker of the runtime, as a
//! runner's attempts are. *Whole* is per run of many, one after the other, with what happens after
//! the result: dropping instances and making warm ones.
//!
//! `cargo bench -p wharf-bench --bench engine`

#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};
use wharf_engine::{Call, Cancel, Engine, EngineConfig, Outcome, Prepared, Start};
use wharf_host::{Events, Secrets, Services, ServicesConfig};
use wharf_test_support as support;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "package wharf:bench; world runs { export wharf:plugin/actions@0.1.0; }",
        world: "wharf:bench/runs",
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: true },
    });
    pub(crate) use self::exports::wharf::plugin::actions::{Call, GuestIndices, Output};
}

const INPUT: &str = r#"{"customer":"c-1042","lines":[{"sku":"a","n":1},{"sku":"b","n":2}]}"#;

/// What `hostile` needs to be linked; `echo` uses none of it.
const POLICY: &str = "[[secret]]\nname='key'\nfrom='env:KEY'\nto=[{origin='http://127.0.0.1:1'}]\nas='bearer'\n\
    [[grant]]\nplugins=['*']\nhttp=[{origin='http://127.0.0.1:1'}]\nsecrets=[{name='key',rungs=['operate']}]";

/// Bare wasmtime.
struct Floor {
    pre: InstancePre<()>,
    entry: bindings::GuestIndices,
}

impl Floor {
    fn new(engine: &Engine, bytes: &[u8]) -> Self {
        let engine = engine.wasmtime();
        let component = Component::from_binary(engine, bytes).unwrap();
        let mut linker = Linker::new(engine);
        linker.define_unknown_imports_as_traps(&component).unwrap();
        let pre = linker.instantiate_pre(&component).unwrap();
        let entry = bindings::GuestIndices::new(&pre).unwrap();
        Self { pre, entry }
    }

    async fn run(&self) {
        let mut store = Store::new(self.pre.engine(), ());
        store.set_epoch_deadline(1_000_000);
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let guest = self.entry.load(&mut store, &instance).unwrap();
        let call = bindings::Call {
            action: "echo",
            input: INPUT,
            execution: "01J",
            attempt: 1,
        };
        match guest.call_run(&mut store, call).await.unwrap() {
            Ok(bindings::Output::Json(output)) => assert_eq!(output.len(), INPUT.len()),
            other => panic!("{other:?}"),
        }
    }
}

/// The engine's public API.
struct Api {
    prepared: Prepared,
    services: Arc<Services>,
    events: Arc<dyn Events>,
    secrets: Arc<Secrets>,
}

impl Api {
    fn new(runtime: &Runtime, engine: &Engine, packed: &[u8], warm: bool) -> Self {
        let verified = support::verified(packed.to_vec());
        let plugin = runtime.block_on(engine.load(&verified)).unwrap();
        let rights = support::rights(plugin.manifest(), "echo", POLICY);
        let prepared = engine
            .prepare(&plugin, &"echo".parse().unwrap(), rights)
            .unwrap();
        if warm {
            runtime.block_on(async { prepared.warm_up() });
        }
        Self {
            prepared,
            services: Arc::new(Services::new(&ServicesConfig::default()).unwrap()),
            events: Arc::new(support::Nobody),
            secrets: Arc::new(Secrets::none()),
        }
    }

    async fn run(&self) -> Start {
        let report = self
            .prepared
            .run(Call {
                execution: "01J".to_owned(),
                attempt: 1,
                input: INPUT.into(),
                cancel: Cancel::new(),
                events: Arc::clone(&self.events),
                services: Arc::clone(&self.services),
                secrets: Arc::clone(&self.secrets),
            })
            .await;
        assert!(matches!(report.outcome, Outcome::Done(_)), "{report:?}");
        report.start
    }
}

/// Rounds of the comparison, and runs of each kind in a round. The kinds take turns, so that what
/// else the machine does meets them alike; medians of rounds are compared.
const ROUNDS: usize = 200;
const RUNS: u32 = 100;

/// One of the three kinds.
#[derive(Clone)]
enum Kind {
    Bare(Arc<Floor>),
    Cold(Arc<Api>),
    Warm(Arc<Api>),
}

/// Times of some runs, together.
struct Times {
    latency: Duration,
    whole: Duration,
    warm: u64,
    /// The latency of those runs that had a warm instance.
    warm_latency: Duration,
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Bare(_) => "bare wasmtime",
            Self::Cold(_) => "engine, cold",
            Self::Warm(_) => "engine, warm",
        }
    }

    async fn run(&self) -> Start {
        match self {
            Self::Bare(floor) => {
                floor.run().await;
                Start::Cold
            }
            Self::Cold(api) | Self::Warm(api) => api.run().await,
        }
    }

    /// Runs on a worker. Between two runs others of that worker have their turn, as they have
    /// when an attempt sends its result.
    fn times(&self, runtime: &Runtime, runs: u64) -> Times {
        let kind = self.clone();
        let runs = async move {
            let begun = Instant::now();
            let (mut latency, mut warm, mut warm_latency) = (Duration::ZERO, 0, Duration::ZERO);
            for _ in 0..runs {
                let called = Instant::now();
                let start = kind.run().await;
                let took = called.elapsed();
                latency += took;
                if start == Start::Warm {
                    warm += 1;
                    warm_latency += took;
                }
                tokio::task::yield_now().await;
            }
            Times {
                latency,
                whole: begun.elapsed(),
                warm,
                warm_latency,
            }
        };
        runtime.block_on(async { tokio::spawn(runs).await.unwrap() })
    }
}

/// Prints each kind's times and their ratio to those of the first.
fn compare(runtime: &Runtime, kinds: &[Kind]) {
    let mut rounds: Vec<Vec<Times>> = kinds.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for (kind, times) in kinds.iter().zip(&mut rounds) {
            let these = kind.times(runtime, u64::from(RUNS));
            // The first round is for caches and the pool.
            if round > 0 {
                times.push(these);
            }
        }
    }
    let median = |times: &[Times], of: fn(&Times) -> Duration| {
        let mut all: Vec<_> = times.iter().map(of).collect();
        all.sort_unstable();
        all[all.len() / 2].as_secs_f64() * 1e6 / f64::from(RUNS)
    };
    let latencies: Vec<_> = rounds.iter().map(|r| median(r, |t| t.latency)).collect();
    let wholes: Vec<_> = rounds.iter().map(|r| median(r, |t| t.whole)).collect();
    for (n, kind) in kinds.iter().enumerate() {
        println!(
            "{:<14} latency {:>5.1} µs, ratio {:.2} · whole {:>5.1} µs, ratio {:.2}",
            kind.name(),
            latencies[n],
            latencies[n] / latencies[0],
            wholes[n],
            wholes[n] / wholes[0],
        );
        let warm: u64 = rounds[n].iter().map(|times| times.warm).sum();
        if warm > 0 {
            let spent: Duration = rounds[n].iter().map(|times| times.warm_latency).sum();
            let each = spent.as_secs_f64() * 1e6 / warm as f64;
            println!(
                "  {:.0} % of them had a warm instance: latency {each:.1} µs (mean), ratio {:.2}",
                100.0 * warm as f64 / (ROUNDS as f64 * f64::from(RUNS)),
                each / latencies[0],
            );
        }
    }
}

fn engine(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let cold_engine = Engine::new(EngineConfig {
        warm: 0,
        ..EngineConfig::default()
    })
    .unwrap();
    let warm_engine = Engine::new(EngineConfig::default()).unwrap();
    let packed = runtime.block_on(support::packed(&cold_engine, "hostile"));
    let kinds = [
        Kind::Bare(Arc::new(Floor::new(&cold_engine, &packed))),
        Kind::Cold(Arc::new(Api::new(&runtime, &cold_engine, &packed, false))),
        Kind::Warm(Arc::new(Api::new(&runtime, &warm_engine, &packed, true))),
    ];
    // `cargo bench -- --test` only asks whether it runs.
    if !std::env::args().any(|arg| arg == "--test") {
        compare(&runtime, &kinds);
    }
    let mut group = criterion.benchmark_group("engine");
    for kind in &kinds {
        group.bench_function(kind.name(), |bencher| {
            bencher.iter_custom(|runs| kind.times(&runtime, runs).latency);
        });
    }
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
