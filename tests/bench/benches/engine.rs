//! One action, by the engine's public API against bare wasmtime: the same component, process,
//! compiled code, pool and input. Every run has a fresh instance. The engine's has rights, limits,
//! log capture, checked input and output, and scrubbing; the bare one has no host at all.
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

struct Nobody;

impl Events for Nobody {
    fn log(&self, _: wharf_host::LogLine) {}
    fn progress(&self, _: wharf_host::Progress) {}
    fn audit(&self, _: wharf_host::AuditEvent) {}
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
            events: Arc::new(Nobody),
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

fn compare(runtime: &Runtime, floor: &Floor, cold: &Api, warm: &Api) {
    let (mut bare, mut cold_times, mut warm_times) = (vec![], vec![], vec![]);
    let mut warm_starts = 0;
    runtime.block_on(async {
        for round in 0..=ROUNDS {
            let begun = Instant::now();
            for _ in 0..RUNS {
                floor.run().await;
            }
            let at_floor = Instant::now();
            for _ in 0..RUNS {
                assert_eq!(cold.run().await, Start::Cold);
            }
            let at_cold = Instant::now();
            let mut starts = 0;
            for _ in 0..RUNS {
                starts += u32::from(warm.run().await == Start::Warm);
            }
            let at_warm = Instant::now();
            // The first round is for caches and the pool.
            if round > 0 {
                bare.push((at_floor - begun) / RUNS);
                cold_times.push((at_cold - at_floor) / RUNS);
                warm_times.push((at_warm - at_cold) / RUNS);
                warm_starts += starts;
            }
        }
    });
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    };
    let bare = median(&mut bare);
    let share = 100.0 * f64::from(warm_starts) / (ROUNDS as f64 * f64::from(RUNS));
    println!("bare wasmtime: {bare:.1} µs a run");
    let cold = median(&mut cold_times);
    println!("engine, cold:  {cold:.1} µs a run, ratio {:.2}", cold / bare);
    let warm = median(&mut warm_times);
    println!(
        "engine, warm:  {warm:.1} µs a run, ratio {:.2} ({share:.0} % of the runs had a warm instance)",
        warm / bare
    );
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
    let floor = Floor::new(&cold_engine, &packed);
    let cold = Api::new(&runtime, &cold_engine, &packed, false);
    let warm = Api::new(&runtime, &warm_engine, &packed, true);
    compare(&runtime, &floor, &cold, &warm);

    let mut group = criterion.benchmark_group("engine");
    group.bench_function("bare wasmtime", |bencher| {
        bencher.to_async(&runtime).iter(|| floor.run());
    });
    group.bench_function("cold", |bencher| {
        bencher.to_async(&runtime).iter(|| cold.run());
    });
    group.bench_function("warm", |bencher| {
        bencher.to_async(&runtime).iter(|| warm.run());
    });
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
