//! Backups of a SQLite database, by the executable, while the server works.

use std::path::{Path, PathBuf};
use std::process::Output;

use ledgerbell::adapters::lock_file::LockFile;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::cli::{complaint, executable, printed};
use crate::harness::{TestApp, postgres_server};

const BALANCE: &str = "{ account { balance { posted } } }";
const EVENTS: &str =
    "subscription($after: LiveCursor) { creditEntryPosted(after: $after) { signal cursor entry { amount } } }";

fn run(directory: &Path, url: &str, arguments: &[&str]) -> Output {
    executable(directory, url).args(arguments).output().expect("it runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn url_of(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}

/// Fails if a file is left that was not completed.
fn nothing_unfinished(directory: &Path) {
    let files = std::fs::read_dir(directory).expect("files");
    let left: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    assert!(!left.iter().any(|path| text(path).contains("unfinished")), "{left:?}");
}

async fn change(path: &Path, sql: &str) {
    let database = sea_orm::Database::connect(url_of(path)).await.expect("opens");
    database.execute_unprepared(sql).await.expect("changes it");
    database.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_one_instant_of_a_busy_database_and_is_restored() {
    let app = TestApp::start().await;
    let (directory, url) = (app.data_dir().to_owned(), app.database_url().to_owned());
    let copy = directory.join("nightly.db");
    if postgres_server().is_some() {
        assert!(complaint(&run(&directory, &url, &["backup", text(&copy)])).contains("pg_dump"));
        assert!(!copy.exists());
        return;
    }
    app.top_up(120).await;
    // Posts all the time while the copy is written.
    let backup = tokio::task::spawn_blocking({
        let (directory, url, copy) = (directory.clone(), url.clone(), copy.clone());
        move || run(&directory, &url, &["backup", text(&copy)])
    });
    let mut posted = 0;
    while !backup.is_finished() {
        app.top_up(1).await;
        posted += 1;
    }
    assert!(posted > 0, "no posting waits for a backup");
    let output = backup.await.expect("ends");
    assert!(printed(&output).contains("accounts verified"), "{output:?}");
    nothing_unfinished(&directory);

    // What comes after the backup is not in it.
    app.top_up(3).await;
    let lost = app.another_team("lost").await.account.id.number();
    let id = app.team.account.id;
    let later = app.services().events.present(id).await.expect("reads").expect("exists");
    let all = app.team.owner.client.query(BALANCE, json!({})).await;
    assert_eq!(
        all.at("/account/balance/posted"),
        &json!((120 + posted + 3).to_string())
    );

    for refused in [
        run(&directory, &url, &["backup", text(&copy)]),
        run(&directory, &url, &["restore", text(&copy)]),
    ] {
        assert!(complaint(&refused).contains("move it away"));
    }
    let restored = directory.join("restored.db");
    let output = run(&directory, &url_of(&restored), &["restore", text(&copy)]);
    assert!(printed(&output).contains("restored from"));
    nothing_unfinished(&directory);

    let process = app.another_process(&[("database.url", &url_of(&restored))]).await;
    let balances = process.services().ledger.balances(&[id]).await.expect("reads");
    let kept: u64 = balances[&id].posted.to_string().parse().expect("a whole number");
    assert!((120..=120 + posted).contains(&kept), "{kept} of {posted}");

    // A cursor of the lost history starts over, and no id of a lost account is given again.
    let variables = json!({ "after": later.encode() });
    let mut subscriber = process.subscribe(&app.team.owner.client, EVENTS, variables).await;
    subscriber.expect("RESET").await;
    process.close().await;
    let (given, next) = (next_number(&files_beside(&url)[0]).await, next_number(&restored).await);
    assert!(lost < given && given < next, "{next} after {lost} of {given}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sound_copy_is_not_restored() {
    let app = TestApp::start().await;
    if postgres_server().is_some() {
        return;
    }
    app.top_up(70).await;
    let directory = app.data_dir().to_owned();
    let file = |name: &str| directory.join(name);
    let (sound, restored) = (file("sound.db"), file("restored.db"));
    printed(&run(&directory, app.database_url(), &["backup", text(&sound)]));

    let whole = std::fs::read(&sound).expect("the copy");
    std::fs::write(file("cut.db"), &whole[..whole.len() / 2]).expect("written");
    std::fs::write(file("empty.db"), b"").expect("written");
    std::fs::write(
        file("text.db"),
        b"no database at all, but long enough to be read as a header of one",
    )
    .expect("written");
    for name in ["changed.db", "older.db"] {
        std::fs::copy(&sound, file(name)).expect("copied");
    }
    change(&file("changed.db"), "UPDATE credit_entry SET amount = amount + 10000").await;
    change(
        &file("older.db"),
        "DELETE FROM seaql_migrations WHERE version = (SELECT MAX(version) FROM seaql_migrations)",
    )
    .await;
    change(&file("foreign.db"), "CREATE TABLE note (text TEXT)").await;

    let url = url_of(&restored);
    for (name, reason) in [
        ("cut.db", "malformed"),
        ("empty.db", "no database of ledgerbell"),
        ("text.db", "not a database"),
        ("foreign.db", "no database of ledgerbell"),
        ("changed.db", "does not verify"),
        ("older.db", "lacks 1 migrations"),
        ("missing.db", "No such file"),
    ] {
        let refused = complaint(&run(&directory, &url, &["restore", name]));
        assert!(refused.contains(reason), "{name}: {refused}");
        assert!(!restored.exists(), "{name}");
    }
    let lock = LockFile::take(&url).expect("locks").expect("SQLite");
    assert!(complaint(&run(&directory, &url, &["restore", "sound.db"])).contains("lock"));
    drop(lock);
    std::fs::write(file("restored.db-wal"), b"of another database").expect("written");
    assert!(complaint(&run(&directory, &url, &["restore", "sound.db"])).contains("restored.db-wal"));
    std::fs::remove_file(file("restored.db-wal")).expect("removed");
    std::os::unix::fs::symlink(file("elsewhere.db"), &restored).expect("a link");
    assert!(complaint(&run(&directory, &url, &["restore", "sound.db"])).contains("restored.db"));
    std::fs::remove_file(&restored).expect("removed");
    nothing_unfinished(&directory);

    printed(&run(&directory, &url, &["restore", "--unverified", "changed.db"]));
    assert!(restored.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_name_that_was_given_and_what_was_only_in_the_log() {
    let app = TestApp::start().await;
    if postgres_server().is_some() {
        return;
    }
    app.top_up(70).await;
    let directory = app.data_dir().to_owned();
    for (number, name) in ["a b.db", "a?b.db", "a%41#.db", "file:c.db", "ü.db"].iter().enumerate() {
        printed(&run(&directory, app.database_url(), &["backup", name]));
        let path = directory.join(name);
        assert!(std::fs::metadata(&path).expect("the copy").len() > 100_000, "{name}");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("the copy").permissions());
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let restored = directory.join(format!("restored-{number}.db"));
        printed(&run(&directory, &url_of(&restored), &["restore", name]));
        assert!(restored.exists(), "{name}");
    }
    nothing_unfinished(&directory);

    // The server works on, so its newest lines are in the log alone.
    app.top_up(5).await;
    let live = files_beside(app.database_url());
    assert!(std::fs::metadata(&live[1]).expect("a log").len() > 0);
    let restored = directory.join("restored.db");
    printed(&run(&directory, &url_of(&restored), &["restore", text(&live[0])]));
    let process = app.another_process(&[("database.url", &url_of(&restored))]).await;
    let id = app.team.account.id;
    let balances = process.services().ledger.balances(&[id]).await.expect("reads");
    assert_eq!(balances[&id].posted.to_string(), "75");
    process.close().await;
}

/// Returns the first account number that no process has reserved.
async fn next_number(path: &Path) -> i64 {
    let database = sea_orm::Database::connect(url_of(path)).await.expect("opens");
    let sql = "SELECT next_account_id FROM installation";
    let statement = sea_orm::Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.expect("reads").expect("a row");
    database.close().await.expect("closes");
    row.try_get_by_index(0).expect("a number")
}

fn files_beside(url: &str) -> Vec<PathBuf> {
    ledgerbell::adapters::database::files(url)
}
