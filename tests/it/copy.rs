//! A SQLite database is copied into Postgres, by the executable. Needs a Postgres server.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use ledgerbell::adapters::lock_file::LockFile;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement, TryGetable};
use serde_json::json;
use tempfile::TempDir;

use crate::cli::{Demo, complaint, executable, printed};
use crate::harness::{Client, TestDatabase, citus_coordinator, postgres_server};

/// A text that Postgres escapes in many ways, as an expression of SQLite, and as it is.
const HOSTILE: (&str, &str) = (
    "'a' || char(9, 10, 13, 8, 11, 12, 92) || '\\N\\.ü😀''\"'",
    "a\t\n\r\u{8}\u{b}\u{c}\\\\N\\.ü😀'\"",
);

/// A SQLite database, and an empty one of Postgres.
struct Databases {
    directory: TempDir,
    source: PathBuf,
    target: TestDatabase,
}

impl Databases {
    /// Returns `None` if there is no Postgres.
    async fn make() -> Option<Self> {
        postgres_server()?;
        let directory = tempfile::tempdir().expect("a directory");
        Some(Self {
            source: directory.path().join("ledgerbell.db"),
            directory,
            target: TestDatabase::make_empty().await,
        })
    }

    /// A source that a process has used once.
    async fn make_used() -> Option<Self> {
        let databases = Self::make().await?;
        databases.use_once(&databases.source);
        Some(databases)
    }

    fn use_once(&self, source: &Path) {
        let key = [
            "api-key",
            "create",
            "--name",
            "Reports",
            "--permissions",
            "READ_CREDIT_LOG",
        ];
        printed(&self.run(&url_of(source), &["migrate"]));
        printed(&self.run(&url_of(source), &key));
    }

    fn run(&self, url: &str, arguments: &[&str]) -> Output {
        let mut command = executable(self.directory.path(), url);
        command.args(arguments).output().expect("it runs")
    }

    fn copy_from(&self, source: &str) -> Output {
        let arguments = ["copy", "--from", source, "--to", &self.target.url];
        // The settings name another database, which the command does not touch.
        self.run("sqlite:///nowhere/else.db", &arguments)
    }

    fn copy(&self) -> Output {
        self.copy_from(&url_of(&self.source))
    }

    async fn in_source(&self, sql: &str) {
        change(&url_of(&self.source), sql).await;
    }

    async fn in_target(&self, sql: &str) {
        change(&self.target.url, sql).await;
    }

    async fn of_target<T: TryGetable>(&self, sql: &str) -> T {
        value(&self.target.url, sql).await.expect("a value")
    }

    /// Fails if a process of any kind starts on the target.
    fn nothing_starts(&self) {
        for arguments in [
            &["serve", "--listen", "127.0.0.1:0"][..],
            &["serve", "--migrate", "--listen", "127.0.0.1:0"],
            &["worker"],
            &["migrate"],
            &["demo", "--listen", "127.0.0.1:0"],
            &["verify"],
            &["api-key", "list"],
        ] {
            let refused = complaint(&self.run(&self.target.url, arguments));
            assert!(refused.contains("unfinished copy"), "{arguments:?}: {refused}");
        }
    }

    /// Begins to copy a table of many rows, and kills the process in the middle of it.
    async fn interrupt(&self) {
        self.in_source(
            "INSERT INTO account_word (account_id, word)
             WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 300000)
             SELECT 77, printf('word%07d', n) FROM number",
        )
        .await;
        let source = url_of(&self.source);
        let mut copying = executable(self.directory.path(), &self.target.url)
            .args(["copy", "--from", &source, "--to", &self.target.url])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let connection = connect(&self.target.url).await;
        loop {
            let rows = "SELECT COUNT(*) FROM account_word";
            let rows = Statement::from_string(connection.get_database_backend(), rows);
            match connection.query_one_raw(rows).await {
                Ok(Some(row)) if row.try_get_by_index::<i64>(0).expect("a number") > 0 => break,
                // The table is not there yet.
                _ => assert!(copying.try_wait().expect("runs").is_none(), "it goes on"),
            }
        }
        copying.kill().expect("killed");
        copying.wait().expect("ends");
        connection.close().await.expect("closes");
    }
}

fn url_of(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("opens")
}

async fn change(url: &str, sql: &str) {
    let database = connect(url).await;
    database.execute_unprepared(sql).await.expect("changes it");
    database.close().await.expect("closes");
}

async fn value<T: TryGetable>(url: &str, sql: &str) -> Option<T> {
    let database = connect(url).await;
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.expect("reads");
    database.close().await.expect("closes");
    row.map(|row| row.try_get_by_index(0).expect("a value"))
}

