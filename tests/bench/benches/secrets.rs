//! What secrets cost: a request with a credential against the same request without, and searching
//! text for secrets that are not in it.
//!
//! Requests are sent by a plugin, many in one run, to a server in this process, so every figure
//! includes HTTP over loopback. The kinds take turns, so that what else the machine does meets them
//! alike; medians of rounds are compared. The server answers with as many bytes as it got, and with
//! a few if it got none; they are searched for the secret as every answer is.
//!
//! `cargo bench -p wharf-bench --bench secrets`

#![allow(missing_docs, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use wharf_engine::{Call, Cancel, Engine, EngineConfig, Outcome, Plugin, Prepared};
use wharf_host::{Scrubber, Secrets, Services, ServicesConfig};
use wharf_stores::Stores;
use wharf_test_support as support;

const TOKEN: &str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";

/// Rounds of a comparison.
const ROUNDS: usize = 60;
/// Requests of each kind in a round, without a body and with one.
const REQUESTS: u32 = 200;
const WITH_BODIES: u32 = 4;

/// A server that answers every request with as many bytes of text as it got, or a few.
fn server() -> SocketAddr {
    let text = Arc::new(text());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let text = text.clone();
            std::thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                while let Some(length) = received(&mut stream) {
                    let body = &text[..length.max(2)];
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    // At once, as a second write would wait for the first one's acknowledgement.
                    if stream.write_all(&[head.as_bytes(), body].concat()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Takes a request in, and gives the length of its body.
fn received(stream: &mut TcpStream) -> Option<usize> {
    let (mut buffer, mut head) = ([0; 64 * 1024], Vec::new());
    let end = loop {
        if let Some(at) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => head.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    };
    let lines = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
    let length = lines
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut left = length.checked_sub(head.len() - end).unwrap();
    while left > 0 {
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => left -= read,
            _ => return None,
        }
    }
    Some(length)
}

/// One way of sending.
struct Kind {
    name: &'static str,
    input: String,
    prepared: Prepared,
    secrets: Arc<Secrets>,
    services: Arc<Services>,
    requests: u32,
}

impl Kind {
    fn new(
        runtime: &Runtime,
        engine: &Engine,
        plugin: &Plugin,
        name: &'static str,
        address: SocketAddr,
        (path, how, lines): (&str, &str, &str),
        bytes: usize,
    ) -> Self {
        let folder = std::env::temp_dir();
        let policy = format!(
            "[[secret]]\nname='key'\nfrom='env:WHARF_BENCH_KEY'\nto=[{{origin='http://{address}',path='/in'}}]\n{lines}\n\
             [[grant]]\nplugins=['*']\nhttp=[{{origin='http://{address}'}}]\nnetworks=['127.0.0.0/8']\n\
             secrets=[{{name='key',rungs=['inject','attach','operate','reveal']}}]\n\
             limits={{requests=100000,request-bytes='1GiB',response-bytes='1GiB'}}"
        );
        let rights = support::rights(plugin.manifest(), "send", &policy);
        let stores = Stores::from_env_snapshot(folder);
        let resolved = runtime
            .block_on(wharf_host::resolve(&rights, &stores))
            .unwrap();
        let prepared = engine
            .prepare(plugin, &"send".parse().unwrap(), rights)
            .unwrap();
        let requests = if bytes == 0 { REQUESTS } else { WITH_BODIES };
        Self {
            name,
            requests,
            input: format!(
                r#"{{"url":"http://{address}{path}","how":"{how}","times":{requests},"bytes":{bytes}}}"#
            ),
            prepared,
            secrets: resolved.secrets,
            services: Arc::new(Services::new(&ServicesConfig::default()).unwrap()),
        }
    }

    /// The time of one run, in which all requests are sent one after the other.
    async fn run(&self) -> Duration {
        let call = Call {
            execution: "01J".to_owned(),
            attempt: 1,
            input: self.input.clone().into(),
            cancel: Cancel::new(),
            events: Arc::new(support::Nobody),
            services: Arc::clone(&self.services),
            secrets: Arc::clone(&self.secrets),
        };
        let begun = Instant::now();
        let report = self.prepared.run(call).await;
        let took = begun.elapsed();
        assert!(matches!(report.outcome, Outcome::Done(_)), "{report:?}");
        took
    }
}

/// Compares the kinds with the first of them.
fn compare(runtime: &Runtime, what: &str, kinds: &[Kind]) {
    // `cargo bench -- --test` only asks whether it runs.
    let rounds = if std::env::args().any(|arg| arg == "--test") {
        1
    } else {
        ROUNDS
    };
    let mut times: Vec<Vec<Duration>> = kinds.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for (kind, times) in kinds.iter().zip(&mut times) {
            let took = runtime.block_on(kind.run());
            // The first round is for caches and connections.
            if round > 0 {
                times.push(took / kind.requests);
            }
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    };
    let medians: Vec<f64> = times.iter_mut().map(median).collect();
    for (kind, median) in kinds.iter().zip(&medians) {
        println!(
            "{:<16} {median:>8.1} µs {what}, {:>+7.1} µs",
            kind.name,
            median - medians[0]
        );
    }
}

fn requests(criterion: &mut Criterion) {
    if std::env::var_os("WHARF_BENCH_KEY").is_none() {
        // A child has it in its environment from the beginning; this process cannot set it.
        let program = std::env::current_exe().unwrap();
        let status = std::process::Command::new(program)
            .args(std::env::args_os().skip(1))
            .env("WHARF_BENCH_KEY", TOKEN)
            .status()
            .unwrap();
        assert!(status.success());
        std::process::exit(0);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let packed = runtime.block_on(support::packed(&engine, "rungs"));
    let plugin = runtime
        .block_on(engine.load(&support::verified(packed)))
        .unwrap();
    let address = server();
    let aws = "operations=['aws-sigv4']\nas={aws-sigv4={region='eu-west-1',service='execute-api',access-key-id='AKIDEXAMPLE'}}";
    let of = |bytes: usize| {
        [
            ("without", ("/out", "plain", "as='bearer'")),
            ("inject, bearer", ("/in", "plain", "as='bearer'")),
            ("inject, query", ("/in", "plain", "as={query={name='key'}}")),
            ("attach", ("/in", "attach", "as='bearer'")),
            ("inject, SigV4", ("/in", "plain", aws)),
        ]
        .into_iter()
        .map(|(name, how)| Kind::new(&runtime, &engine, &plugin, name, address, how, bytes))
        .collect::<Vec<Kind>>()
    };
    compare(&runtime, "a request", &of(0));
    let with_bodies = of(1 << 20);
    compare(&runtime, "a request with a MiB each way", &with_bodies);
    let kinds = of(0);

    let mut group = criterion.benchmark_group("requests");
    group.sample_size(20);
    for kind in &kinds {
        group.bench_function(kind.name, |bencher| {
            bencher.iter_custom(|runs| {
                (0..runs)
                    .map(|_| runtime.block_on(kind.run()) / kind.requests)
                    .sum()
            });
        });
    }
    group.finish();
}

/// Secrets as they are in use: tokens, passwords with special characters, and one short one.
fn secrets(number: usize) -> Vec<(String, String)> {
    let shapes = |n: usize| match n % 4 {
        0 => format!("ghp_16C7e42F292c6912E7710c838347Ae178B{n:02}"),
        1 => format!("xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzq{n:02}"),
        2 => format!("p&ss/w<rd\"+{n:02}!"),
        _ => format!("hunter2{n}"),
    };
    (0..number).map(|n| (format!("s{n}"), shapes(n))).collect()
}

/// About a MiB of log lines and JSON, with nothing secret in it.
fn text() -> Vec<u8> {
    let mut text = String::new();
    let mut n = 0_u32;
    while text.len() < 1 << 20 {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "2026-11-20T12:36:{:02}Z INFO request handled status={} path=/v1/customers/{n:x}/orders bytes={}",
            n % 60,
            200 + n % 5,
            n >> 12,
        );
        let _ = writeln!(
            text,
            r#"{{"customer":"c-{n}","lines":[{{"sku":"a{}","n":1,"note":"as agreed, \"soon\"\nthank you"}}]}}"#,
            n % 977,
        );
    }
    text.into_bytes()
}

fn scrubbing(criterion: &mut Criterion) {
    let text = text();
    let base64 = {
        // MIME: what is searched twice.
        let mut lines = String::new();
        for (at, byte) in text.iter().enumerate() {
            if at > 0 && at % 76 == 0 {
                lines.push_str("\r\n");
            }
            lines.push(char::from(b'A' + byte % 26));
        }
        lines.into_bytes()
    };
    let mut group = criterion.benchmark_group("scrubbing");
    group.sample_size(30);
    for number in [1, 10] {
        let secrets = secrets(number);
        let named = || {
            secrets
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
        };
        let scrubber = Scrubber::new(named()).unwrap();
        for (what, text) in [("text", &text), ("wrapped base64", &base64)] {
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(format!("{what}, {number} secrets"), |bencher| {
                bencher.iter(|| black_box(scrubber.scrub_bytes(black_box(text)).len()));
            });
        }
        let chunks: Vec<bytes::Bytes> = text
            .chunks(16 * 1024)
            .map(bytes::Bytes::copy_from_slice)
            .collect();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(
            format!("text in chunks of 16 KiB, {number} secrets"),
            |bencher| {
                bencher.iter(|| {
                    let mut stream = scrubber.stream();
                    let pushed: usize = chunks.iter().map(|c| stream.push(c.clone()).len()).sum();
                    black_box(pushed + stream.finish().len())
                });
            },
        );
        // Text that is nearly a secret everywhere: what the bound on the work is for.
        let near = secrets[0].1[..secrets[0].1.len() - 1].repeat(text.len() / secrets[0].1.len());
        group.throughput(Throughput::Bytes(near.len() as u64));
        group.bench_function(format!("nearly a secret, {number} secrets"), |bencher| {
            bencher.iter(|| black_box(scrubber.scrub_bytes(black_box(near.as_bytes())).len()));
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("setting up for {number} secrets"), |bencher| {
            bencher.iter(|| black_box(Scrubber::new(named()).unwrap()));
        });
    }
    group.finish();
}

criterion_group!(benches, requests, scrubbing);
criterion_main!(benches);
