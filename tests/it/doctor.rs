//! `ledgerbell doctor`, on working and on broken installations.

use std::process::{Command, Output};

use axum::Router;
use axum::routing::get;
use ledgerbell::adapters::database::{OpenOptions, open, roll_back};
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::cli::{SECRET, ledgerbell};
use crate::harness::TestDatabase;

/// The output of the command.
struct Report {
    code: Option<i32>,
    json: Value,
}

impl Report {
    /// Returns the status of a check, and its message with its advice.
    fn of(&self, name: &str) -> (String, String) {
        let checks = self.json["checks"].as_array().expect("a list");
        let check = checks.iter().find(|check| check["name"] == name);
        let check = check.unwrap_or_else(|| panic!("no check {name} in {}", self.json));
        let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
        (text("status"), format!("{} → {}", text("message"), text("advice")))
    }

    fn assert(&self, name: &str, status: &str, says: &str) {
        let (found, text) = self.of(name);
        assert!(found == status && text.contains(says), "{name}: {found}: {text}");
    }

    fn knows(&self, name: &str) -> bool {
        let checks = self.json["checks"].as_array().expect("a list");
        checks.iter().any(|check| check["name"] == name)
    }
}

fn run(command: &mut Command) -> Output {
    tokio::task::block_in_place(|| command.output().expect("it runs"))
}

fn examine(command: &mut Command) -> Report {
    let output = run(command.args(["doctor", "--json"]));
    let text = String::from_utf8(output.stdout).expect("text");
    for secret in [SECRET, "hunter2", "sk_live_1", ledgerbell::config::DEMO_SECRET] {
        assert!(!text.contains(secret), "{text}");
    }
    let json = serde_json::from_str(&text);
    let json: Value =
        json.unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    let worst = ["ok", "warn", "fail"][usize::try_from(output.status.code().expect("a code")).expect("a code")];
    assert_eq!(json["status"], worst);
    Report {
        code: output.status.code(),
        json,
    }
}

/// Returns a production installation that uses the services at these addresses.
fn production(database: &TestDatabase, stripe: &str, smtp: &str) -> Command {
    let mut command = ledgerbell(database);
    command
        .env("LEDGERBELL_MODE", "production")
        .env("LEDGERBELL_SECRET", SECRET)
        .env("LEDGERBELL_AUTH_JWT_SECRET", SECRET.to_uppercase() + "another")
        .env("LEDGERBELL_GATEWAY_KIND", "stripe")
        .env("LEDGERBELL_GATEWAY_STRIPE_URL", stripe)
        .env("LEDGERBELL_GATEWAY_STRIPE_SECRET_KEY", "sk_live_1")
        .env("LEDGERBELL_GATEWAY_STRIPE_PUBLISHABLE_KEY", "pk_live_1")
        .env("LEDGERBELL_GATEWAY_STRIPE_WEBHOOK_SECRET", "whsec_1")
        .env("LEDGERBELL_GATEWAY_RETURN_URL", "https://app.example/back")
        .env("LEDGERBELL_MAIL_SMTP_URL", smtp)
        .env("LEDGERBELL_MAIL_FROM", "bell@bell.example");
    command
}

/// Starts a server that responds as Stripe does before any charge.
async fn stripe() -> String {
    let list = get(|| async { axum::Json(serde_json::json!({ "object": "list", "data": [], "has_more": false })) });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().route("/v1/payment_intents", list);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Starts a mail system that accepts every sender.
async fn smtp() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("smtp://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                let _ = write.write_all(b"220 test ready\r\n").await;
                while let Ok(Some(line)) = lines.next_line().await {
                    assert!(!line.starts_with("MAIL"), "nothing is sent");
                    let _ = write.write_all(b"250 fine\r\n").await;
                }
            });
        }
    });
    url
}

async fn execute(database: &TestDatabase, sql: &str) {
    let connection = Database::connect(&database.url).await.expect("the database opens");
    connection.execute_unprepared(sql).await.expect(sql);
    connection.close().await.expect("the database closes");
}

