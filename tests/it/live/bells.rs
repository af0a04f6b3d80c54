//! Two processes on one database: notified by the bell, or finding changes without it.

use std::time::Duration;

use futures_util::future::join_all;
use ledgerbell::domain::event::{BELL, Hub};
use ledgerbell::primitives::ids::AccountId;
use ledgerbell::workers::Workers;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use super::{ENTRIES, grant, sequences};
use crate::harness::{TestApp, postgres_server, until};

/// SQLite has no bell between processes: there the other process always polls.
async fn without_bell(hub: &Hub) {
    if postgres_server().is_none() {
        hub.poll().await.expect("polls");
    }
}

#[tokio::test]
async fn what_one_process_posts_is_told_by_the_other() {
    let app = TestApp::start().await;
    let other = app.another_process(&[]).await;
    let mut subscribers = Vec::new();
    for _ in 0..3 {
        let mut subscriber = other.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
        subscriber.expect("CAUGHT_UP").await;
        subscribers.push(subscriber);
    }
    for round in 0..5_i64 {
        grant(&app, &app.team, &format!("round {round}"), 10).await;
        without_bell(other.services().events.hub()).await;
        let told = join_all(subscribers.iter_mut().map(|subscriber| sequences(subscriber, 10))).await;
        let expected: Vec<i64> = (round * 10 + 1..=round * 10 + 10).collect();
        assert!(told.iter().all(|told| *told == expected), "{told:?}");
    }
    drop(subscribers);
    other.close().await;
}

/// A use case of another module rings like the engine does.
#[tokio::test]
async fn changes_beside_the_ledger_ring_as_well() {
    let app = TestApp::start().await;
    let other = app.another_process(&[]).await;
    let document = "subscription { accountUpdated { cursor signal account { name } } }";
    let mut here = app.subscribe(&app.team.admin.client, document, json!({})).await;
    let mut there = other.subscribe(&app.team.admin.client, document, json!({})).await;
    here.expect("CAUGHT_UP").await;
    there.expect("CAUGHT_UP").await;
    let update =
        "mutation($id: ID!) { updateAccount(input: { accountId: $id, name: \"Renamed\" }) { userErrors { code } } }";
    let updated = app.platform.query(update, json!({ "id": app.team.id() })).await;
    assert_eq!(updated.only_field()["userErrors"], json!([]));
    without_bell(other.services().events.hub()).await;
    for subscriber in [&mut here, &mut there] {
        assert_eq!(subscriber.expect("ITEM").await["account"]["name"], json!("Renamed"));
    }
    drop((here, there));
    other.close().await;
}

/// It is no event of an account, and its processing begins at once in any process.
#[tokio::test]
async fn a_webhook_of_the_gateway_wakes_the_workers_of_all_processes() {
    let app = TestApp::start().await;
    let other = app.another_process(&[]).await;
    let has_bus = postgres_server().is_some();
    other.services().events.hub().want_bells();
    let hears = || {
        let beats = other.services().pulse.all();
        beats
            .iter()
            .any(|(name, beat)| *name == BELL && beat.last_success.is_some())
    };
    if has_bus {
        until(hears).await;
    }
    // Accounts are recorded from the first call on.
    other.services().events.hub().rung().taken();
    let (mut here, mut there) = (app.services().wake.wakes(), other.services().wake.wakes());
    let patience = Duration::from_secs(30);
    let body = br#"{"id":"evt_7","type":"customer.created","data":{"object":{"object":"customer","id":"cus_7"}}}"#;
    let signature = ledgerbell::adapters::gateway::webhook::sign("whsec_simulated", body, app.clock.now());
    let webhooks = &app.services().webhooks;
    webhooks.receive(body.to_vec(), &signature).await.expect("stored");
    tokio::time::timeout(patience, here.next()).await.expect("woken");
    if has_bus {
        tokio::time::timeout(patience, there.next()).await.expect("woken");
    }
    let rung = other.services().events.hub().rung().taken();
    assert!(!rung.contains(&AccountId::PLATFORM), "it is no account: {rung:?}");
    other.close().await;
}

#[tokio::test]
async fn a_bell_that_is_never_heard_costs_time_alone() {
    let app = TestApp::start_with(&[("bus.kind", "none")]).await;
    let other = app.another_process(&[("bus.kind", "none")]).await;
    let mut subscriber = other.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    grant(&app, &app.team, "unheard", 300).await;
    assert!(subscriber.was_told_nothing().await);
    let before = other.app().database().statements();
    other.services().events.hub().poll().await.expect("polls");
    assert_eq!(
        other.app().database().statements() - before,
        1,
        "one statement for all accounts"
    );
    assert_eq!(sequences(&mut subscriber, 300).await, (1..=300).collect::<Vec<i64>>());
    assert!(subscriber.is_idle().await);
    drop(subscriber);
    other.close().await;
}

/// A bell for an event that does not exist causes one wake-up and nothing else.
#[tokio::test]
async fn a_bell_that_promises_too_much_harms_nobody() {
    use ledgerbell::domain::event::Bell as _;
    let app = TestApp::start().await;
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    app.services().events.hub().ring(app.team.account.id, i64::MAX);
    assert!(subscriber.is_idle().await);
    grant(&app, &app.team, "real", 2).await;
    assert_eq!(sequences(&mut subscriber, 2).await, [1, 2]);
}

