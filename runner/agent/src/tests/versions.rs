//! Older versions of what a runner has run: kept out, also after a restart, unless its policy says
//! otherwise.

use wharf_policy::Digest;
use wharf_protocol::Verdict;

use super::key;
use super::real::{FAILS, House, bundle_of, failed_with, work};

const TRUST: &str = "[[trust]]\nplugins = ['*']\nkeys = ['trusted.pub']\n";

/// What becomes of the plugin `test` of that digest.
async fn run(house: &mut House, attempt: u128, digest: Digest) -> Verdict {
    house.run(work(key(attempt), "test", digest)).await
}

/// Whether it ran; why not, if it was refused.
fn ran(verdict: Verdict) -> Result<(), String> {
    match verdict {
        Verdict::Refused { message } => Err(message),
        // That is what the program does.
        verdict if failed_with(&verdict, "exit-1") => Ok(()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_below_one_that_ran_before_the_restart_runs_only_if_the_policy_lets_it_in() {
    let mut house = House::with_policy(TRUST, &[]).await;
    let [one, two] =
        ["1.0.0", "2.0.0"].map(|version| house.publish_signed(&bundle_of("test", version, FAILS)));
    ran(run(&mut house, 1, two).await).unwrap();

    house = house.restart().await;
    let why = ran(run(&mut house, 2, one).await).unwrap_err();
    for part in ["test", "1.0.0", "2.0.0", "allow-older = true"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert!(why.contains(&one.to_string()), "{why}");

    let pinned = format!("{TRUST}pinned-digests = ['{one}']\n");
    let older = format!("{TRUST}allow-older = true\n");
    for (attempt, policy) in [(3, older), (5, pinned)] {
        house = house.restart_with_policy(&policy).await;
        ran(run(&mut house, attempt, one).await).unwrap();
        // That it was let in once lets nothing in later.
        house = house.restart_with_policy(TRUST).await;
        let why = ran(run(&mut house, attempt + 1, one).await).unwrap_err();
        assert!(why.contains("2.0.0"), "{policy}: {why}");
    }
    ran(run(&mut house, 7, two).await).unwrap();
}
