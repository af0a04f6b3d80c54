//! The executable, run as an operator runs it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use ledgerbell::config::DEMO_SECRET;
use ledgerbell::primitives::actor::Permission;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use crate::harness::{Client, TestDatabase, environment};

pub(crate) const SECRET: &str = "0123456789012345678901234567890123456789";

/// Returns the executable on its own database, in development mode, without the environment of the person who runs the tests.
pub(crate) fn ledgerbell(database: &TestDatabase) -> Command {
    executable(database.directory.path(), &database.url)
}

/// As [`ledgerbell`], on the database at `url`.
pub(crate) fn executable(directory: &Path, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerbell"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEDGERBELL_")) {
        command.env_remove(name);
    }
    command
        .env("LEDGERBELL_MODE", "development")
        .env("LEDGERBELL_DATA_DIR", directory)
        .env("LEDGERBELL_DATABASE_URL", url)
        .env("LEDGERBELL_DATABASE_MAX_CONNECTIONS", "4")
        .envs(environment())
        .current_dir(directory)
        .stdin(Stdio::null());
    command
}

/// Returns what a program printed that succeeded.
pub(crate) fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns what a program said that failed as it should.
pub(crate) fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn run(database: &TestDatabase, arguments: &[&str]) -> Output {
    ledgerbell(database).args(arguments).output().expect("it runs")
}

