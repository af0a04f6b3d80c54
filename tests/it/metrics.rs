//! Metrics for operators: on a separate listener, with correct values.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use ledgerbell::adapters::gateway::NoGateway;
use ledgerbell::domain::backlog::Backlog;
use ledgerbell::domain::event::SilentBell;
use ledgerbell::domain::ledger::model::Policy;
use ledgerbell::domain::ledger::{EngineSettings, Ledger, LedgerSettings};
use ledgerbell::domain::top_up::{TopUpContext, TopUps};
use ledgerbell::primitives::clock::{Clock, Timestamp};
use ledgerbell::primitives::credits::Credits;
use reqwest::StatusCode;
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{Raw, Socket, TestApp};
use crate::reading::ground::Ground;
use crate::top_ups::Buyer;

/// The address of an app's metrics.
pub(crate) struct Monitor {
    url: String,
    stop: CancellationToken,
}

impl Monitor {
    pub(crate) async fn of(app: &TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/metrics", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        let metrics = app.app().metrics().fresh_for(Duration::ZERO);
        tokio::spawn(metrics.serve(listener, stop.clone().cancelled_owned()));
        Self { url, stop }
    }

    /// Returns the address without a path.
    pub(crate) fn base(&self) -> String {
        self.url.trim_end_matches("/metrics").to_owned()
    }

    /// Returns the figures in the older format.
    pub(crate) async fn older(&self) -> String {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(&self.url).send().await.expect("answers");
        let kind = answer.headers()["content-type"].to_str().expect("a text").to_owned();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        answer.text().await.expect("a text")
    }

    async fn read(&self) -> HashMap<String, i64> {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let asked = client
            .get(&self.url)
            .header("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
        let answer = asked.send().await.expect("answers");
        assert_eq!(answer.status(), StatusCode::OK);
        let kind = answer.headers()["content-type"].to_str().expect("a text").to_owned();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        figures(&answer.text().await.expect("a text"))
    }
}

/// Checked with `promtool check metrics`, if it exists; `LEDGERBELL_TEST_PROMTOOL` names another path.
#[tokio::test]
async fn tools_that_read_the_older_format_have_nothing_to_complain_of() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let text = Monitor::of(&app).await.older().await;
    assert!(
        text.contains("# TYPE ledgerbell_postings_total counter\nledgerbell_postings_total "),
        "{text}"
    );
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");

