//! Bells by way of NATS: events of other processes come at once, and later without it.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use ledgerbell::adapters::bus::{NatsSettings, hear_nats};
use ledgerbell::primitives::secret::Secret;
use serde_json::{Value, json};

use crate::harness::{Frame, NatsServer, Place, Serving, Socket, TestApp, TestDatabase, postgres_server};

const PATIENCE: Duration = Duration::from_mins(1);
const PASSWORD: &str = "hunter2-of-the-bell";
const ENTRIES: &str = "subscription { creditEntryPosted { cursor signal entry { sequence } } }";
const POSTED: &str = "subscription($id: ID!) { creditEntryPosted(accountId: $id) { cursor signal entry { id } } }";

async fn grant(app: &TestApp, name: &str) {
    let input = json!({ "accountId": app.team.id(), "credits": "1", "description": "x", "idempotencyKey": name });
    app.platform.apply("grantCredits", "entry { id }", input).await;
}

/// These processes run no workers, so that nothing polls.
#[tokio::test]
async fn what_one_process_posts_is_told_by_nats_and_found_when_it_is_back() {
    if postgres_server().is_none() {
        return;
    }
    let Some(mut nats) = NatsServer::start().await else {
        return;
    };
    let url = nats.url();
    let settings = [("bus.kind", "nats"), ("bus.nats_servers", url.as_str())];
    let app = TestApp::start_with(&settings).await;
    let other = app.another_process(&settings).await;
    let mut subscriber = other.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    for round in 0..3 {
        for number in 0..5 {
            grant(&app, &format!("heard {round} {number}")).await;
            subscriber.expect("ITEM").await;
        }
        nats.kill();
        grant(&app, &format!("unheard {round}")).await;
        assert!(subscriber.was_told_nothing().await);
        nats.start_again().await;
        subscriber.expect("ITEM").await;
    }
    drop(subscriber);
    other.close().await;
}

#[tokio::test]
async fn installations_that_share_a_server_and_a_namespace_ring_on_different_subjects() {
    if postgres_server().is_none() {
        return;
    }
    let Some(nats) = NatsServer::start().await else {
        return;
    };
    let client = async_nats::connect(nats.url()).await.expect("connects");
    let mut all = client.subscribe(">").await.expect("subscribes");
    client.flush().await.expect("flushes");
    let url = nats.url();
    let settings = [
        ("bus.kind", "nats"),
        ("bus.nats_servers", url.as_str()),
        ("bus.namespace", "eu-1.credits"),
    ];
    let mut subjects = Vec::new();
    for _ in 0..2 {
        let app = TestApp::start_with(&settings).await;
        grant(&app, "one").await;
        let message = tokio::time::timeout(PATIENCE, all.next()).await.expect("a ring");
        let subject = message.expect("a message").subject.to_string();
        let database = subject
            .strip_prefix("eu-1.credits.")
            .and_then(|rest| rest.strip_suffix(".events"));
        let database = database.unwrap_or_else(|| panic!("{subject} names a database"));
        assert!(uuid::Uuid::parse_str(database).is_ok(), "{subject}");
        subjects.push(subject);
        drop(app);
        while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(200), all.next()).await {}
    }
    assert_ne!(subjects[0], subjects[1]);
}

