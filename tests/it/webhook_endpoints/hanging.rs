//! An endpoint that hangs, beside one that answers.

use std::time::{Duration, Instant};

use ledgerbell::domain::webhook_endpoint::{Claimed, Target};
use ledgerbell::workers::{WebhookCollector, WebhookSender};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::receiver::{Answer, Receiver};
use super::{collect, endpoint, entries, grant, start};
use crate::harness::TestApp;

/// Events that both endpoints get.
const EVENTS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hangs_delays_no_other() {
    let receiver = Receiver::start().await;
    let settings = [
        ("webhook_endpoints.allowed_networks", "127.0.0.0/8"),
        ("webhook_endpoints.timeout_ms", "60000"),
    ];
    let app = Box::pin(TestApp::start_with(&settings)).await;
    receiver.answer("/hangs", Answer::Hang);
    endpoint(&app, &receiver.url("/hangs"), &entries()).await;
    endpoint(&app, &receiver.url("/works"), &entries()).await;
    let (services, stop) = (app.services(), CancellationToken::new());
    let rung = services.events.hub().rung_for_webhooks().clone();
    let collector = WebhookCollector::new(services.webhook_collecting.clone(), rung);
    let sender = WebhookSender::new(services.webhook_sending.clone());
    let workers = [
        tokio::spawn(collector.run(stop.clone())),
        tokio::spawn(sender.run(stop.clone())),
    ];
    let mut posted = Vec::with_capacity(EVENTS);
    for number in 0..EVENTS {
        let entry = grant(&app, &format!("grant {number}")).await;
        posted.push((entry["entry"]["id"].clone(), Instant::now()));
    }
    let received = receiver.until("/works", EVENTS).await;
    let hanging = receiver.most_hanging();
    assert!(
        (1..=4).contains(&hanging),
        "the attempts of one endpoint are bounded: {hanging}"
    );
    let mut delays: Vec<Duration> = posted
        .iter()
        .map(|(entry, at)| {
            let one = received.iter().find(|one| one.json()["data"]["entryId"] == *entry);
            one.expect("a message").at.saturating_duration_since(*at)
        })
        .collect();
    delays.sort();
    println!(
        "from the response to the receiver: p50 {:?}, p99 {:?}",
        delays[EVENTS / 2],
        delays[EVENTS * 99 / 100]
    );
    // A round that waited for the endpoint that hangs would take a minute.
    assert!(delays[EVENTS - 1] < Duration::from_secs(30), "{delays:?}");
    stop.cancel();
    for worker in workers {
        worker.await.expect("ends");
    }
}

/// Whether or not they hang: a process has a bounded number of attempts in progress.
#[tokio::test]
async fn a_team_with_many_endpoints_leaves_room_for_others() {
    let app = start().await;
    for number in 0..20 {
        endpoint(&app, &format!("http://127.0.0.1:1/{number}"), &entries()).await;
    }
    for number in 0..3 {
        grant(&app, &format!("grant {number}")).await;
    }
    collect(&app).await;
    let other = app.another_team("other").await;
    let mut input = json!({ "accountId": other.id(), "url": "http://127.0.0.1:1/other" });
    let fields = input.as_object_mut().expect("an object");
    fields.extend(entries().as_object().expect("an object").clone());
    let client = &other.owner.client;
    client
        .apply("createWebhookEndpoint", "webhookEndpoint { id }", input)
        .await;
    let input = json!({ "accountId": other.id(), "credits": "5", "description": "Welcome", "idempotencyKey": "other" });
    app.platform.apply("grantCredits", "entry { id }", input).await;
    collect(&app).await;
    let sending = &app.services().webhook_sending;
    let mut in_progress: Vec<Target> = Vec::new();
    for _ in 0..4 {
        let claimed = sending.claim(32, in_progress.iter().copied()).await.expect("claims");
        in_progress.extend(claimed.iter().map(Claimed::target));
    }
    let of = |account| in_progress.iter().filter(|(of, _)| *of == account).count();
    assert_eq!((of(app.team.account.id), of(other.account.id)), (8, 1));
}
