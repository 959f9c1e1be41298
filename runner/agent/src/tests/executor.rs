//! An executor for tests: the name of the action says what it does.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use wharf_policy::Digest;
use wharf_protocol::{Assignment, Level, LogEntry, Payload, Progress, Verdict};

use crate::execute::{Context, Execute, Executed};

/// Runs attempts as the test wants.
pub(super) struct FakeExecutor {
    /// Runs that have passed the gate.
    pub(super) started: AtomicUsize,
    /// A permit lets one `wait`, `stubborn` or `prepare` go on.
    pub(super) go: Semaphore,
}

impl Default for FakeExecutor {
    fn default() -> Self {
        Self {
            started: AtomicUsize::new(0),
            go: Semaphore::new(0),
        }
    }
}

fn done(output: String) -> Executed {
    Executed::unstarted(Verdict::Done {
        output: Payload::Inline(output),
    })
}

impl FakeExecutor {
    pub(super) fn starts(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    async fn go(&self) {
        self.go.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl Execute for FakeExecutor {
    async fn execute(&self, assignment: Assignment, context: &Context) -> Executed {
        let Payload::Inline(input) = assignment.input else {
            panic!("the tests send inputs inline")
        };
        let action = assignment.action.as_str();
        if action == "prepare" {
            self.go().await;
        }
        if context.start().await.is_err() {
            return Executed::unstarted(Verdict::Cancelled {
                reason: context.cancel.reason(),
            });
        }
        self.started.fetch_add(1, Ordering::SeqCst);
        match action {
            "wait" => tokio::select! {
                () = self.go() => done(input),
                () = context.cancel.requested().cancelled() => {
                    Executed::unstarted(Verdict::Cancelled {
                        reason: format!("politely: {}", context.cancel.reason()),
                    })
                }
            },
            "stubborn" => {
                self.go().await;
                done(input)
            }
            "large" => done(format!("\"{}\"", "x".repeat(input.parse().unwrap()))),
            "chatty" => {
                for number in 0..input.parse().unwrap() {
                    context.reporter.log(LogEntry {
                        time_ms: number,
                        level: Level::Info,
                        message: format!("line {number}"),
                        fields: vec![],
                    });
                }
                done(input)
            }
            "progress" => {
                context.reporter.progress(Progress {
                    fraction: Some(0.5),
                    message: "half".to_owned(),
                });
                self.go().await;
                done(input)
            }
            "panic" => panic!("as the test wants"),
            _ => done(input),
        }
    }

    fn held(&self) -> Vec<Digest> {
        vec![Digest::from_bytes([1; 32])]
    }
}