/// Returns the output. Fails unless the command succeeds.
fn print(database: &TestDatabase, arguments: &[&str]) -> String {
    let output = run(database, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// Returns the error output. Fails unless the command fails.
fn complain(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("text")
}

/// A demo that is ready.
pub(crate) struct Demo {
    pub(crate) process: Child,
    pub(crate) ready: Value,
}

impl Demo {
    fn start(database: &TestDatabase) -> Self {
        Self::start_with(&mut ledgerbell(database))
    }

    /// A demo by an executable with these settings.
    pub(crate) fn start_with(executable: &mut Command) -> Self {
        let mut process = executable
            .args(["demo", "--json", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let out = process.stdout.as_mut().expect("standard output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut complaint = String::new();
            let _ = process
                .stderr
                .take()
                .expect("standard error")
                .read_to_string(&mut complaint);
            panic!("{error} in {line:?}; it said {complaint}")
        });
        Self { process, ready }
    }

    pub(crate) fn text(&self, key: &str) -> String {
        self.ready[key]
            .as_str()
            .unwrap_or_else(|| panic!("no {key} in {}", self.ready))
            .to_owned()
    }

    fn client(&self, credential: &str) -> Client {
        Client::new(&self.text("url"), Some(self.text(credential)))
    }

    /// Stops it as an operator does. Returns the rest of its output.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        let signaled = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .expect("a signal");
        assert!(signaled.success());
        let mut rest = String::new();
        self.process
            .stdout
            .take()
            .expect("standard output")
            .read_to_string(&mut rest)
            .expect("text");
        (self.process.wait().expect("it ends"), rest)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_prints_one_line_and_finds_its_team_again() {
    let database = TestDatabase::make_unused().await;
    let demo = Demo::start(&database);
    let mut keys: Vec<&str> = demo
        .ready
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    let expected = ["accountId", "apiKey", "consoleLink", "memberToken", "ownerToken", "url"];
    assert_eq!(keys, expected);
    let url = demo.text("url");
    assert_eq!(print(&database, &["healthcheck", "--url", &url]), "ready");

    let log =
        "{ viewer { member { role } } account { id creditLog(first: 1) { totals { count net } } balance { posted } } }";
    let owners = demo.client("ownerToken").query(log, json!({})).await;
    assert_eq!(owners.at("/viewer/member/role"), "OWNER");
    assert_eq!(*owners.at("/account/id"), demo.ready["accountId"]);
    assert_eq!(
        owners.at("/account/creditLog/totals/net"),
        owners.at("/account/balance/posted")
    );
    let members = demo.client("memberToken").query(log, json!({})).await;
    assert_eq!(members.at("/viewer/member/role"), "MEMBER");
    let count = |answer: &crate::harness::Answer| -> u32 {
        let count = answer.at("/account/creditLog/totals/count").as_str().expect("a number");
        count.parse().expect("a number")
    };
    assert!(count(&owners) > 100, "90 days of history");
    assert!(
        (1..count(&owners)).contains(&count(&members)),
        "a member sees their own entries alone"
    );
    let unread = "{ account { alerts(filter: { unreadOnly: true }) { nodes { kind action { nextStep } topUp { canRetry } } } } }";
    let unread = demo.client("ownerToken").query(unread, json!({})).await;
    let failed =
        json!([{ "kind": "TOP_UP_FAILED", "action": { "nextStep": "RETRY_TOP_UP" }, "topUp": { "canRetry": true } }]);
    assert_eq!(*unread.at("/account/alerts/nodes"), failed);
    let permissions = demo
        .client("apiKey")
        .query("{ viewer { permissions } }", json!({}))
        .await;
    assert_eq!(
        permissions.at("/viewer/permissions").as_array().expect("a list").len(),
        11
    );

    let (first, rest) = (demo.ready.clone(), demo.stop());
    assert!(rest.0.success(), "it ends cleanly");
    assert_eq!(rest.1, "", "nothing but the line is printed");

    let demo = Demo::start(&database);
    assert_eq!(demo.ready["accountId"], first["accountId"]);
    assert_eq!(demo.ready["apiKey"], first["apiKey"]);
    let again = demo.client("ownerToken").query(log, json!({})).await;
    assert_eq!(count(&again), count(&owners));
    assert!(demo.stop().0.success());

    let verified = print(&database, &["verify"]);
    assert!(
        verified.ends_with(&format!(
            "{} entries of 1 accounts checked, 0 violations",
            count(&owners)
        )),
        "{verified}"
    );
}

#[tokio::test]
async fn the_simulated_gateway_is_served_in_development_alone() {
    let database = TestDatabase::make_empty().await;
    let mut command = ledgerbell(&database);
    command
        .env("LEDGERBELL_MODE", "production")
        .env("LEDGERBELL_SECRET", SECRET)
        .env("LEDGERBELL_AUTH_JWT_SECRET", SECRET)
        .args(["gateway", "--api", "127.0.0.1:0"]);
    let complaint = complain(&mut command);
    assert!(complaint.contains("in development only"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_served_where_a_setting_says_and_a_taken_port_is_told() {
    let database = TestDatabase::make_unused().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let mut serve = ledgerbell(&database);
    serve
        .env("LEDGERBELL_METRICS_LISTEN", &address)
        .args(["demo", "--json", "--listen", "127.0.0.1:0"]);
    let complaint = complain(&mut serve);
    assert!(
        complaint.contains(&address) && complaint.contains("metrics.listen"),
        "{complaint}"
    );
    drop(taken);

    let mut process = serve
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let out = process.stdout.as_mut().expect("standard output");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let ready = serde_json::from_str(&line).expect("it is ready");
    let demo = Demo { process, ready };
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client
        .get(format!("http://{address}/metrics"))
        .send()
        .await
        .expect("answers");
    let text = answer.text().await.expect("a text");
    assert!(text.contains("ledgerbell_postings_total"), "{text}");
    assert!(demo.stop().0.success(), "it ends cleanly");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_makes_another_key_when_the_one_it_remembers_is_gone() {
    let database = TestDatabase::make_unused().await;
    let demo = Demo::start(&database);
    let key = demo.text("apiKey");
    assert!(demo.stop().0.success());
    let file = database.directory.path().join("demo-api-key");
    assert_eq!(std::fs::read_to_string(&file).expect("the key's file").trim(), key);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("the key's file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    }
    let listed = print(&database, &["api-key", "list"]);
    let id = listed.split_whitespace().next().expect("an id");
    print(&database, &["api-key", "revoke", id]);

    let demo = Demo::start(&database);
    assert_ne!(demo.text("apiKey"), key);
    let viewer = demo.client("apiKey").query("{ viewer { kind } }", json!({})).await;
    assert_eq!(viewer.at("/viewer/kind"), "API_KEY");
    assert!(demo.stop().0.success());
}

#[tokio::test]
async fn settings_that_make_no_sense_are_named_with_what_is_allowed() {
    let database = TestDatabase::make_empty().await;
    let complaint = complain(ledgerbell(&database).args(["serve", "--mode", "prod"]));
    assert!(
        complaint.contains("mode is \"prod\" (flag --mode), but must be development or production"),
        "{complaint}"
    );
    let complaint = complain(ledgerbell(&database).env("LEDGERBELL_LANES", "3").arg("serve"));
    assert!(
        complaint.contains("unknown setting LEDGERBELL_LANES") && complaint.contains("LEDGERBELL_ENGINE_LANES"),
        "{complaint}"
    );
    for wrong in [
        "app.example/credits",
        "https://",
        "ftp://app.example",
        "javascript:alert(1)",
        "https://app.example/my credits",
        "https://app.example/#credits",
        "https://\"app\".example",
    ] {
        let complaint = complain(ledgerbell(&database).env("LEDGERBELL_APP_URL", wrong).arg("serve"));
        assert!(
            complaint.contains("app_url is")
                && complaint.contains("must be a URL that begins with http:// or https://"),
            "{wrong}: {complaint}"
        );
    }
    let file = database.directory.path().join("settings.toml");
    std::fs::write(&file, "[engine]\nlanes = 1000\n").expect("written");
    let complaint = complain(ledgerbell(&database).arg("serve").arg("--config").arg(&file));
    assert!(
        complaint.contains("engine.lanes is 1000") && complaint.contains("from 1 to 64"),
        "{complaint}"
    );
}

#[tokio::test]
async fn production_does_not_start_with_the_demo_secret_or_none() {
    let database = TestDatabase::make().await;
    let production = || {
        let mut command = ledgerbell(&database);
        command
            .env("LEDGERBELL_MODE", "production")
            .args(["serve", "--listen", "127.0.0.1:0"]);
        command
    };
    assert!(complain(&mut production()).contains("LEDGERBELL_SECRET"));
    assert!(complain(production().env("LEDGERBELL_SECRET", SECRET)).contains("LEDGERBELL_AUTH_JWT_SECRET"));
    for name in ["LEDGERBELL_SECRET", "LEDGERBELL_AUTH_JWT_SECRET"] {
        let complaint = complain(
            production()
                .env("LEDGERBELL_SECRET", SECRET)
                .env("LEDGERBELL_AUTH_JWT_SECRET", SECRET)
                .env(name, DEMO_SECRET),
        );
        assert!(complaint.contains("demo secret"), "{complaint}");
    }
    let mut token = ledgerbell(&database);
    token
        .env("LEDGERBELL_MODE", "production")
        .env("LEDGERBELL_SECRET", SECRET)
        .env("LEDGERBELL_AUTH_JWT_SECRET", SECRET)
        .args(["token", "--account", "a", "--member", "m"]);
    assert!(complain(&mut token).contains("in development only"));
}

#[tokio::test]
async fn commands_that_sign_nothing_need_no_secret() {
    let database = TestDatabase::make_empty().await;
    let in_production = |args: &[&str]| {
        let mut command = ledgerbell(&database);
        command.env("LEDGERBELL_MODE", "production").args(args);
        let output = command.output().expect("runs");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            complaint,
        )
    };
    for (args, expected) in [
        (&["migrate"][..], "up to date"),
        (&["verify"], "0 violations"),
        (
            &[
                "api-key",
                "create",
                "--name",
                "Reports",
                "--permissions",
                "READ_CREDIT_LOG",
            ],
            "lb_",
        ),
        (&["api-key", "list"], "Reports"),
        (&["schema"], "type Query"),
        (&["config", "print"], "mode = \"production\""),
    ] {
        let (code, printed, complaint) = in_production(args);
        assert_eq!(code, Some(0), "{args:?}: {complaint}");
        assert!(printed.contains(expected), "{args:?}: {printed}");
    }
    // A process that signs links does not start, and doctor says so and checks the rest.
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["worker"]] {
        let (code, _, complaint) = in_production(args);
        assert_eq!(code, Some(1), "{args:?}");
        assert!(complaint.contains("LEDGERBELL_SECRET"), "{args:?}: {complaint}");
    }
    let (code, printed, _) = in_production(&["doctor"]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(
        printed.contains("LEDGERBELL_SECRET") && printed.contains("migrations"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_server_does_not_start_on_a_schema_that_is_not_its_own() {
    let database = TestDatabase::make_empty().await;
    let complaint = complain(ledgerbell(&database).args(["serve", "--listen", "127.0.0.1:0"]));
    assert!(complaint.contains("ledgerbell migrate"), "{complaint}");
    assert_eq!(print(&database, &["migrate"]), "the schema is up to date");
    assert_eq!(
        print(&database, &["migrate"]),
        "the schema is up to date",
        "again changes nothing"
    );
    assert!(print(&database, &["verify"]).ends_with("0 entries of 0 accounts checked, 0 violations"));
}

#[tokio::test]
async fn a_database_of_another_version_is_refused_in_one_line_that_names_the_remedy() {
    for (migration, remedy) in [
        ("m20261124_113000_create_mail_report", "or remove the old one (./data)"),
        ("m99990101_000000_create_moon", "run that version, or a newer one"),
    ] {
        let database = TestDatabase::make().await;
        let connection = Database::connect(&database.url).await.expect("the database opens");
        let applied = format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{migration}', 1)");
        connection.execute_unprepared(&applied).await.expect("inserted");
        connection.close().await.expect("the database closes");
        for args in [
            &["demo", "--json", "--listen", "127.0.0.1:0"][..],
            &["serve", "--listen", "127.0.0.1:0"],
            &["serve", "--migrate", "--listen", "127.0.0.1:0"],
            &["migrate"],
            &["verify"],
        ] {
            let complaint = complain(ledgerbell(&database).args(args));
            let last = complaint.lines().last().unwrap_or_default();
            assert!(
                last.starts_with("error: a ") && last.contains(migration) && last.ends_with(remedy),
                "{args:?}: {complaint}"
            );
        }
        let output = run(&database, &["doctor"]);
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains(migration) && text.contains("or another database"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let database = TestDatabase::make().await;
    let secret = print(
        &database,
        &[
            "api-key",
            "create",
            "--name",
            "Billing",
            "--permissions",
            "READ_CREDIT_LOG,MANAGE_CREDITS",
        ],
    );
    assert!(secret.starts_with("lb_"));
    let listed = print(&database, &["api-key", "list"]);
    assert!(
        listed.contains("Billing") && listed.contains("active") && listed.ends_with("READ_CREDIT_LOG,MANAGE_CREDITS"),
        "{listed}"
    );
    assert!(!listed.contains(&secret), "a key is shown once");
    let id = listed.split_whitespace().next().expect("an id").to_owned();
    assert_eq!(print(&database, &["api-key", "revoke", &id]), "Billing is revoked");
    assert!(print(&database, &["api-key", "list"]).contains("revoked"));
    let refused = run(&database, &["api-key", "create", "--name", "x", "--permissions", "FLY"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("must be one of READ_OWN_USAGE"));
    let listed = print(&database, &["api-key", "list"]);
    let refused = run(&database, &["api-key", "create", "--name", "Everything"]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && message.contains("--permissions is missing"),
        "{message}"
    );
    for permission in Permission::ALL {
        assert!(message.contains(permission.name()), "{message}");
    }
    let team = [
        "api-key",
        "create",
        "--name",
        "x",
        "--side",
        "team",
        "--permissions",
        "READ_CREDIT_LOG",
    ];
    let refused = run(&database, &team);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && message.contains("belongs to one account"),
        "{message}"
    );
    assert_eq!(print(&database, &["api-key", "list"]), listed, "no key was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_exits_1_when_something_does_not_match() {
    let database = TestDatabase::make_unused().await;
    assert!(Demo::start(&database).stop().0.success());
    let connection = Database::connect(&database.url).await.expect("the database opens");
    let spoiled = connection
        .execute_unprepared("UPDATE credit_entry SET amount = amount + 1 WHERE sequence = 7")
        .await;
    assert_eq!(spoiled.expect("spoiled").rows_affected(), 1);
    connection.close().await.expect("the database closes");
    let output = run(&database, &["verify"]);
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8(output.stdout).expect("text");
    assert!(report.contains("ent_") && !report.contains(" 0 violations"), "{report}");
}

#[tokio::test]
async fn every_mail_can_be_looked_at_in_every_language_with_the_operators_own_words() {
    let database = TestDatabase::make().await;
    let directory = database.directory.path();
    let (templates, mails) = (directory.join("templates"), directory.join("mails"));
    std::fs::create_dir(&templates).expect("a folder");
    std::fs::write(templates.join("mail.txt"), "{{ subject }} -- our own form").expect("written");
    let preview = |command: &mut Command| {
        let arguments = ["mail", "preview", "mails", "--team", "Tom & <Co>"];
        let output = command.args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    preview(ledgerbell(&database).env("LEDGERBELL_MAIL_TEMPLATES", &templates));
    let read = |name: &str| std::fs::read_to_string(mails.join(name)).expect("a mail");
    let english = read("low_balance.en.html");
    assert!(
        english.contains("Tom &amp; &lt;Co&gt;") && english.contains("48.5 credits"),
        "{english}"
    );
    assert!(read("low_balance.de.html").contains("48,5 Credits"));
    assert_eq!(
        read("low_balance.de.txt"),
        "Das Guthaben wird knapp (Tom & <Co>) -- our own form"
    );
    assert!(read("card_expiring.de.html").contains("bis zum Ende des 19.\u{a0}März 2026"));
    assert!(read("credits_expiring.en.html").contains("20\u{a0}March 2026, 19:30"));

    std::fs::write(templates.join("mail.txt"), "{{ subject").expect("written");
    let complaint = complain(
        ledgerbell(&database)
            .env("LEDGERBELL_MAIL_TEMPLATES", &templates)
            .args(["mail", "preview", "mails"]),
    );
    assert!(complaint.contains("mail.txt"), "{complaint}");
}
