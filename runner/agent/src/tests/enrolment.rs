//! Enrolment against a controller that says yes, and one that says no.

use tempfile::tempdir;

use super::controller::Fake;
use crate::{AgentError, EnrolRequest, enrol, is_enrolled};

fn request(fake: &Fake, state: &std::path::Path, token: &str) -> EnrolRequest {
    EnrolRequest {
        url: format!("http://{}", fake.address),
        token: token.to_owned(),
        state_dir: state.to_owned(),
        ca_bundle: None,
    }
}

#[tokio::test]
async fn a_folder_is_enrolled_once_and_keeps_its_key_through_a_failed_try() {
    let (fake, folder) = (Fake::start().await, tempdir().unwrap());
    let state = folder.path().join("state");
    let error = enrol(request(&fake, &state, "whf_bad")).await.unwrap_err();
    assert!(error.to_string().contains("ask for a new one"), "{error}");
    assert!(!is_enrolled(&state));
    let key = std::fs::read(state.join("runner.key")).unwrap();

    let enrolled = enrol(request(&fake, &state, "whf_good")).await.unwrap();
    assert_eq!(enrolled.group.as_str(), "here");
    assert!(is_enrolled(&state));
    assert_eq!(std::fs::read(state.join("runner.key")).unwrap(), key);
    let card = std::fs::read_to_string(state.join("runner.json")).unwrap();
    assert!(!card.contains("whf_"), "the token is not kept");

    let error = enrol(request(&fake, &state, "whf_good")).await.unwrap_err();
    assert!(
        matches!(error, AgentError::AlreadyEnrolled { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_token_is_never_sent_in_the_clear_to_another_machine() {
    let folder = tempdir().unwrap();
    let request = EnrolRequest {
        url: "http://192.0.2.1".to_owned(),
        token: "whf_good".to_owned(),
        state_dir: folder.path().to_owned(),
        ca_bundle: None,
    };
    let error = enrol(request).await.unwrap_err();
    assert!(matches!(error, AgentError::Address { .. }), "{error}");
}
