//! The credit log from a streaming replica of Postgres.
//!
//! `LEDGERBELL_TEST_REPLICA_URL` names a replica of the server that `LEDGERBELL_TEST_DATABASE_URL` names. Its replay is paused, so these
//! tests run one after the other: `scripts/test.sh` has a stage for them. Tests that need no replica, only a server that is none,
//! run on any Postgres.

use std::time::{Duration, Instant};

use ledgerbell::domain::Services;
use ledgerbell::domain::database::ReplicaResult;
use ledgerbell::domain::top_up::TopUpOrigin;
use ledgerbell::primitives::actor::{Actor, Cause};
use ledgerbell::primitives::credits::Credits;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

use crate::cli::ledgerbell;
use crate::harness::{
    Proxy, TestApp, TestDatabase, address_of, by_way_of, connect, execute, free_port, in_database, with,
};

const LOG: &str = "query($first: Int, $after: String) { account {
    creditLog(first: $first, after: $after) {
        nodes { sequence amount }
        edges { cursor }
        totals { count added }
    }
    creditUsage(groupBy: [DAY]) { nodes { closingBalance totals { count } } }
} }";

/// The replica of this run, and its primary.
struct Standby {
    url: String,
    replica: DatabaseConnection,
    primary: DatabaseConnection,
}

