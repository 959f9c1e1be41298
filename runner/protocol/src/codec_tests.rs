//! Frames come back as they went, and nothing else comes in.

use super::*;
use crate::*;
use proptest::prelude::*;
use wharf_policy::{CallRights, Digest};

fn key(number: u32) -> AttemptKey {
    AttemptKey {
        execution: ExecutionId::from_ulid(ulid::Ulid(7)),
        attempt: number,
    }
}

fn result(output: &str) -> ToController {
    ToController::Result {
        key: key(1),
        verdict: Verdict::Done {
            output: Payload::Inline(output.to_owned()),
        },
        usage: Usage::default(),
        timings: Timings::default(),
    }
}

fn message(frames: &[ToController]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        encode(&mut bytes, frame).unwrap();
    }
    bytes
}

#[test]
fn frames_of_one_message_come_back_in_order() {
    let frames = vec![
        ToController::Accept(key(1)),
        ToController::Started(key(1)),
        result("{\"a\":1}"),
        ToController::Credit { add: 1 },
        ToController::Draining,
    ];
    assert_eq!(decode::<ToController>(&message(&frames)).unwrap(), frames);
}

#[test]
fn an_assignment_survives_the_wire() {
    let assignment = ToRunner::Assign(Box::new(Assignment {
        key: key(3),
        plugin: "acme/http".parse().unwrap(),
        digest: Digest::from_bytes([7; 32]),
        action: "request".parse().unwrap(),
        input: Payload::Stored {
            digest: Digest::from_bytes([9; 32]),
            size: 1 << 20,
        },
        rights: CallRights::default(),
        lease_ms: 30_000,
    }));
    let mut bytes = Vec::new();
    encode(&mut bytes, &assignment).unwrap();
    assert_eq!(decode::<ToRunner>(&bytes).unwrap(), [assignment]);
}

#[test]
fn a_frame_that_is_cut_off_is_refused_at_every_length() {
    let whole = message(&[result("{}")]);
    for end in 0..whole.len() {
        assert!(
            decode::<ToController>(&whole[..end]).is_err(),
            "cut at {end}"
        );
    }
}

#[test]
fn an_unknown_frame_is_refused_by_name() {
    let mut bytes = Vec::new();
    encode(
        &mut bytes,
        &std::collections::BTreeMap::from([("explode", 1)]),
    )
    .unwrap();
    let error = decode::<ToController>(&bytes).unwrap_err().to_string();
    assert!(error.contains("explode"), "{error}");
}

#[test]
fn an_oversized_message_is_refused_unread() {
    assert!(matches!(
        decode::<ToController>(&vec![0; MAX_MESSAGE + 1]),
        Err(DecodeError::TooLarge(_))
    ));
}

#[test]
fn a_message_of_too_many_frames_is_refused() {
    let frames = vec![ToController::Draining; 5000];
    assert!(matches!(
        decode::<ToController>(&message(&frames)),
        Err(DecodeError::TooMany)
    ));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = decode::<ToController>(&bytes);
        let _ = decode::<ToRunner>(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0usize..200, byte in any::<u8>()) {
        let mut bytes = message(&[result("{\"a\":[1,2,3]}"), ToController::Accept(key(2))]);
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = decode::<ToController>(&bytes);
    }

    #[test]
    fn deep_nesting_is_refused_without_exhausting_the_stack(depth in 1usize..100_000) {
        prop_assert!(decode::<ToController>(&vec![0x91; depth]).is_err());
    }
}
