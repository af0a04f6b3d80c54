//! When `serve` and `worker` refuse to start, and their warnings.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::cli::{SECRET, ledgerbell};
use crate::harness::TestDatabase;

fn production(database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = ledgerbell(database);
    command
        .env("LEDGERBELL_MODE", "production")
        .env("LEDGERBELL_SECRET", SECRET)
        .env("LEDGERBELL_AUTH_JWT_SECRET", SECRET.to_uppercase() + "another")
        .args(arguments);
    command
}

/// Runs the command until a line on standard error contains this text, or it ends. Returns the whole output.
fn said_until(command: &mut Command, awaited: &str) -> String {
    let mut process = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = String::new();
    for line in BufReader::new(process.stderr.take().expect("standard error")).lines() {
        said += &line.expect("a line");
        said.push('\n');
        if said.contains(awaited) {
            break;
        }
    }
    let _ = process.kill();
    let _ = process.wait();
    said
}

const SERVE: &[&str] = &["serve", "--migrate", "--listen", "127.0.0.1:0"];

#[tokio::test(flavor = "multi_thread")]
async fn production_does_not_give_credits_for_no_money_unless_a_setting_says_so() {
    let database = TestDatabase::make_unused().await;
    for arguments in [SERVE, &["worker"]] {
        let mut command = production(&database, arguments);
        let output = command
            .env("LEDGERBELL_GATEWAY_KIND", "simulated")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("adds credits without payment"), "{said}");
        assert!(said.contains("gateway.simulated_in_production"), "{said}");
    }
    let mut rehearsal = production(&database, SERVE);
    rehearsal
        .env("LEDGERBELL_GATEWAY_KIND", "simulated")
        .env("LEDGERBELL_GATEWAY_SIMULATED_IN_PRODUCTION", "true");
    let said = said_until(&mut rehearsal, "serving");
    assert!(said.contains("serving"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn development_mode_warns_where_other_machines_can_reach_it() {
    let database = TestDatabase::make_unused().await;
    let mut everywhere = ledgerbell(&database);
    everywhere.args(["serve", "--migrate", "--listen", "0.0.0.0:0"]);
    let said = said_until(&mut everywhere, "serving url");
    assert!(said.contains("DEVELOPMENT MODE ON 0.0.0.0"), "{said}");
    assert!(
        said.contains("WARN") && said.contains("sign in as any member"),
        "{said}"
    );

    let mut local = ledgerbell(&database);
    local.args(SERVE);
    let said = said_until(&mut local, "serving url");
    assert!(
        said.contains("serving") && !said.contains("DEVELOPMENT MODE ON"),
        "{said}"
    );
    let mut production = production(&database, &["serve", "--listen", "0.0.0.0:0"]);
    let said = said_until(&mut production, "serving url");
    assert!(
        said.contains("serving") && !said.contains("DEVELOPMENT MODE ON"),
        "{said}"
    );
}

#[test]
fn a_postgres_on_another_machine_without_tls_is_noticed() {
    use ledgerbell::adapters::database::may_be_plain_over_network as may_be_plain;
    for url in [
        "postgres://bell:hunter2@db.example/ledgerbell",
        "postgresql://bell@10.0.0.7:5432/ledgerbell?sslmode=prefer",
        "postgres://bell@127.0.0.1.db.example/ledgerbell?sslmode=disable",
    ] {
        assert!(may_be_plain(url), "{url}");
    }
    for url in [
        "postgres://bell@db.example/ledgerbell?sslmode=verify-full",
        "postgres://bell@db.example/ledgerbell?sslmode=require",
        "postgres://bell@127.0.0.1/ledgerbell",
        "postgres://bell@localhost/ledgerbell",
        "sqlite:///var/lib/ledgerbell/ledgerbell.db?mode=rwc",
    ] {
        assert!(!may_be_plain(url), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_secret_keys_do_not_leave_this_machine_without_encryption() {
    let database = TestDatabase::make_unused().await;
    let mut mail = production(&database, SERVE);
    mail.env("LEDGERBELL_MAIL_SMTP_URL", "smtp://bell:hunter2@mail.example:587");
    let mut stripe = production(&database, SERVE);
    stripe
        .env("LEDGERBELL_GATEWAY_KIND", "stripe")
        .env("LEDGERBELL_GATEWAY_STRIPE_URL", "http://stripe.example")
        .env("LEDGERBELL_GATEWAY_STRIPE_SECRET_KEY", "sk_live_hunter2")
        .env("LEDGERBELL_GATEWAY_STRIPE_PUBLISHABLE_KEY", "pk_live_1")
        .env("LEDGERBELL_GATEWAY_STRIPE_WEBHOOK_SECRET", "whsec_1")
        .env("LEDGERBELL_GATEWAY_RETURN_URL", "https://app.example/back");
    for (command, setting) in [(&mut mail, "mail.smtp_url"), (&mut stripe, "gateway.stripe_url")] {
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(setting) && !said.contains("hunter2"), "{said}");
    }
}
