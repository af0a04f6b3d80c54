//! Backups of a SQLite database, by the executable, while the server works.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::harness::{TestApp, postgres_server};

const BALANCE: &str = "{ account { balance { posted } creditLog { totals { count } } } }";
const EVENTS: &str =
    "subscription($after: LiveCursor) { creditEntryPosted(after: $after) { signal cursor entry { amount } } }";

/// Runs the executable on a database, in development mode.
fn run(app: &TestApp, url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerbell"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEDGERBELL_")) {
        command.env_remove(name);
    }
    command
        .env("LEDGERBELL_MODE", "development")
        .env("LEDGERBELL_DATA_DIR", app.data_dir())
        .env("LEDGERBELL_DATABASE_URL", url)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    text.into_owned()
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_one_instant_of_a_busy_database_and_is_restored() {
    let app = TestApp::start().await;
    let copy = app.data_dir().join("backups.db");
    if postgres_server().is_some() {
        let output = run(&app, app.database_url(), &["backup", text(&copy)]);
        assert!(complaint(&output).contains("pg_dump"));
        assert!(!copy.exists());
        return;
    }
    app.top_up(120).await;
    // Posts all the time while the copy is written.
    let (output, posted) = tokio::join!(
        async { tokio::task::block_in_place(|| run(&app, app.database_url(), &["backup", text(&copy)])) },
        async {
            for _ in 0..40 {
                app.top_up(1).await;
            }
            40
        }
    );
    assert!(printed(&output).contains("entries of"), "{output:?}");

    // What comes after the backup is not in it.
    app.top_up(3).await;
    let id = app.team.account.id;
    let later = app.services().events.present(id).await.expect("reads").expect("exists");
    let all = app.team.owner.client.query(BALANCE, json!({})).await;
    assert_eq!(
        all.at("/account/balance/posted"),
        &json!((120 + posted + 3).to_string())
    );

    let refused = complaint(&run(&app, app.database_url(), &["backup", text(&copy)]));
    assert!(refused.contains("exists"), "{refused}");
    let refused = complaint(&run(&app, app.database_url(), &["restore", text(&copy)]));
    assert!(refused.contains("move it away"), "{refused}");

    let restored = app.data_dir().join("restored.db");
    let url = format!("sqlite://{}?mode=rwc", restored.display());
    assert!(printed(&run(&app, &url, &["restore", text(&copy)])).contains("restored from"));
    let left = std::fs::read_dir(app.data_dir())
        .expect("files")
        .map(|file| file.expect("a file").file_name());
    assert!(
        !left
            .into_iter()
            .any(|name| name.to_string_lossy().contains("unfinished"))
    );

    let process = app.another_process(&[("database.url", &url)]).await;
    let balance = process.services().ledger.balances(&[id]).await.expect("reads");
    let kept = balance[&id].posted.to_string().parse::<u64>().expect("a whole number");
    assert!((120..=160).contains(&kept), "{kept}");

    // A cursor of the lost history starts over.
    let variables = json!({ "after": later.encode() });
    let mut subscriber = process.subscribe(&app.team.owner.client, EVENTS, variables).await;
    subscriber.expect("RESET").await;
    process.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sound_copy_is_not_restored() {
    let app = TestApp::start().await;
    if postgres_server().is_some() {
        return;
    }
    app.top_up(70).await;
    let copy = app.data_dir().join("sound.db");
    printed(&run(&app, app.database_url(), &["backup", text(&copy)]));
    let restored = app.data_dir().join("restored.db");
    let url = format!("sqlite://{}?mode=rwc", restored.display());

    let whole = std::fs::read(&copy).expect("the copy");
    let cut = app.data_dir().join("cut.db");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("written");
    let changed = app.data_dir().join("changed.db");
    std::fs::copy(&copy, &changed).expect("copied");
    let database = sea_orm::Database::connect(format!("sqlite://{}", changed.display()))
        .await
        .expect("opens");
    let sql = "UPDATE credit_entry SET amount = amount + 10000";
    sea_orm::ConnectionTrait::execute_unprepared(&database, sql)
        .await
        .expect("changes it");
    database.close().await.expect("closes");

    for wrong in [text(&cut), text(&changed), "missing.db"] {
        let refused = complaint(&run(&app, &url, &["restore", wrong]));
        assert!(!refused.contains("panicked"), "{refused}");
        assert!(!restored.exists(), "{wrong}");
        assert!(!app.data_dir().join("restored.db.unfinished").exists(), "{wrong}");
    }
    printed(&run(&app, &url, &["restore", text(&copy)]));
}