    let promtool = std::env::var("LEDGERBELL_TEST_PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    let mut command = std::process::Command::new(&promtool);
    command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut checking = match command.spawn() {
        Ok(checking) => checking,
        Err(error) => {
            let text = format!("\n!!! SKIPPED: {promtool} cannot be run ({error}), so it is not asked\n");
            let _ = std::io::stderr().write_all(text.as_bytes());
            return;
        }
    };
    let mut given = checking.stdin.take().expect("its input");
    given.write_all(text.as_bytes()).expect("given");
    drop(given);
    let checked = checking.wait_with_output().expect("it ends");
    let complaint = format!(
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
    assert!(checked.status.success() && complaint.is_empty(), "{complaint}");
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn the_listener_of_operators_answers_about_health_however_full_the_other_one_is() {
    let app = TestApp::start_with(&[("http.max_connections", "1")]).await;
    let mut open = Raw::connect(app.base()).await;
    open.send("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("it is read");
    assert_eq!(open.answer().await.expect("an answer").status, 200);
    let monitor = Monitor::of(&app).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    for path in ["/health/live", "/health/ready"] {
        let url = monitor.url.replace("/metrics", path);
        let answer = client.get(url).send().await.expect("answers");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "of sums of durations only the seconds matter here"
)]
fn figures(text: &str) -> HashMap<String, i64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            let name = name.strip_prefix("ledgerbell_").expect("our own");
            let value: f64 = value.parse().expect("a number");
            (name.to_owned(), value as i64)
        })
        .collect()
}

#[tokio::test]
async fn figures_say_what_was_posted_and_what_waits() {
    let app = TestApp::start().await;
    let monitor = Monitor::of(&app).await;
    let before = monitor.read().await;
    assert_eq!(before["unknown_attempts"], 0);
    assert!(!before.contains_key("open_top_ups{status=\"PROCESSING\"}"));
    assert!(!before.contains_key("reconciler_age_seconds"), "it never ran");

    let buyer = Buyer::of(&app);
    buyer.buy_with("card_hang", "10").await;
    let input = app.booking("4", "one", 60..120);
    let refused = app.platform.mutate("bookSession", "", input.clone()).await;
    assert_eq!(refused["userErrors"][0]["code"], "INSUFFICIENT_CREDITS");
    app.top_up(10).await;
    app.platform.apply("bookSession", "", input).await;

    app.advance(Duration::from_mins(10));
    let after = monitor.read().await;
    let grown = |name: &str| after[name] - before[name];
    assert_eq!((grown("postings_total"), grown("refusals_total")), (1, 1));
    assert_eq!(grown("batches_total"), 2);
    assert_eq!(after["open_top_ups{status=\"PROCESSING\"}"], 1);
    assert_eq!(after["unknown_attempts"], 1);
    assert_eq!(after["unknown_attempts_age_seconds"], 600);
    assert_eq!(after["open_connections"], 0);

    app.gateway().end_outage();
    app.settle().await;
    let settled = monitor.read().await;
    assert_eq!(settled["unknown_attempts"], 0, "{settled:?}");
    assert_eq!(settled["unknown_attempts_age_seconds"], 0);
    assert!(!settled.contains_key("open_top_ups{status=\"PROCESSING\"}"));
}

#[tokio::test]
async fn figures_say_how_many_requests_took_how_long_and_what_connections_do() {
    let app = TestApp::start().await;
    let monitor = Monitor::of(&app).await;
    let before = monitor.read().await;
    assert_eq!(before["live_message_delay_seconds_count"], 0);
    app.platform.query("{ viewer { kind } }", json!({})).await.data();
    let malformed = app.platform.post("/graphql").json(&json!({ "query": "{ viewer" }));
    app.platform.send(malformed).await;
    let credential = app.team.owner.client.credential().expect("a token");
    let mut socket = Socket::ready(app.base(), credential).await;
    let document = "subscription { creditEntryPosted { signal entry { amount } } }";
    socket.subscribe("1", document, json!({})).await;
    socket.message().await;
    let input = json!({ "accountId": app.team.id(), "credits": "5", "description": "x", "idempotencyKey": "k" });
    app.platform.apply("grantCredits", "", input).await;
    socket.message().await;

    let after = monitor.read().await;
    let grown = |name: &str| after[name] - before[name];
    let requests = |kind: &str| grown(&format!("request_duration_seconds_count{{kind=\"{kind}\"}}"));
    let counts = ["query", "mutation", "subscription", "other"].map(requests);
    assert_eq!(counts, [1, 1, 1, 1], "{after:?}");
    assert_eq!(grown("request_duration_seconds_bucket{le=\"+Inf\",kind=\"query\"}"), 1);
    assert_eq!(grown("live_message_delay_seconds_count"), 1);
    assert!(after["live_message_delay_seconds_sum"] >= 0, "{after:?}");
    assert_eq!((grown("batch_size_count"), grown("batch_size_sum")), (1, 1));
    assert!(after["pool_size{pool=\"writer\"}"] >= 1);
    assert_eq!(after["pool_in_use{pool=\"writer\"}"], 0);
    assert_eq!(after["pool_waiting{pool=\"writer\"}"], 0);
}

#[tokio::test]
async fn figures_say_what_webhooks_and_comparisons_came_to() {
    let app = TestApp::start().await;
    let monitor = Monitor::of(&app).await;
    Buyer::of(&app).add_card("card_dies_after_charge").await;
    Buyer::of(&app).create("10", "k").await;
    let services = app.services();
    services.charging.turn(10).await.expect("works");
    app.app().deliver_messages().await.expect("kept");
    assert!(monitor.read().await["work_due{queue=\"webhooks\"}"] > 0);

    let since = app.clock.now().plus_millis(-86_400_000);
    services.reconciler.reconcile(since).await.expect("compares");
    app.advance(Duration::from_hours(1));
    let figures = monitor.read().await;
    assert_eq!(
        (figures["reconciler_runs_total"], figures["reconciler_compared_total"]),
        (1, 1)
    );
    assert_eq!(
        figures["reconciler_repaired_total"], 1,
        "it was charged, and nobody had noticed"
    );
    assert_eq!(figures["reconciler_age_seconds"], 3_600);
    app.settle().await;
    assert_eq!(monitor.read().await["work_due{queue=\"webhooks\"}"], 0);
}

/// Refunds that the gateway refuses, and those that fail later, until another refund is requested or a month has passed.
#[tokio::test]
async fn figures_say_which_refunds_have_failed() {
    let app = TestApp::start().await;
    let (monitor, buyer) = (Monitor::of(&app).await, Buyer::of(&app));
    let failed = async || monitor.read().await["failed_refunds"];
    let paid = buyer.buy_with("card_ok", "10").await;
    let object = paid["attempts"][0]["gatewayReference"].as_str().expect("an object");
    let ask = async |credits: &str, key: &str| {
        app.advance(Duration::from_secs(1));
        let input = json!({ "topUpId": paid["id"], "credits": credits, "reason": "Too many", "idempotencyKey": key });
        buyer.accept("refundTopUp", "topUp { id }", input).await;
    };
    ask("4", "a").await;
    app.settle().await;
    assert_eq!(failed().await, 0);
    assert!(app.gateway().fail_refund(object));
    app.settle().await;
    assert_eq!(failed().await, 1, "it failed later");
    ask("4", "b").await;
    assert_eq!(failed().await, 0, "another is on its way");
    app.settle().await;
    assert!(app.gateway().fail_refund(object));
    app.settle().await;
    assert_eq!(failed().await, 1, "that one failed too");
    ask("10", "c").await;
    assert!(app.gateway().refund_directly(object, 1_000));
    app.settle().await;
    assert_eq!(
        failed().await,
        2,
        "it is refused, for there is nothing left: nor was the other mended"
    );
    app.advance(Duration::from_hours(31 * 24));
    assert_eq!(failed().await, 0, "whoever has not looked in a month does not");
}

#[tokio::test]
async fn clients_do_not_reach_the_figures() {
    let app = TestApp::start().await;
    let answer = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = answer.get(format!("{}/metrics", app.base())).send().await;
    assert_eq!(answer.expect("answers").status(), StatusCode::NOT_FOUND);
    let monitor = Monitor::of(&app).await;
    let elsewhere = monitor.url.replace("/metrics", "/graphql");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.post(elsewhere).send().await.expect("answers");
    assert_eq!(answer.status(), StatusCode::NOT_FOUND, "nor is there anything else");
}

/// Tables that keep finished rows.
const GROWING: &[&str] = &[
    "top_up",
    "top_up_attempt",
    "top_up_refund",
    "webhook_inbox",
    "delivery",
    "event",
    "e",
];

/// However many finished rows there are, only open ones are scanned.
#[tokio::test]
async fn figures_are_read_by_indexes_of_open_work() {
    let ground = Ground::sqlite().await;
    let settings = LedgerSettings {
        engine: EngineSettings::ONE_WRITER,
        policy: Policy {
            overage_limit: Credits::ZERO,
        },
    };
    let clock = Clock::manual(Timestamp::from_millis(0));
    let database = || ground.database.clone();
    let bell = Arc::new(SilentBell);
    let ledger = Ledger::start(database(), clock.clone(), Uuid::nil(), settings, bell);
    let top_ups = TopUps::new(TopUpContext::new(clock, database(), ledger, Arc::new(NoGateway)));
    ground.take_asked();
    top_ups.figures().await.expect("figures");
    let backlog = Backlog::new(database());
    let now = Timestamp::from_millis(1);
    backlog.queues(now).await.expect("queues");
    backlog.stuck(now).await.expect("stuck");
    let asked = ground.take_asked();
    assert!(asked.len() >= 14, "{}", asked.len());
    for mut statement in asked {
        statement.sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
        for row in ground
            .database
            .read()
            .query_all_raw(statement.clone())
            .await
            .expect("explains")
        {
            let step: String = row.try_get("", "detail").expect("a detail");
            let table = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            let walks = table.is_some_and(|table| GROWING.contains(&table)) && !step.contains(" USING ");
            assert!(!walks, "{step}\n{}", statement.sql);
        }
    }
}
