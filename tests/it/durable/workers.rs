//! Workers in a separate process: how they are notified of work, what a mute network does to them, and how they report
//! problems.

use std::time::{Duration, Instant};

use ledgerbell::primitives::clock::Clock;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::{Value, json};

use crate::harness::{Place, Proxy, Serving, TestDatabase, address_of, by_way_of, postgres_server};

const KEY: [&str; 6] = [
    "api-key",
    "create",
    "--name",
    "Workers",
    "--permissions",
    "READ_CREDIT_LOG,MANAGE_ACCOUNTS,MANAGE_CREDITS,MANAGE_MEMBERS,MANAGE_SETTINGS,BOOK_SESSIONS,SETTLE_SESSIONS",
];
/// The time limit for recovery when new connections work.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// A team whose server does none of the scheduled work.
struct Team {
    account: String,
    member: String,
}

impl Team {
    async fn make(serving: &Serving) -> Self {
        let new = json!({ "name": "Team", "externalId": "team", "creditPrice": "0.5", "currency": "EUR",
            "owner": { "name": "Olga", "externalId": "olga" } });
        let made = serving
            .client
            .apply(
                "createAccount",
                "account { id members(first: 1) { nodes { id } } }",
                new,
            )
            .await;
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let team = Self {
            account: text(&made["account"]["id"]),
            member: text(&made["account"]["members"]["nodes"][0]["id"]),
        };
        let grant =
            json!({ "accountId": team.account, "credits": "1000", "description": "x", "idempotencyKey": "grant" });
        serving.client.apply("grantCredits", "entry { id }", grant).await;
        team
    }

    /// Causes an event that notifies the member.
    async fn charge(&self, serving: &Serving, name: &str) {
        let now = Clock::system().now();
        let at = |minutes: i64| now.plus_millis(minutes * 60_000).to_string();
        let book = json!({ "accountId": self.account, "memberId": self.member, "externalId": name, "title": "Yoga", "credits": "1",
            "startsAt": at(60), "endsAt": at(120), "idempotencyKey": format!("book {name}") });
        serving.client.apply("bookSession", "session { id }", book).await;
        let complete =
            json!({ "accountId": self.account, "externalId": name, "idempotencyKey": format!("complete {name}") });
        serving
            .client
            .apply("completeSession", "session { id }", complete)
            .await;
    }

    /// Requests a mail, to a different member each time: a member receives at most one test per minute.
    async fn ask_for_mail(&self, serving: &Serving, name: &str) {
        let new = json!({ "accountId": self.account, "name": name, "email": format!("{name}@team.example") });
        let added = serving.client.apply("addMember", "member { id }", new).await;
        let input = json!({ "memberId": added["member"]["id"], "channel": "EMAIL" });
        serving
            .client
            .apply("sendTestNotification", "alert { id }", input)
            .await;
    }
}

async fn count(database: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.expect("reads").expect("a row");
    row.try_get("", "count").expect("a number")
}

const CHARGED: &str = "SELECT COUNT(*) AS count FROM alert WHERE kind = 'SESSION_CHARGED'";
const MAILED: &str = "SELECT COUNT(*) AS count FROM delivery WHERE channel = 'EMAIL' AND status = 'SENT'";

/// Waits until a figure has reached this value. Returns how long that took since `begun`.
async fn until(database: &DatabaseConnection, sql: &str, at_least: i64, begun: Instant) -> Duration {
    while count(database, sql).await < at_least {
        assert!(begun.elapsed() < RECOVERS_WITHIN, "{sql} comes to {at_least}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_beside_a_server_without_any_hear_its_bell_and_outlive_mute_connections() {
    if postgres_server().is_none() {
        return;
    }
    let database = TestDatabase::make().await;
    let direct = sea_orm::Database::connect(&database.url).await.expect("connects");
    let place = Place::new(&database.url);
    place.print(&database, &["migrate"]);
    let key = place.print(&database, &KEY);
    let serving = place.start(&database, &key, &["serve", "--no-workers"]);
    serving.until_ready(STARTS_WITHIN).await;
    let listens =
        "SELECT COUNT(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
    assert_eq!(
        count(&direct, listens).await,
        0,
        "nobody follows anything at the server"
    );

    let proxy = Proxy::start(address_of(&database.url)).await;
    let behind = Place::new(&by_way_of(&database.url, &proxy.address));
    let worker = behind.start(&database, &key, &["worker"]);
    worker.until_ready(STARTS_WITHIN).await;
    let begun = Instant::now();
    until(&direct, listens, 1, begun).await;
    let team = Team::make(&serving).await;
    let mut times = Vec::new();
    for number in 1..=10 {
        let begun = Instant::now();
        team.charge(&serving, &format!("heard {number}")).await;
        times.push(until(&direct, CHARGED, number, begun).await);
    }
    times.sort_unstable();
    eprintln!(
        "alerts by a worker beside a server: p50 {} ms, max {} ms",
        times[5].as_millis(),
        times[9].as_millis()
    );
    team.ask_for_mail(&serving, "mia").await;
    until(&direct, MAILED, 1, Instant::now()).await;

    proxy.mute_open_ones();
    let begun = Instant::now();
    team.charge(&serving, "while mute").await;
    team.ask_for_mail(&serving, "noah").await;
    let alerted = until(&direct, CHARGED, 11, begun).await;
    let mailed = until(&direct, MAILED, 2, begun).await;
    worker.until_ready(RECOVERS_WITHIN).await;
    eprintln!(
        "| a worker's open connections go mute, new ones work | Postgres | 2 | 2 | alert after {} ms, mail after {} ms |",
        alerted.as_millis(),
        mailed.as_millis()
    );
    proxy.mute_all();
    worker.until_not_ready(RECOVERS_WITHIN).await;
    let (_, took) = worker.terminate().await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(serving.terminate().await.0.success());
    direct.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_succeed_makes_its_process_unready_by_name_until_it_does() {
    let database = TestDatabase::make().await;
    let direct = sea_orm::Database::connect(&database.url).await.expect("connects");
    let place = Place::new(&database.url);
    let key = place.key(&database);
    let worker = place.start(&database, &key, &["worker"]);
    worker.until_ready(STARTS_WITHIN).await;
    let figure = async |name: &str| {
        let metrics = worker.metrics().await;
        let name = format!("ledgerbell_worker_{name}{{worker=\"webhooks\"}}");
        let line = metrics.lines().find(|line| line.starts_with(&name));
        let line = line.unwrap_or_else(|| panic!("{name} in {metrics}"));
        line.rsplit(' ')
            .next()
            .expect("a value")
            .parse::<i64>()
            .expect("a number")
    };
    // Until then it is not known whether it can succeed.
    while figure("last_success_seconds").await < 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    direct
        .execute_unprepared(&rename("webhook_inbox", "webhook_inbox_away"))
        .await
        .expect("renamed");
    worker.until_not_ready(Duration::from_mins(1)).await;
    let unready = worker.unreadiness().await;
    assert_eq!(unready, json!({ "status": "unavailable", "workers": ["webhooks"] }));
    assert!(worker.is_live().await, "it may still recover");
    assert!(figure("last_success_seconds").await >= 29);
    assert!(figure("last_turn_seconds").await < 10);
    assert_eq!(figure("late").await, 1);
    direct
        .execute_unprepared(&rename("webhook_inbox_away", "webhook_inbox"))
        .await
        .expect("renamed");
    worker.until_ready(RECOVERS_WITHIN).await;
    assert_eq!(figure("late").await, 0);
    assert!(worker.terminate().await.0.success());
    direct.close().await.expect("closes");
}
