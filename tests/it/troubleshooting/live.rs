//! Findings as they change: each change is sent once and in order, also after a disconnection, and when only time passes.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use serde_json::{Value, json};

use super::{book, complete, healthy, level, send, spend, switch_on, the_finding};
use crate::harness::{Subscriber, TestApp};
use crate::top_ups::Buyer;

const CHANGED: &str = "subscription($after: LiveCursor) { troubleshootingChanged(after: $after) {
    cursor signal replayed findings { code remedy { action } } } }";
const ACCOUNT: &str = "subscription($topics: [LiveTopic!]) { accountUpdated(topics: $topics) {
    cursor signal account { troubleshooting { code summary } } } }";

fn codes(message: &Value) -> Vec<&str> {
    let findings = message["findings"].as_array().expect("a list");
    findings
        .iter()
        .map(|finding| finding["code"].as_str().expect("a code"))
        .collect()
}

/// Follows the findings, after the events of the first evaluation.
async fn following(app: &TestApp) -> Subscriber {
    let mut told = app.subscribe(&app.team.owner.client, CHANGED, json!({})).await;
    told.expect("CAUGHT_UP").await;
    app.look().await;
    told.expect("ITEM").await;
    told
}

#[tokio::test]
async fn nobody_is_looked_at_before_somebody_follows_and_then_the_first_look_is_told() {
    let app = healthy().await;
    let other = app.another_team("unfollowed").await;
    let accounts = [app.team.account.id, other.account.id];
    let troubleshooting = &app.services().troubleshooting;
    let cursor = "{ account { liveCursor } }";
    let before = app.team.owner.client.query(cursor, json!({})).await;
    Buyer::of(&app).buy_with("card_declined", "10").await;
    app.look().await;
    assert!(troubleshooting.followed(&accounts).await.expect("read").is_empty());

    // A finding that occurs and ends between the page and the stream is sent, too.
    let after = json!({ "after": before.at("/account/liveCursor") });
    let mut told = app.subscribe(&app.team.owner.client, CHANGED, after).await;
    told.expect("CAUGHT_UP").await;
    app.look().await;
    assert_eq!(codes(&told.expect("ITEM").await), ["TOP_UP_FAILED"]);
    assert_eq!(troubleshooting.followed(&accounts).await.expect("read"), accounts[..1]);
}

#[tokio::test]
async fn what_goes_wrong_and_what_is_mended_is_told_once_each() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    let mut told = following(&app).await;
    buyer.buy_with("card_declines_once", "10").await;
    app.look().await;
    app.look().await;
    let first = told.expect("ITEM").await;
    assert_eq!(codes(&first), ["TOP_UP_FAILED"]);
    send(buyer.client, &the_finding(&app, "TOP_UP_FAILED").await).await;
    app.settle().await;
    app.look().await;
    let second = told.expect("ITEM").await;
    assert_eq!(codes(&second), Vec::<&str>::new());

    // A returning client receives the later changes, and none twice.
    let again = json!({ "after": first["cursor"] });
    let mut back = app.subscribe(&app.team.owner.client, CHANGED, again).await;
    let replayed = back.expect("ITEM").await;
    assert_eq!(
        (&replayed["cursor"], &replayed["replayed"]),
        (&second["cursor"], &json!(true))
    );
    back.expect("CAUGHT_UP").await;
}

#[tokio::test]
async fn time_alone_is_told_of_and_what_changes_nothing_is_not() {
    let app = healthy().await;
    let session = book(&app, "10").await;
    let mut told = following(&app).await;
    app.advance(Duration::from_hours(1));
    spend(&app, "1").await;
    app.look().await;
    // The end of the session; 15 minutes later the deduction is late.
    app.advance(Duration::from_mins(1));
    app.look().await;
    assert_eq!(codes(&told.expect("ITEM").await), ["SESSIONS_PROCESSING"]);
    app.advance(Duration::from_mins(15));
    app.look().await;
    app.advance(Duration::from_millis(1));
    app.look().await;
    assert_eq!(codes(&told.expect("ITEM").await), ["SESSIONS_OVERDUE"]);
    complete(&app, &session).await;
    app.look().await;
    assert_eq!(codes(&told.expect("ITEM").await), Vec::<&str>::new());
}

