//! What following links to exports may take: they end, their maker pays, and few are followed at a time.

use std::time::Duration;

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
        let ledger = &app.services().ledger;
        let posted = ledger.post(
            &Actor::System,
            app.team.account.id,
            None,
            format!("gift-{number}"),
            command,
        );
        posted.await.expect("granted");
    }
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
        assert!(text.contains("as often as it may be"), "{text}");
    }
    let another = link(&app.team.owner.client).await;
    assert_ne!(another, url, "each link is another one, though it asks for the same");
    assert_eq!(follow(&app, &another).await.0, StatusCode::OK);
}

#[tokio::test]
async fn whoever_made_a_link_pays_for_what_is_downloaded() {
    let limits = [("limits.rate", "1"), ("limits.burst", "10000")];
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
    // Their heads come at once; what follows has to be paid first.
    let begin = async || app.anonymous().get(&url).send().await.expect("an answer");
    let (first, second) = (begin().await, begin().await);
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    let third = begin().await;
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(third.headers().contains_key("retry-after"));
    assert!(third.text().await.expect("text").contains("at a time"));
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
