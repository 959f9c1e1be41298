//! What is refused, sent again and again: it must not push what happened before out of the record.

use wharf_policy::Digest;
use wharf_protocol::Verdict;

use super::super::key;
use super::super::real::{FAILS, House, bundle, work};
use super::audited;

#[tokio::test(flavor = "multi_thread")]
async fn refused_work_without_end_grows_the_record_by_a_bounded_number_of_lines() {
    let mut house = House::with_grants("").await;
    let unsigned = house.publish(&bundle("test", FAILS), None);
    for number in 1..=150 {
        let verdict = house.run(work(key(number), "test", unsigned)).await;
        assert!(matches!(verdict, Verdict::Refused { .. }), "{verdict:?}");
    }
    // What is refused for another reason meanwhile has its line.
    let nowhere = Digest::from_bytes([7; 32]);
    house.run(work(key(200), "test", nowhere)).await;
    // What was counted is told at the end, if not before.
    let house = house.restart().await;

    let record = audited(&house.state);
    let says = |says: &str| {
        let told = record
            .iter()
            .filter(|line| line.event == "dispatch-refused");
        told.filter(|line| line.text("why").unwrap().contains(says))
            .count() as u64
    };
    assert_eq!(says("has no bundle"), 1);
    // One line a minute comes on top, however slow this machine is.
    let told = says("not signed");
    assert!((60..100).contains(&told), "{told}");
    let folded = record.iter().filter(|line| line.event == "refusals-folded");
    let counts: Vec<_> = folded
        .map(|line| {
            assert_eq!(line.text("of"), Some("dispatch-refused"));
            assert_eq!(line.text("kind"), Some("unsigned"));
            line.members["count"].as_u64().unwrap()
        })
        .collect();
    assert!(counts.len() < 20);
    assert_eq!(told + counts.iter().sum::<u64>(), 150, "each is counted");
    wharf_audit::verify(&house.state.join("audit"), None).unwrap();
}