/// The row of an account records whether it has unchecked events, so no bell is needed.
#[tokio::test]
async fn an_account_is_marked_from_its_next_event_until_it_is_checked_if_it_is_followed() {
    let app = healthy().await;
    let account = app.team.account.id;
    let troubleshooting = &app.services().troubleshooting;
    let unchecked = async || troubleshooting.unchecked(10).await.expect("found");
    spend(&app, "1").await;
    assert_eq!(unchecked().await, [], "no client follows it");
    let mut told = app.subscribe(&app.team.owner.client, CHANGED, json!({})).await;
    told.expect("CAUGHT_UP").await;
    assert_eq!(unchecked().await, [account], "what happened before is checked as well");
    app.look().await;
    told.expect("ITEM").await;
    assert_eq!(unchecked().await, []);

    spend(&app, "1").await;
    assert_eq!(unchecked().await, [account]);
    app.look().await;
    assert_eq!(unchecked().await, [], "nothing is wrong, so this look locks nothing");
    Buyer::of(&app).buy_with("card_declined", "10").await;
    assert_eq!(unchecked().await, [account]);
    app.look().await;
    assert_eq!(codes(&told.expect("ITEM").await), ["TOP_UP_FAILED"]);
    assert_eq!(unchecked().await, [], "the event about the change is checked with it");

    if app.database_url().starts_with("postgres") {
        // A check waits for no lock. If it cannot store its result, the next one does.
        spend(&app, "1").await;
        let other = sea_orm::Database::connect(app.database_url()).await.expect("connects");
        let holder = other.begin().await.expect("begins");
        let lock = format!(
            "SELECT 1 FROM account_state WHERE account_id = {} FOR UPDATE",
            account.number()
        );
        holder.execute_unprepared(&lock).await.expect("locks");
        app.look().await;
        assert_eq!(unchecked().await, [account]);
        holder.rollback().await.expect("ends");
        app.look().await;
        assert_eq!(unchecked().await, []);
        other.close().await.expect("closes");
    }
}

#[tokio::test]
async fn many_processes_tell_of_a_change_once() {
    let app = healthy().await;
    let mut told = following(&app).await;
    let other = app.another_process(&[]).await;
    for round in 0..5 {
        spend(&app, if round == 0 { "96" } else { "0.5" }).await;
        let looks = (0..8).map(|n| {
            let services = if n % 2 == 0 { app.services() } else { other.services() };
            services.troubleshooting.look(app.team.account.id)
        });
        for looked in futures_util::future::join_all(looks).await {
            looked.expect("looked at");
        }
    }
    assert_eq!(codes(&told.expect("ITEM").await), ["AUTO_TOP_UP_OFF_AND_LOW"]);
    level(&app.team.owner, json!("1")).await;
    other
        .services()
        .troubleshooting
        .look(app.team.account.id)
        .await
        .expect("looked at");
    assert_eq!(codes(&told.expect("ITEM").await), Vec::<&str>::new());
    other.close().await;
}

#[tokio::test]
async fn one_stream_of_the_account_tells_of_it_too_and_each_viewer_in_their_own_language() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    let german = json!({ "locale": "de" });
    app.team.owner.client.mutate("updateContact", "", german).await;
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "2", "50", None).await;
    following(&app).await;
    let topics = json!({ "topics": ["TROUBLESHOOTING"] });
    let mut olga = app.subscribe(&app.team.owner.client, ACCOUNT, topics.clone()).await;
    let mut adam = app.subscribe(&app.team.admin.client, ACCOUNT, topics.clone()).await;
    olga.expect("CAUGHT_UP").await;
    adam.expect("CAUGHT_UP").await;
    book(&app, "5").await;
    app.look().await;
    for (stream, summary) in [
        (
            &mut olga,
            "Die Schwelle der automatischen Aufladung ist für Ihre Termine zu niedrig",
        ),
        (&mut adam, "The trigger of auto top-up is too low for your sessions"),
    ] {
        let told = stream.expect("ITEM").await;
        assert_eq!(told["account"]["troubleshooting"][0]["summary"], summary);
    }
    let refused = app
        .try_subscribe(&app.team.member.client, CHANGED, topics.clone())
        .await;
    let refused = refused.err().expect("a member is refused");
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
    // The topic is left out of the stream of the account, which a member may follow.
    let mut mia = app.subscribe(&app.team.member.client, ACCOUNT, topics).await;
    mia.expect("CAUGHT_UP").await;
    app.look().await;
    assert!(mia.is_idle().await);
}
