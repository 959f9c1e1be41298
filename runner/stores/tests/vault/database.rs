//! Dynamic secrets: a role in a real PostgreSQL for each execution, gone when it has ended.

use wharf_stores::{Freshness, Resolution, Trouble};
use wharf_test_servers::Postgres;

use crate::support::{LONG, ROOT, World, until, values, world};

const PLACE: [&str; 2] = [
    "vault:database/creds/app#username",
    "vault:database/creds/app#password",
];

/// The database engine over a server, with roles that hold this long.
async fn database(world: &World, ttl: &str) -> Option<Postgres> {
    let postgres = Postgres::start().await?;
    world.bao.lend_roles(&postgres, ttl).await;
    Some(postgres)
}

/// How many roles there are that OpenBao made.
fn roles(postgres: &Postgres) -> usize {
    let count = postgres.query("select count(*) from pg_roles where rolname like 'v-%'");
    count.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_execution_has_a_role_of_its_own_that_is_gone_when_it_has_ended() {
    let world = world!();
    let Some(postgres) = database(&world, "1h").await else {
        return;
    };
    let policy = world.policy(ROOT, &PLACE);
    let stores = world.stores(&policy);
    let one = stores.resolve(&policy.secrets).await;
    let other = stores.resolve(&policy.secrets).await;
    assert_eq!(one.freshness, Freshness::Once);
    assert_eq!((one.leases.len(), roles(&postgres)), (1, 2));
    let login = |resolution: &Resolution| {
        let values: Vec<_> = values(resolution).into_iter().map(Result::unwrap).collect();
        postgres.query_as(&values[0], &values[1], "select current_user")
    };
    // Name and password belong together.
    let name = login(&one).unwrap();
    assert_ne!(name, login(&other).unwrap());

    drop(one);
    until("the first role is gone", async || roles(&postgres) == 1).await;
    let other_name = login(&other).unwrap();
    assert_ne!(name, other_name);
    drop(other);
    stores.finish(LONG).await;
    assert_eq!(roles(&postgres), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_renewed_for_as_long_as_the_execution_runs() {
    let world = world!();
    let Some(postgres) = database(&world, "9s").await else {
        return;
    };
    let policy = world.policy(ROOT, &PLACE);
    let stores = world.stores(&policy);
    let resolution = stores.resolve(&policy.secrets).await;
    let got: Vec<_> = values(&resolution)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    // It is renewed after two thirds of its time: once would not have been enough.
    tokio::time::sleep(std::time::Duration::from_secs(17)).await;
    assert_eq!(
        postgres
            .query_as(&got[0], &got[1], "select current_user")
            .unwrap(),
        got[0]
    );
    drop(resolution);
    stores.finish(LONG).await;
    assert_eq!(roles(&postgres), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_gone_even_if_the_execution_panics_or_is_dropped() {
    let world = world!();
    let Some(postgres) = database(&world, "1h").await else {
        return;
    };
    let policy = world.policy(ROOT, &PLACE);
    let stores = world.stores(&policy);
    let resolution = stores.resolve(&policy.secrets).await;
    let run = tokio::spawn(async move {
        let _held = resolution;
        panic!("as a test");
    });
    assert!(run.await.unwrap_err().is_panic());

    let resolution = stores.resolve(&policy.secrets).await;
    let run = tokio::spawn(async move {
        let _held = resolution;
        std::future::pending::<()>().await;
    });
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    stores.finish(LONG).await;
    assert_eq!(roles(&postgres), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_over_also_where_the_database_is_away_when_it_is_given_back() {
    let world = world!();
    let Some(postgres) = database(&world, "1h").await else {
        return;
    };
    let policy = world.policy(ROOT, &PLACE);
    let stores = world.stores(&policy);
    let resolution = stores.resolve(&policy.secrets).await;
    let lent = world.bao.list("sys/leases/lookup/database/creds/app").await;
    assert_eq!(lent.len(), 1);
    drop(postgres);
    drop(resolution);
    stores.finish(LONG).await;
    // OpenBao has it still, tries to be rid of the role, and gives it no more time.
    let id = format!("database/creds/app/{}", lent[0]);
    let lease = serde_json::json!({ "lease_id": id });
    let lease = world.bao.write("sys/leases/lookup", lease).await;
    let left = lease["data"]["ttl"].as_i64().unwrap();
    assert!(left <= 0, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_says_about_its_database_is_not_repeated() {
    let world = world!();
    let Some(postgres) = database(&world, "1h").await else {
        return;
    };
    drop(postgres);
    let got = world.get(ROOT, &PLACE).await;
    for error in got.iter().map(|one| one.as_ref().unwrap_err()) {
        assert_eq!(error.trouble(), Trouble::Outage);
        let text = format!("{error} {error:?}");
        assert!(text.contains("`vault`"), "{text}");
        assert!(!text.contains("postgres"), "{text}");
    }
}
