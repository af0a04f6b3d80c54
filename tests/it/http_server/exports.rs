//! Limits of export links: they expire, their creator pays, and few are downloaded at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ledgerbell::domain::ledger::model::{Command, LotKind};
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::credits::Credits;
use reqwest::StatusCode;
use serde_json::json;

use super::ask;
use crate::harness::{Client, TestApp, until};

const LINK: &str = "{ account { creditLogExport { url } } }";

async fn link(client: &Client) -> String {
    let answer = client.query(LINK, json!({})).await;
    answer
        .at("/account/creditLogExport/url")
        .as_str()
        .expect("a link")
        .to_owned()
}

async fn grant(app: &TestApp, count: usize) {
    for number in 0..count {
        let command = Command::Grant {
            credits: Credits::whole(1),
            description: format!("Gift {number}"),
            kind: LotKind::Promotional,
            expires_at: None,
            priority: 0,
        };
        post(app, number, command).await;
    }
}

async fn post(app: &TestApp, number: usize, command: Command) {
    let ledger = &app.services().ledger;
    let key = format!("gift-{number}");
    let posted = ledger.post(&Actor::System, app.team.account.id, None, key, command);
    posted.await.expect("posted");
}

async fn follow(app: &TestApp, url: &str) -> (StatusCode, String) {
    let response = app.anonymous().get(url).send().await.expect("an answer");
    (response.status(), response.text().await.expect("text"))
}

#[tokio::test]
async fn a_link_ends_after_a_number_of_uses() {
    let app = TestApp::start_with(&[("exports.uses", "3")]).await;
    grant(&app, 2).await;
    let url = link(&app.team.owner.client).await;
    for _ in 0..3 {
        let (status, file) = follow(&app, &url).await;
        assert_eq!((status, file.lines().count()), (StatusCode::OK, 3));
    }
    for _ in 0..2 {
        let (status, text) = follow(&app, &url).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(text.contains("the maximum number of times"), "{text}");
    }
    let another = link(&app.team.owner.client).await;
    assert_ne!(another, url, "each link is another one, though it asks for the same");
    assert_eq!(follow(&app, &another).await.0, StatusCode::OK);
}

#[tokio::test]
async fn whoever_made_a_link_pays_for_what_is_downloaded() {
    let limits = [("limits.rate", "1"), ("limits.burst", "20000")];
    let app = TestApp::start_with(&limits).await;
    grant(&app, 30).await;
    let owner = &app.team.owner.client;
    let url = link(owner).await;
    let remaining = async || {
        let (_, _, body) = ask(owner, "{ viewer { kind } }", json!({})).await;
        body["extensions"]["cost"]["remaining"].as_u64().expect("a number")
    };
    let before = remaining().await;
    assert_eq!(follow(&app, &url).await.1.lines().count(), 31);
    let paid = before - remaining().await;
    assert!((100..2_000).contains(&paid), "{paid} for 30 entries");
}

#[tokio::test]
async fn a_download_beyond_its_makers_allowance_is_slow_and_whole_and_an_account_has_few_at_a_time() {
    let limits = [
        ("limits.rate", "1"),
        ("limits.cost", "100"),
        ("limits.burst", "100"),
        ("live.cost_per_caller", "100"),
        ("exports.per_account", "2"),
    ];
    let app = TestApp::start_with(&limits).await;
    grant(&app, 40).await;
    let url = link(&app.team.owner.client).await;
    // The heads of the responses arrive at once; the bodies must be paid for first.
    let fetch = async || app.anonymous().get(&url).send().await.expect("an answer");
    let (first, second) = (fetch().await, fetch().await);
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    let third = fetch().await;
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(third.headers().contains_key("retry-after"));
    assert!(
        third
            .text()
            .await
            .expect("text")
            .contains("maximum number of downloads")
    );
    let begun = app.clock.now();
    let files = tokio::spawn(async move { [first.text().await.expect("whole"), second.text().await.expect("whole")] });
    until(|| {
        app.advance(Duration::from_secs(5));
        files.is_finished()
    })
    .await;
    for file in files.await.expect("read") {
        assert_eq!(file.lines().count(), 41);
    }
    let waited = app.clock.now().millis() - begun.millis();
    assert!(
        waited >= 60_000,
        "paid for at the rate of the allowance, in {waited} ms"
    );
    app.advance(Duration::from_secs(100));
    let url = link(&app.team.admin.client).await;
    assert_eq!(
        app.anonymous().get(&url).send().await.expect("an answer").status(),
        StatusCode::OK
    );
}

/// Returns the median time that another client waits for a response, over this number of seconds.
async fn median_wait(client: &Client, seconds: u64) -> Duration {
    let (begun, mut waits) = (Instant::now(), Vec::new());
    while begun.elapsed() < Duration::from_secs(seconds) {
        let asked = Instant::now();
        client
            .query("{ account { balance { available } } }", json!({}))
            .await
            .data();
        waits.push(asked.elapsed());
    }
    waits.sort_unstable();
    waits[waits.len() / 2]
}

/// How long others wait while 40 clients download one link to an export of 5,000 entries; `cargo test --release -- --ignored
/// --nocapture what_forty_downloads`. The first line is without limits.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, which takes a while"]
async fn what_forty_downloads_do_to_others() {
    let unbounded = [
        ("limits.rate", "0"),
        ("exports.uses", "1000"),
        ("exports.per_account", "1000"),
        ("exports.at_a_time", "1000"),
    ];
    let in_production = [("limits.rate", "100000"), ("limits.anonymous_rate", "200")];
    for (name, settings) in [("without bounds", &unbounded[..]), ("in production", &in_production)] {
        let app = TestApp::start_with(settings).await;
        app.top_up(10_000).await;
        for hundred in 0..50 {
            let entries = (0..100).map(|number| {
                let taken = Command::Adjust {
                    amount: Credits::whole(-1),
                    description: format!("Taken {number}"),
                    reverses: None,
                };
                post(&app, hundred * 100 + number, taken)
            });
            futures_util::future::join_all(entries).await;
        }
        let url = link(&app.team.owner.client).await;
        let others = &app.team.admin.client;
        let before = median_wait(others, 5).await;
        let stop = Arc::new(AtomicBool::new(false));
        let downloads = (0..40).map(|_| {
            let (anonymous, url, stop) = (app.anonymous(), url.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut whole = 0;
                while !stop.load(Ordering::Relaxed) {
                    let response = anonymous.get(&url).send().await.expect("an answer");
                    let is_file = response.status() == StatusCode::OK;
                    whole += usize::from(response.text().await.is_ok() && is_file);
                }
                whole
            })
        });
        let downloads: Vec<_> = downloads.collect();
        let meanwhile = median_wait(others, 10).await;
        stop.store(true, Ordering::Relaxed);
        let mut whole = 0;
        for download in downloads {
            whole += download.await.expect("a download");
        }
        println!("{name}: others wait {before:?} before, {meanwhile:?} meanwhile; {whole} files");
    }
}