impl Standby {
    /// `None` where the run has no replica.
    async fn find() -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let url = variable("LEDGERBELL_TEST_REPLICA_URL")?;
        let primary = variable("LEDGERBELL_TEST_DATABASE_URL").expect("the primary of the replica");
        let standby = Self {
            replica: connect(&url).await,
            primary: connect(&primary).await,
            url,
        };
        // A test that has failed may have left it paused.
        standby.resume().await;
        Some(standby)
    }

    async fn pause(&self) {
        execute(&self.replica, "SELECT pg_wal_replay_pause()").await;
        let is_paused = "SELECT pg_get_wal_replay_pause_state() = 'paused' AS holds";
        self.until(is_paused).await;
    }

    async fn resume(&self) {
        execute(&self.replica, "SELECT pg_wal_replay_resume()").await;
    }

    /// Waits until the replica has what the primary has now.
    async fn catch_up(&self) {
        let sql = "SELECT CAST(pg_current_wal_insert_lsn() AS text) AS position";
        let row = self
            .primary
            .query_one_raw(Statement::from_string(DbBackend::Postgres, sql));
        let row = row.await.expect("a position").expect("a row");
        let position: String = row.try_get("", "position").expect("a text");
        let has_it = format!("SELECT pg_last_wal_replay_lsn() >= '{position}' AS holds");
        self.until(&has_it).await;
    }

    async fn until(&self, condition: &str) {
        let waiting = async {
            loop {
                let statement = Statement::from_string(DbBackend::Postgres, condition);
                let row = self
                    .replica
                    .query_one_raw(statement)
                    .await
                    .expect("reads")
                    .expect("a row");
                if row.try_get::<bool>("", "holds").expect("a truth") {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .expect(condition);
    }

    /// Creates a database that the replica has too, and returns its URL on the replica.
    async fn database(&self) -> (TestDatabase, String) {
        let database = TestDatabase::make().await;
        let (_, name) = database.url.rsplit_once('/').expect("a database");
        let url = in_database(&self.url, name);
        self.catch_up().await;
        (database, url)
    }
}

/// Whether the tests run on Postgres, directly: a pooler answers for one server.
fn is_on_postgres() -> bool {
    let is_set = |name| std::env::var(name).is_ok_and(|value| !value.is_empty());
    is_set("LEDGERBELL_TEST_DATABASE_URL") && !is_set("LEDGERBELL_TEST_POOLER_URL")
}

async fn started(database: TestDatabase, replica_url: &str) -> TestApp {
    Box::pin(TestApp::start_on(database, &[("database.replica_url", replica_url)])).await
}

fn count(app: &TestApp, result: ReplicaResult) -> u64 {
    let counts = app.services().credit_log.replica_reads();
    counts
        .into_iter()
        .find(|(known, _)| *known == result)
        .map_or(0, |(_, count)| count)
}

/// Adds a credit by any process.
async fn add(services: &Services, app: &TestApp) {
    let cause = Cause::Member(app.team.owner.member.id);
    let (account_id, one) = (app.team.account.id, Credits::whole(1));
    let paid = services
        .top_ups
        .record_paid(&Actor::System, account_id, one, TopUpOrigin::Manual, cause);
    paid.await.expect("the top-up is credited");
}

async fn log(app: &TestApp, variables: Value) -> Value {
    app.team.owner.client.query(LOG, variables).await.data().clone()
}

fn sequences(log: &Value) -> Vec<i64> {
    let nodes = log["account"]["creditLog"]["nodes"].as_array().expect("a list");
    let numbers = nodes
        .iter()
        .map(|node| node["sequence"].as_str().expect("a text").parse());
    numbers.map(|number| number.expect("a number")).collect()
}

/// Fails unless all figures of a response are of the log with this number of entries of one credit.
fn assert_has(log: &Value, entries: i64) {
    let account = &log["account"];
    let (totals, day) = (&account["creditLog"]["totals"], &account["creditUsage"]["nodes"][0]);
    assert_eq!(sequences(log).first(), Some(&entries), "{log}");
    let figures = [
        &totals["count"],
        &totals["added"],
        &day["closingBalance"],
        &day["totals"]["count"],
    ];
    let expected = json!(entries.to_string());
    assert!(figures.iter().all(|figure| **figure == expected), "{log}");
}

#[tokio::test]
async fn what_any_process_has_acknowledged_is_seen_at_once_and_a_replica_that_is_behind_is_not_used() {
    let Some(standby) = Standby::find().await else { return };
    let (database, url) = standby.database().await;
    let app = started(database, &url).await;
    let other = app.another_process(&[]).await;
    add(app.services(), &app).await;
    standby.catch_up().await;
    assert_has(&log(&app, json!({})).await, 1);
    assert_eq!(
        count(&app, ReplicaResult::Answered),
        3,
        "the page, its totals and the usage"
    );

    standby.pause().await;
    for entries in 2..8 {
        let services = if entries % 2 == 0 {
            other.services()
        } else {
            app.services()
        };
        add(services, &app).await;
        assert_has(&log(&app, json!({})).await, entries);
    }
    assert_eq!(count(&app, ReplicaResult::Answered), 3);
    assert_eq!(count(&app, ReplicaResult::Behind), 18);

    standby.resume().await;
    standby.catch_up().await;
    assert_has(&log(&app, json!({})).await, 7);
    assert_eq!(count(&app, ReplicaResult::Answered), 6);
    // The replica replays while these are posted: whichever server answers, it has all of them.
    for entries in 8..40 {
        add(other.services(), &app).await;
        assert_has(&log(&app, json!({})).await, entries);
    }
    let tried = count(&app, ReplicaResult::Answered) + count(&app, ReplicaResult::Behind);
    assert_eq!(tried, 6 + 18 + 32 * 3, "no read has failed");
    other.close().await;
}

#[tokio::test]
async fn pages_from_both_servers_and_a_file_from_both_fit_together() {
    let Some(standby) = Standby::find().await else { return };
    let (database, url) = standby.database().await;
    let app = started(database, &url).await;
    for _ in 0..7 {
        add(app.services(), &app).await;
    }
    standby.catch_up().await;
    let mut seen = Vec::new();
    let mut after = Value::Null;
    for page in 0..3 {
        if page == 1 {
            standby.pause().await;
            add(app.services(), &app).await;
        }
        let found = log(&app, json!({ "first": 3, "after": after })).await;
        seen.extend(sequences(&found));
        let edges = found["account"]["creditLog"]["edges"].as_array().expect("a list");
        after = edges.last().expect("an edge")["cursor"].clone();
        if page == 1 {
            standby.resume().await;
            standby.catch_up().await;
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(count(&app, ReplicaResult::Answered), 6);
    assert_eq!(count(&app, ReplicaResult::Behind), 3);

    let mut files = Vec::new();
    for is_behind in [false, true] {
        if is_behind {
            standby.pause().await;
            add(app.services(), &app).await;
        }
        files.push(file(&app).await.lines().count());
    }
    assert_eq!(files, [8, 9]);
    assert_eq!(count(&app, ReplicaResult::Answered), 7, "the first file");
    standby.resume().await;
}

/// Downloads the log as lines of JSON.
async fn file(app: &TestApp) -> String {
    let link = "{ account { creditLogExport(format: JSONL) { url } } }";
    let link = app.team.owner.client.query(link, json!({})).await;
    let url = link.at("/account/creditLogExport/url").as_str().expect("a link");
    let response = reqwest::get(url).await.expect("an answer");
    response.text().await.expect("a text")
}

#[tokio::test]
async fn a_file_of_the_replica_has_the_titles_of_its_sessions() {
    let Some(standby) = Standby::find().await else { return };
    let (database, url) = standby.database().await;
    let app = started(database, &url).await;
    add(app.services(), &app).await;
    add(app.services(), &app).await;
    let booking = with(app.booking("1", "booked", 60..90), json!({ "title": "Yoga" }));
    let completed = json!({ "sessionId": app.book(booking).await, "idempotencyKey": "completed" });
    app.platform.apply("completeSession", "", completed).await;
    standby.catch_up().await;
    let answered = count(&app, ReplicaResult::Answered);
    let file = file(&app).await;
    assert_eq!(count(&app, ReplicaResult::Answered), answered + 1);
    assert!(file.contains(r#""session":"Yoga""#), "{file}");
}

#[tokio::test]
async fn a_page_that_can_be_followed_has_all_entries_up_to_its_cursor() {
    let Some(standby) = Standby::find().await else { return };
    let (database, url) = standby.database().await;
    let app = started(database, &url).await;
    add(app.services(), &app).await;
    standby.catch_up().await;
    let followed = "{ account { creditLog { liveCursor nodes { sequence } } } }";
    let found = app.team.owner.client.query(followed, json!({})).await;
    assert_eq!(sequences(found.data()), [1]);
    assert_eq!(
        count(&app, ReplicaResult::Answered),
        1,
        "its cursor is read before the account"
    );
    let tried = || -> u64 {
        let counts = app.services().credit_log.replica_reads();
        counts.iter().map(|(_, count)| count).sum()
    };
    // This account is not known before it is read, nor its cursor. So the known end of its log is too old, whichever cursor it is.
    for selection in [
        "creditLog { liveCursor nodes { sequence } }",
        "liveCursor creditLog { nodes { sequence } } creditUsage(groupBy: [DAY]) { nodes { totals { count } } }",
    ] {
        let named = format!("{{ account(externalId: \"team\") {{ {selection} }} }}");
        let found = app.platform.query(&named, json!({})).await;
        assert_eq!(sequences(found.data()), [1], "{selection}");
        assert_eq!(tried(), 1, "{selection}");
    }
    let without = "{ account(externalId: \"team\") { creditLog { nodes { sequence } } } }";
    let found = app.platform.query(without, json!({})).await;
    assert_eq!(sequences(found.data()), [1]);
    assert_eq!(count(&app, ReplicaResult::Answered), 2, "no cursor is selected");
}

#[tokio::test]
async fn a_mute_replica_delays_few_reads_and_is_used_again_afterwards() {
    let Some(standby) = Standby::find().await else { return };
    let (database, url) = standby.database().await;
    let proxy = Proxy::start(address_of(&url)).await;
    let app = started(database, &by_way_of(&url, &proxy.address)).await;
    add(app.services(), &app).await;
    standby.catch_up().await;
    assert_has(&log(&app, json!({})).await, 1);
    assert_eq!(count(&app, ReplicaResult::Answered), 3);

    proxy.mute_all();
    let began = Instant::now();
    assert_has(&log(&app, json!({})).await, 1);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let failed = count(&app, ReplicaResult::Failed);
    assert!(failed > 0);
    let made = proxy.made();
    for _ in 0..20 {
        assert_has(&log(&app, json!({})).await, 1);
    }
    assert_eq!(
        (count(&app, ReplicaResult::Failed), proxy.made()),
        (failed, made),
        "it is not tried each time"
    );
    assert!(count(&app, ReplicaResult::Paused) >= 60);

    proxy.mute_open_ones();
    let waiting = async {
        while count(&app, ReplicaResult::Answered) == 3 {
            assert_has(&log(&app, json!({})).await, 1);
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting)
        .await
        .expect("it is used again");
}

#[tokio::test]
async fn a_server_starts_and_answers_while_its_replica_is_down() {
    if !is_on_postgres() {
        return;
    }
    let database = TestDatabase::make().await;
    let url = by_way_of(&database.url, &free_port());
    let mut doctor = ledgerbell(&database);
    doctor.env("LEDGERBELL_DATABASE_URL", &database.url);
    let app = started(database, &url).await;
    add(app.services(), &app).await;
    assert_has(&log(&app, json!({})).await, 1);
    assert!(count(&app, ReplicaResult::Failed) > 0);
    assert_eq!(count(&app, ReplicaResult::Answered), 0);

    let secret = url.replace("postgres@", "postgres:hunter2@");
    let report = doctor.args(["doctor"]).env("LEDGERBELL_DATABASE_REPLICA_URL", secret);
    let report = String::from_utf8(report.output().expect("it runs").stdout).expect("text");
    assert!(report.contains("check database.replica_url"), "{report}");
    assert!(!report.contains("hunter2"), "{report}");
}

#[tokio::test]
async fn a_database_of_another_installation_is_never_read() {
    if !is_on_postgres() {
        return;
    }
    let (database, stranger) = (TestDatabase::make().await, TestDatabase::make().await);
    let url = stranger.url.clone();
    let mut doctor = ledgerbell(&database);
    doctor.env("LEDGERBELL_DATABASE_URL", &database.url);
    let stranger = Box::pin(TestApp::start_on(stranger, &[])).await;
    let app = started(database, &url).await;
    for app in [&stranger, &app] {
        add(app.services(), app).await;
    }
    assert_has(&log(&app, json!({})).await, 1);
    assert!(count(&app, ReplicaResult::Foreign) > 0);
    assert_eq!(count(&app, ReplicaResult::Answered), 0);
    let report = doctor.args(["doctor"]).env("LEDGERBELL_DATABASE_REPLICA_URL", &url);
    let report = String::from_utf8(report.output().expect("it runs").stdout).expect("text");
    assert!(report.contains("belongs to another installation"), "{report}");
}

/// A primary that was restored, with a replica that continues the history before.
#[tokio::test]
async fn a_replica_that_continues_another_history_shows_none_of_its_entries() {
    if !is_on_postgres() {
        return;
    }
    let database = TestDatabase::make().await;
    let before = Box::pin(TestApp::start_on(database, &[])).await;
    for _ in 0..3 {
        add(before.services(), &before).await;
    }
    let restored = before.database().copied().await;
    // The connections were ended: the first statements find that out.
    let alive = async {
        while before
            .services()
            .ledger
            .balances(&[before.team.account.id])
            .await
            .is_err()
        {}
    };
    tokio::time::timeout(Duration::from_secs(30), alive)
        .await
        .expect("it connects again");
    for _ in 0..2 {
        add(before.services(), &before).await;
    }
    assert_has(&log(&before, json!({})).await, 5);

    let after = before
        .another_process_at(&restored, &[("database.replica_url", before.database_url())])
        .await;
    let owner = before.sign_in(&before.team.owner.client).await.actor;
    let read = async || after.answer_as(owner.clone(), LOG).await["data"].clone();
    assert_has(&read().await, 3);
    let answered =
        |counts: [(ReplicaResult, u64); ReplicaResult::ALL.len()]| counts[ReplicaResult::Answered as usize].1;
    assert_eq!(
        answered(after.services().credit_log.replica_reads()),
        3,
        "both histories have these entries"
    );
    add(after.services(), &before).await;
    assert_has(&read().await, 4);
    assert_eq!(
        answered(after.services().credit_log.replica_reads()),
        3,
        "the other one has another fourth entry"
    );
    after.close().await;
}
