//! The first command of the README.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use wharf_e2e::{source, wharf_in};

#[test]
fn the_demo_does_three_actions_and_refuses_eight_attacks() {
    let answer = wharf_in(&source(), &["demo", "--json"], &[]);
    assert_eq!(answer.code, 0, "{}\n{}", answer.out, answer.err);
    let account: Value = answer.json();
    assert_eq!(account["ok"], true, "{account}");
    assert_eq!(account["executions"].as_array().unwrap().len(), 3);
    let refusals = account["refusals"].as_array().unwrap();
    assert_eq!(refusals.len(), 8);
    for refusal in refusals {
        assert_ne!(refusal["outcome"], "done", "{refusal}");
        let message = refusal["error"]["message"].as_str().unwrap();
        assert!(message.len() > 20, "an error that says nothing: {message}");
    }
}