/// Returns an address of this machine without a listener.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_installation_is_told_so() {
    let database = TestDatabase::make().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(database.directory.path(), private).expect("a mode");
    }
    let (stripe, smtp) = (stripe().await, smtp().await);
    let report = examine(&mut production(&database, &stripe, &smtp));
    // The Postgres of the tests may run without syncing to disk, and the check reports it.
    let checks = report.json["checks"].as_array().expect("a list");
    let syncs = checks
        .iter()
        .all(|check| check["name"] != "durability" || check["status"] == "ok");
    assert_eq!(report.code, Some(i32::from(!syncs)), "{}", report.json);
    report.assert("database", "ok", "answers in");
    report.assert("server", "ok", "");
    report.assert("migrations", "ok", "up to date");
    report.assert("charging", "ok", "empty");
    report.assert("gateway", "ok", "Stripe answers");
    report.assert("mail", "ok", "the mail system answers");
    let text = run(production(&database, &stripe, &smtp).arg("doctor"));
    let text = String::from_utf8(text.stdout).expect("text");
    let end = format!("checks: 0 failed, {} warnings\n", u8::from(!syncs));
    assert!(text.ends_with(&end), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_does_not_answer_is_named_with_what_to_do() {
    let database = TestDatabase::make().await;
    let (stripe, smtp) = (nobody().await, nobody().await);
    let smtp = format!("smtp://bell:hunter2@{smtp}");
    let report = examine(&mut production(&database, &format!("http://{stripe}"), &smtp));
    assert_eq!(report.code, Some(2));
    report.assert("gateway", "fail", "Stripe does not answer");
    report.assert("mail", "fail", "mail.smtp_url");
    report.assert("database", "ok", "answers");

    // A server of a different protocol.
    let not_stripe = format!(
        "http://{}/elsewhere",
        self::stripe().await.trim_start_matches("http://")
    );
    let report = examine(&mut production(&database, &not_stripe, &self::smtp().await));
    assert_eq!(report.of("gateway").0, "fail");
    assert_eq!(report.of("mail").0, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_not_made() {
    let database = TestDatabase::make_empty().await;
    let missing = database.directory.path().join("missing.db");
    let url = format!("sqlite://{}?mode=rwc", missing.display());
    let report = examine(ledgerbell(&database).env("LEDGERBELL_DATABASE_URL", &url));
    assert_eq!(report.code, Some(2));
    report.assert("database", "fail", "database.url");
    assert!(!missing.exists(), "looking changes nothing");
    assert!(!report.knows("charging"), "what cannot be asked is not told");
    report.assert("disk", "ok", "MiB left");

    let nowhere = database.directory.path().join("nowhere");
    let report = examine(
        ledgerbell(&database)
            .env("LEDGERBELL_DATA_DIR", &nowhere)
            .env("LEDGERBELL_DATABASE_URL", &url),
    );
    report.assert("disk", "fail", "data_dir");
    assert!(!nowhere.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_migration_is_told_and_rows_are_left_alone() {
    let database = TestDatabase::make().await;
    let opened = open(&database.url, OpenOptions::default()).await.expect("opens");
    roll_back(&opened, Some(1)).await.expect("rolls back");
    opened.close().await.expect("closes");
    let report = examine(&mut ledgerbell(&database));
    assert_eq!(report.code, Some(2));
    report.assert(
        "migrations",
        "fail",
        "1 migrations are missing → run `ledgerbell migrate`",
    );
    assert!(!report.knows("sweeper") && !report.knows("stuck"));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_nobody_does_and_claims_that_nobody_holds_are_told() {
    let database = TestDatabase::make().await;
    let is_sqlite = database.url.starts_with("sqlite");
    let id = if is_sqlite {
        "zeroblob(16)"
    } else {
        "CAST('00000000-0000-0000-0000-000000000000' AS uuid)"
    };
    let body = if is_sqlite { "x'00'" } else { "decode('00', 'hex')" };
    let soon = chrono::Utc::now().timestamp_millis() - 120_000;
    let alert = format!(
        "INSERT INTO alert (account_id, id, kind, severity, dedupe_key, facts, raised_at) \
         VALUES (1, {id}, 'TEST', 'INFO', 'x', '{{}}', 1000)"
    );
    execute(&database, &alert).await;
    execute(
        &database,
        &format!(
            "INSERT INTO delivery (account_id, id, alert_id, recipient_id, channel, kind, severity, status, attempts, next_attempt_at, \
             created_at) VALUES (1, {id}, {id}, {id}, 'EMAIL', 'TEST', 'INFO', 'SENDING', 1, 1000, 1000)"
        ),
    )
    .await;
    let webhook = |event: &str, status: &str, due: &str| {
        format!(
            "INSERT INTO webhook_inbox (gateway, event_id, kind, body, status, tries, received_at, due_at) \
             VALUES ('simulated', '{event}', 'x', {body}, '{status}', 0, 1000, {due})"
        )
    };
    execute(&database, &webhook("due", "RECEIVED", &soon.to_string())).await;
    execute(&database, &webhook("parked", "PARKED", "NULL")).await;
    let refund = format!(
        "INSERT INTO top_up_refund (account_id, id, top_up_id, credits, amount_minor, reason, status, tries, actor_kind, created_at) \
         VALUES (1, {id}, {id}, 10000, 100, 'x', 'FAILED', 1, 'SYSTEM', {soon})"
    );
    execute(&database, &refund).await;
    let report = examine(&mut ledgerbell(&database));
    assert_eq!(report.code, Some(2));
    report.assert("mail", "ok", "written as files");
    report.assert("stuck", "warn", "1 refunds of the last 30 days failed");
    report.assert("stuck", "warn", "refundTopUp");
    report.assert("stuck", "warn", "ledgerbell webhooks replay");
    report.assert("stuck", "warn", "1 mails are claimed by a sender that no longer runs");
    report.assert("webhooks", "warn", "1 webhooks to be processed, the oldest for 12");
    report.assert("outbox", "fail", "1 mails to be sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_secret_and_settings_that_make_no_sense_are_told() {
    let database = TestDatabase::make().await;
    let report = examine(&mut ledgerbell(&database));
    assert_eq!(report.code, Some(1), "{}", report.json);
    report.assert("secrets", "warn", "anyone can sign in as any member");
    report.assert("settings", "warn", "development mode");
    let mut same = ledgerbell(&database);
    same.env("LEDGERBELL_SECRET", SECRET)
        .env("LEDGERBELL_AUTH_JWT_SECRET", SECRET);
    examine(&mut same).assert("secrets", "warn", "are the same");
    let report = examine(ledgerbell(&database).args(["--mode", "prod"]));
    assert_eq!(report.code, Some(2));
    report.assert("settings", "fail", "mode is \"prod\"");
}
