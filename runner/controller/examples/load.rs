//! How fast is the controller by itself? A real server, a runner over a real WebSocket that
//! answers at once, and submitters over keep-alive HTTP that wait for the end, all in this process.
//!
//! `cargo run --release -p wharf-controller --example load -- [SECONDS]`

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;
use support::{House, done, result};
use wharf_protocol::{Pipe, ToController, ToRunner};

#[tokio::main]
async fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(5);
    let house = House::furnished().await;
    let identity = house.enrol().await;
    let mut runner = house.connect(&identity, Pipe::Control, &[], &[]).await;
    runner.send(&[ToController::Credit { add: 1_000 }]).await;
    tokio::spawn(async move {
        while let Some(frame) = runner.try_next().await {
            let mut answers = Vec::new();
            let mut next = Some(frame);
            while let Some(frame) = next {
                if let ToRunner::Assign(assignment) = frame {
                    answers.push(result(assignment.key, done("{\"ok\":true}")));
                    answers.push(ToController::Credit { add: 1 });
                }
                next = runner.ready_frame();
            }
            if !answers.is_empty() {
                runner.send(&answers).await;
            }
        }
    });
    println!("in flight |    per s |  p50 ms |  p99 ms");
    for in_flight in [1, 4, 16, 64, 256] {
        let (rate, p50, p99) = round(&house, in_flight, Duration::from_secs(seconds)).await;
        println!("{in_flight:>9} | {rate:>8.0} | {p50:>7.3} | {p99:>7.3}");
    }
    house.running.shutdown().await;
}

async fn round(house: &House, in_flight: usize, time: Duration) -> (f64, f64, f64) {
    let url = house.url("/v1/executions?wait_ms=30000");
    let body = json!({
        "group": "edge", "plugin": "shop/orders", "action": "find", "input": {"id": 1},
    })
    .to_string();
    let client = Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(1_000)
        .build()
        .expect("a client without options can be built");
    let begin = Instant::now();
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| {
            let request = client
                .post(&url)
                .bearer_auth(house.running.admin_token())
                .body(body.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while begin.elapsed() < time {
                    let start = Instant::now();
                    let request = request.try_clone().expect("the body is in memory");
                    let response = request.send().await.expect("the server is there");
                    assert_eq!(response.status(), 201);
                    let text = response.text().await.expect("the answer is whole");
                    assert!(text.contains("\"outcome\":\"done\""), "{text}");
                    times.push(start.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("no submitter fails"));
    }
    let took = begin.elapsed();
    times.sort();
    let at = |part: f64| times[(times.len() as f64 * part) as usize].as_secs_f64() * 1e3;
    (times.len() as f64 / took.as_secs_f64(), at(0.5), at(0.99))
}