/// Waits until `ready` responds like this.
async fn until_health(serving: &Serving, expected: &Value) {
    let begun = Instant::now();
    loop {
        let health = serving.health("ready").await;
        if health == *expected {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{health} becomes {expected}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Follows an account from now on.
async fn follow(place: &Place, key: &str, account: &str) -> Socket {
    let mut socket = Socket::ready(&place.base(), key).await;
    socket.subscribe("s", POSTED, json!({ "id": account })).await;
    let begun = socket.next("s").await;
    assert_eq!(begun["data"]["creditEntryPosted"]["signal"], "CAUGHT_UP");
    socket
}

async fn told(socket: &mut Socket) {
    loop {
        match socket.frame().await {
            Frame::Message(message) if message["payload"]["data"]["creditEntryPosted"]["entry"]["id"].is_string() => {
                return;
            }
            Frame::Message(_) | Frame::Ping => {}
            Frame::Close(code, reason) => panic!("closed: {code} {reason}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_that_is_down_prevents_no_start_is_reported_and_its_password_is_in_no_log() {
    if postgres_server().is_none() {
        return;
    }
    let accounts = format!("authorization {{ user: bell, password: \"{PASSWORD}\" }}");
    let Some(mut nats) = NatsServer::start_with(&accounts, &[]).await else {
        return;
    };
    nats.kill();
    let database = TestDatabase::make().await;
    let mut place = Place::new(&database.url);
    place.settings = [
        ("LEDGERBELL_BUS_KIND", "nats"),
        ("LEDGERBELL_BUS_NATS_SERVERS", &nats.url()),
        ("LEDGERBELL_BUS_NATS_USER", "bell"),
        ("LEDGERBELL_BUS_NATS_PASSWORD", PASSWORD),
        ("LEDGERBELL_LOG_LEVEL", "info,async_nats=trace"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    let key = place.key(&database);
    let serving = place.serve(&database, &key).await;
    let mut beside = Place::new(&database.url);
    beside.settings.clone_from(&place.settings);
    let neighbor = beside.serve(&database, &key).await;
    let account = serving.account("nats").await;
    let mut socket = follow(&place, &key, &account).await;
    neighbor.grant(&account, "unheard", PATIENCE).await.expect("granted");
    told(&mut socket).await;
    let doctor = || {
        let output = place.command(&database, &["doctor"]).output().expect("it runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let report = doctor();
    assert!(
        report.contains(&nats.address) && report.contains("no connection to NATS"),
        "{report}"
    );
    // It is reported, and requests are served.
    until_health(&serving, &json!({ "status": "ready", "bell": "silent" })).await;
    assert_eq!(serving.figure("worker_late{worker=\"bell\"}").await, 1);
    assert!(serving.is_ready().await && serving.is_live().await);

    nats.start_again().await;
    until_health(&serving, &json!({ "status": "ready" })).await;
    assert_eq!(serving.figure("worker_late{worker=\"bell\"}").await, 0);
    let report = doctor();
    assert!(report.contains("NATS delivers a message after"), "{report}");
    let mut socket = follow(&place, &key, &account).await;
    neighbor.grant(&account, "heard", PATIENCE).await.expect("granted");
    told(&mut socket).await;
    for log in [&serving.log, &neighbor.log] {
        let text = std::fs::read_to_string(log).expect("a log");
        assert!(
            text.contains("processes do not notify each other") && text.contains("async_nats"),
            "{text}"
        );
        assert!(!text.contains(PASSWORD), "{text}");
    }
    assert!(serving.terminate().await.0.success() && neighbor.terminate().await.0.success());
}

fn settings(server: String) -> NatsSettings {
    NatsSettings {
        namespace: "ledgerbell".to_owned(),
        servers: vec![server],
        user: None,
        password: None,
        token: None,
        credentials: None,
        ca: None,
        certificate: None,
        key: None,
    }
}

#[tokio::test]
async fn what_a_server_does_not_allow_is_named() {
    let accounts = "authorization { users: [
        { user: deaf, password: p, permissions: { publish: \">\", subscribe: \"other.>\" } },
        { user: mute, password: p, permissions: { publish: \"other.>\", subscribe: \">\" } },
        { user: allowed, password: p, permissions: { publish: \"ledgerbell.>\", subscribe: \"ledgerbell.>\" } } ] }";
    let Some(nats) = NatsServer::start_with(accounts, &[]).await else {
        return;
    };
    let of = |user: &str| NatsSettings {
        user: Some(user.to_owned()),
        password: Some(Secret::new("p")),
        ..settings(nats.url())
    };
    hear_nats(&of("allowed")).await.expect("allowed");
    for (user, expected) in [
        ("deaf", "Permissions Violation for Subscription"),
        ("mute", "Permissions Violation for Publish"),
        ("stranger", "authorization violation"),
    ] {
        let error = hear_nats(&of(user)).await.expect_err(user).to_string();
        assert!(
            error.to_lowercase().contains(&expected.to_lowercase()),
            "{user}: {error}"
        );
    }
}

/// Makes an authority, and certificates of it for a server and a client. `None` with a message without OpenSSL.
fn certificates() -> Option<tempfile::TempDir> {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
        for name in server client; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
            printf 'subjectAltName=DNS:localhost' >ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $name.pem
        done";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(directory.path())
        .output()
        .expect("a shell");
    if made.status.success() {
        return Some(directory);
    }
    let text = format!(
        "\n!!! NOT RUN: no certificates: {}\n",
        String::from_utf8_lossy(&made.stderr)
    );
    let _ = std::io::stderr().write_all(text.as_bytes());
    None
}

#[tokio::test]
async fn servers_are_verified_and_verify_by_certificates() {
    let Some(certificates) = certificates() else { return };
    let path = |name: &str| certificates.path().join(name);
    let read = |name: &str| std::fs::read(path(name)).expect("a file");
    let configuration =
        "tls { cert_file: \"$DIR/server.pem\", key_file: \"$DIR/server.key\", ca_file: \"$DIR/ca.pem\", verify: true }";
    let files = ["server.pem", "server.key", "ca.pem"].map(|name| (name, read(name)));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_slice())).collect();
    let Some(nats) = NatsServer::start_with(configuration, &files).await else {
        return;
    };
    let port = nats.address.rsplit(':').next().expect("a port");
    let well = NatsSettings {
        ca: Some(path("ca.pem")),
        certificate: Some(path("client.pem")),
        key: Some(path("client.key")),
        ..settings(format!("tls://localhost:{port}"))
    };
    hear_nats(&well).await.expect("both are verified");
    let unknown = NatsSettings {
        ca: None,
        ..well.clone()
    };
    assert!(hear_nats(&unknown).await.is_err(), "the server is not verified");
    let anonymous = NatsSettings {
        certificate: None,
        key: None,
        ..well.clone()
    };
    assert!(hear_nats(&anonymous).await.is_err(), "this process is not verified");
    let other_host = NatsSettings {
        servers: vec![format!("tls://127.0.0.1:{port}")],
        ..well
    };
    assert!(
        hear_nats(&other_host).await.is_err(),
        "the certificate is for another host"
    );
    let plain = NatsServer::start().await.expect("it is installed");
    let insists = settings(plain.url().replace("nats://", "tls://"));
    assert!(
        hear_nats(&insists).await.is_err(),
        "a server without encryption is refused"
    );
}