async fn posted(client: &Client) -> String {
    let balance = client.query("{ account { balance { posted } } }", json!({})).await;
    balance
        .at("/account/balance/posted")
        .as_str()
        .expect("a number")
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_is_copied_and_served_from_postgres() {
    let Some(databases) = Databases::make().await else {
        return;
    };
    let demo = Demo::start_with(&mut executable(databases.directory.path(), &url_of(&databases.source)));
    let first = demo.ready.clone();
    assert!(complaint(&databases.copy()).contains("another process serves this SQLite database"));

    let owner = Client::new(&demo.text("url"), Some(demo.text("ownerToken")));
    let platform = Client::new(&demo.text("url"), Some(demo.text("apiKey")));
    let cursor = owner.query("{ account { liveCursor } }", json!({})).await;
    let cursor = cursor.at("/account/liveCursor").clone();
    let grant = json!({
        "accountId": demo.ready["accountId"], "credits": "12.5", "description": "before the copy", "idempotencyKey": "before"
    });
    platform
        .apply("grantCredits", "balance { posted }", grant.clone())
        .await;
    let balance = posted(&owner).await;
    assert!(demo.stop().0.success());
    databases.in_source("CREATE TABLE _litestream_seq (id INTEGER)").await;
    // Some extensions have tables.
    databases
        .in_target("CREATE TABLE spatial_ref_sys (srid INTEGER); ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys")
        .await;

    let report = printed(&databases.copy());
    assert!(report.contains("accounts verified"), "{report}");
    assert!(report.contains("not of ledgerbell: _litestream_seq"), "{report}");
    assert!(
        complaint(&databases.copy()).contains("the target is not empty"),
        "once only"
    );
    let numbers = "SELECT next_account_id FROM installation";
    let next: i64 = databases.of_target(numbers).await;
    assert_eq!(Some(next), value(&url_of(&databases.source), numbers).await);
    let sequences =
        "SELECT COUNT(*) FROM pg_class WHERE relkind = 'S' AND relnamespace = current_schema()::regnamespace";
    assert_eq!(
        databases.of_target::<i64>(sequences).await,
        0,
        "a copy would have to set it"
    );
    if citus_coordinator().is_some() {
        let migrate = databases.run(&databases.target.url, &["migrate", "--profile", "citus"]);
        assert!(printed(&migrate).contains("tables were distributed"));
    }

    let demo = Demo::start_with(&mut executable(databases.directory.path(), &databases.target.url));
    assert_eq!(demo.ready["accountId"], first["accountId"]);
    assert_eq!(demo.ready["apiKey"], first["apiKey"]);
    let owner = Client::new(&demo.text("url"), Some(demo.text("ownerToken")));
    let platform = Client::new(&demo.text("url"), Some(demo.text("apiKey")));
    assert_eq!(posted(&owner).await, balance);
    // The rows of the stream are the same, so a cursor from before the copy holds.
    let events =
        "query($after: LiveCursor) { account { events(after: $after) { events { signal entries { description } } } } }";
    let events = owner.query(events, json!({ "after": cursor })).await;
    let events = events.at("/account/events/events").to_string();
    assert!(
        events.contains("before the copy") && !events.contains("RESET"),
        "{events}"
    );
    // So does a key.
    platform.apply("grantCredits", "balance { posted }", grant).await;
    assert_eq!(posted(&owner).await, balance);
    let account = json!({ "name": "After", "creditPrice": "1", "currency": "EUR" });
    let after = platform.apply("createAccount", "account { id }", account).await;
    assert_ne!(after["account"]["id"], first["accountId"]);
    assert!(demo.stop().0.success());
    assert!(printed(&databases.run(&databases.target.url, &["verify"])).contains("0 violations"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_killed_is_continued_and_nothing_starts_on_it_before() {
    let Some(databases) = Databases::make_used().await else {
        return;
    };
    let (expression, hostile) = HOSTILE;
    databases
        .in_source(&format!(
            "INSERT INTO quota (scope, subject, ends_at, used) VALUES ('b', x'00ff', 1, 2), ({expression}, x'', 1, 2)"
        ))
        .await;
    databases.interrupt().await;
    databases.nothing_starts();
    let place = "SELECT ctid::text || xmin::text FROM account_word ORDER BY word LIMIT 1";
    let written: String = databases.of_target(place).await;

    let other = databases.directory.path().join("other.db");
    databases.use_once(&other);
    assert!(complaint(&databases.copy_from(&url_of(&other))).contains("of another database"));
    databases
        .in_source("UPDATE account_word SET word = 'changed' WHERE word = 'word0000001'")
        .await;
    assert!(complaint(&databases.copy()).contains("account_word is not the same in both databases from row 1 "));
    databases
        .in_source("UPDATE account_word SET word = 'word0000001' WHERE word = 'changed'")
        .await;

    // What the target does to the rows on their way is found at the end.
    databases
        .in_target(
            "CREATE FUNCTION changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.used = 3; RETURN NEW; END $$;
             CREATE TRIGGER changes BEFORE INSERT ON quota FOR EACH ROW WHEN (NEW.scope = 'b') EXECUTE FUNCTION changes()",
        )
        .await;
    assert!(complaint(&databases.copy()).contains("quota is not the same in both databases from row 2 "));
    databases.nothing_starts();
    databases
        .in_target("DROP FUNCTION changes CASCADE; UPDATE quota SET used = 2")
        .await;

    let report = printed(&databases.copy());
    assert!(
        report.contains("rows were there from a copy that was interrupted"),
        "{report}"
    );
    assert_eq!(databases.of_target::<String>(place).await, written, "written once");
    assert_eq!(
        databases.of_target::<i64>("SELECT COUNT(*) FROM account_word").await,
        300_000
    );
    let scope: String = databases.of_target("SELECT scope FROM quota WHERE subject = ''").await;
    assert_eq!(scope, hostile);
    assert!(printed(&databases.run(&databases.target.url, &["api-key", "list"])).contains("Reports"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_copied_into_a_database_that_is_in_use() {
    let Some(databases) = Databases::make_used().await else {
        return;
    };
    databases.in_target("CREATE TABLE note (text TEXT)").await;
    assert!(complaint(&databases.copy()).contains("not empty (it has note)"));
    databases.in_target("DROP TABLE note").await;
    printed(&databases.run(&databases.target.url, &["migrate"]));
    assert!(complaint(&databases.copy()).contains("not empty (it has account)"));
    let keys: i64 = databases.of_target("SELECT COUNT(*) FROM api_key").await;
    assert_eq!(keys, 0);

    let source = url_of(&databases.source);
    let to_sqlite = ["copy", "--from", &source, "--to", &source];
    assert!(complaint(&databases.run(&source, &to_sqlite)).contains("--to must name a Postgres database"));
    assert!(complaint(&databases.copy_from(&databases.target.url)).contains("--from must name a SQLite database"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_in_use_damaged_or_of_another_version_is_not_copied() {
    let Some(databases) = Databases::make().await else {
        return;
    };
    let source = url_of(&databases.source);
    assert!(complaint(&databases.copy()).contains("No such file"));
    printed(&databases.run(&source, &["migrate"]));
    assert!(complaint(&databases.copy()).contains("no server has used the source"));
    databases.use_once(&databases.source);

    let lock = LockFile::take(&source).expect("locks");
    assert!(complaint(&databases.copy()).contains("stop it first"));
    drop(lock);
    let link = databases.directory.path().join("link.db");
    std::os::unix::fs::symlink(&databases.source, &link).expect("a link");
    let lock = LockFile::take(&source).expect("locks");
    assert!(complaint(&databases.copy_from(&url_of(&link))).contains("stop it first"));
    drop(lock);
    let writer = connect(&source).await;
    writer.execute_unprepared("BEGIN IMMEDIATE").await.expect("begins");
    assert!(complaint(&databases.copy()).contains("another process writes to the source"));
    writer.execute_unprepared("ROLLBACK").await.expect("ends");
    writer.close().await.expect("closes");

    for (before, reason, after) in [
        (
            "INSERT INTO seaql_migrations VALUES ('m99990101_000000_create_moon', 1)",
            "a newer version of ledgerbell",
            "DELETE FROM seaql_migrations WHERE version = 'm99990101_000000_create_moon'",
        ),
        (
            "UPDATE seaql_migrations SET version = version || 'x' WHERE version LIKE '%_create_quota'",
            "from before the first release",
            "UPDATE seaql_migrations SET version = rtrim(version, 'x') WHERE version LIKE '%_create_quotax'",
        ),
        (
            "CREATE TABLE kept AS SELECT * FROM seaql_migrations WHERE version LIKE '%_create_quota';
             DELETE FROM seaql_migrations WHERE version LIKE '%_create_quota'",
            "lacks 1 migrations",
            "INSERT INTO seaql_migrations SELECT * FROM kept; DROP TABLE kept",
        ),
    ] {
        databases.in_source(before).await;
        let refused = complaint(&databases.copy());
        assert!(refused.contains(reason), "{before}: {refused}");
        databases.in_source(after).await;
    }
    // Views are those of extensions.
    let relations =
        "SELECT COUNT(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind <> 'v'";
    assert_eq!(databases.of_target::<i64>(relations).await, 0, "nothing was begun");

    for (values, problem) in [
        ("('a', 'text', 1, 1)", "column subject: the value has another type"),
        (
            "(char(97, 0), x'00', 1, 1)",
            "column scope: the text contains the character 0",
        ),
        (
            "(CAST(x'ff' AS TEXT), x'00', 1, 1)",
            "column scope: the text is not valid UTF-8",
        ),
    ] {
        databases.in_source(&format!("INSERT INTO quota VALUES {values}")).await;
        let refused = complaint(&databases.copy());
        assert!(
            refused.contains(&format!("table quota, row 1 by its key, {problem}")),
            "{refused}"
        );
        databases.nothing_starts();
        databases.in_source("DELETE FROM quota").await;
    }
    printed(&databases.copy());
}