/// Grants credits until the process hears a bell of its own. Bells before the connection listens are not heard.
async fn hear_a_bell(app: &TestApp) {
    let hub = app.services().events.hub();
    let heard = async {
        let mut number = 0;
        while hub.bell_lag().count() == 0 {
            grant(app, &app.team, &format!("bell {number}"), 1).await;
            number += 1;
        }
    };
    let heard = tokio::time::timeout(Duration::from_secs(20), heard).await;
    heard.expect("the bus delivers bells");
}

/// By one clock: a process hears its own bells too.
#[tokio::test]
async fn the_delay_of_bells_is_measured_by_the_process_that_rings() {
    if postgres_server().is_none() {
        return;
    }
    let app = TestApp::start().await;
    let hub = app.services().events.hub();
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    hear_a_bell(&app).await;
    let lag = hub.bell_lag();
    assert!(lag.sum < 20.0, "{lag:?}");
}

/// It has rung its own hub when it sent them.
#[tokio::test]
async fn a_process_does_not_act_again_on_its_own_bells() {
    if postgres_server().is_none() {
        return;
    }
    let app = TestApp::start().await;
    let hub = app.services().events.hub();
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    hear_a_bell(&app).await;
    // Accounts are recorded from the first call on.
    hub.rung().taken();
    grant(&app, &app.team, "another", 1).await;
    until(|| hub.rung().taken() == [app.team.account.id]).await;
    until(|| hub.bell_lag().count() == 2).await;
    assert!(hub.rung().taken().is_empty(), "it was heard");
}

/// A process that has lost its bell connection polls after it has reconnected.
#[tokio::test]
async fn a_connection_to_the_bell_that_is_cut_costs_time_alone() {
    if postgres_server().is_none() {
        return;
    }
    let app = TestApp::start().await;
    let other = app.another_process(&[]).await;
    let mut subscriber = other.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    for round in 0..3_i64 {
        grant(&app, &app.team, &format!("before {round}"), 5).await;
        let cut = "SELECT COUNT(pg_terminate_backend(pid)) AS cut FROM pg_stat_activity
            WHERE datname = current_database() AND (query LIKE 'LISTEN%' OR query LIKE '%pg_notify%') AND pid <> pg_backend_pid()";
        // Connections that were cut in the previous round may still be reconnecting.
        let some_are_cut = async {
            let mut count = 0_i64;
            while count == 0 {
                let statement = Statement::from_string(DbBackend::Postgres, cut);
                let row = app.app().database().read().query_one_raw(statement).await;
                count = row.expect("cuts").expect("a row").try_get("", "cut").expect("a count");
            }
        };
        let cut = tokio::time::timeout(Duration::from_secs(20), some_are_cut).await;
        cut.expect("there is something to cut");
        grant(&app, &app.team, &format!("after {round}"), 5).await;
        let expected: Vec<i64> = (round * 10 + 1..=round * 10 + 10).collect();
        assert_eq!(sequences(&mut subscriber, 10).await, expected);
    }
    drop(subscriber);
    other.close().await;
}

/// A server on this machine with an untrusted certificate: the pool does not use encryption there, and neither does the bell.
#[tokio::test]
async fn the_bell_is_as_little_encrypted_as_the_pool() {
    let Some(server) = postgres_server() else { return };
    let (_, address) = server.rsplit_once('@').unwrap_or(("", &server));
    let (address, _) = address
        .trim_start_matches("postgres://")
        .split_once('/')
        .expect("a database");
    let upstream = if address.contains(':') {
        address.to_owned()
    } else {
        format!("{address}:5432")
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let proxy = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let upstream = upstream.clone();
            tokio::spawn(async move {
                let mut first = [0; 8];
                client.peek(&mut first).await.expect("a first message");
                // A client that requests encryption gets a failing handshake, as with an untrusted certificate.
                if first == [0, 0, 0, 8, 4, 210, 22, 47] {
                    let _ = tokio::io::AsyncWriteExt::write_all(&mut client, b"S").await;
                    return;
                }
                let mut server = tokio::net::TcpStream::connect(upstream)
                    .await
                    .expect("Postgres listens");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    let url = server.replacen(address, &format!("127.0.0.1:{port}"), 1);
    let heard = ledgerbell::adapters::bus::hear_postgres(&url).await;
    assert!(heard.is_ok(), "{heard:?}");
    let insists = format!("{url}?sslmode=require");
    assert!(
        ledgerbell::adapters::bus::hear_postgres(&insists).await.is_err(),
        "unless the URL insists"
    );
    proxy.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_failed_counts_no_more_when_its_subscribers_have_left() {
    let app = TestApp::start().await;
    let workers = Workers::start_own(app.app().services());
    let fails = || {
        let beats = app.app().services().pulse.all();
        let (_, beat) = beats.into_iter().find(|(name, _)| *name == "live poll").expect("runs");
        beat.fails_since.is_some()
    };
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    let direct = sea_orm::Database::connect(app.database_url()).await.expect("connects");
    let rename = async |from: &str, to: &str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        direct.execute_unprepared(&sql).await.expect("renamed")
    };
    rename("account_state", "account_state_away").await;
    until(fails).await;
    drop(subscriber);
    // The table is still away: no poll can succeed.
    until(|| !fails()).await;
    rename("account_state_away", "account_state").await;
    direct.close().await.expect("closes");
    workers.stop().await;
}
