//! What is produced once for many subscribers, and what is never shared.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use futures_util::future::join_all;
use ledgerbell::domain::member::MemberPatch;
use ledgerbell::primitives::actor::{Actor, MemberRole};
use serde_json::{Value, json};

use super::{ACCOUNT, ENTRIES, book, complete, grant};
use crate::harness::{Client, Subscriber, TestApp};

/// Returns the number of statements of one top-up with this number of subscriptions of a client, and the messages.
async fn told(app: &TestApp, client: &Client, document: &str, subscribers: usize) -> (u64, Vec<Arc<str>>) {
    let subscriptions = (0..subscribers).map(|_| app.subscribe(client, document, json!({})));
    let mut subscribed: Vec<Subscriber> = join_all(subscriptions).await;
    for subscriber in &mut subscribed {
        subscriber.expect("CAUGHT_UP").await;
    }
    let before = app.app().database().statements();
    app.top_up(1).await;
    let messages = join_all(subscribed.iter_mut().map(Subscriber::next)).await;
    let statements = app.app().database().statements() - before;
    assert!(messages.iter().all(|message| message.signal() == "ITEM"));
    (
        statements,
        messages.into_iter().map(|message| message.payload).collect(),
    )
}

#[tokio::test]
async fn a_message_is_made_once_for_all_who_see_the_same() {
    let app = TestApp::start().await;
    for document in [ENTRIES, ACCOUNT] {
        let client = &app.team.admin.client;
        let (alone, _) = told(&app, client, document, 1).await;
        let (crowd, messages) = told(&app, client, document, 200).await;
        // Two fields load together, or one after the other.
        assert!(
            crowd <= alone + 2,
            "{crowd} statements for 200 subscribers, {alone} for one"
        );
        assert!(messages.iter().all(|message| Arc::ptr_eq(message, &messages[0])));
    }
}

/// Subscribers that began at different positions share the later messages.
#[tokio::test]
async fn where_one_began_does_not_matter() {
    let app = TestApp::start().await;
    let client = &app.team.admin.client;
    let mut early = app.subscribe(client, ENTRIES, json!({})).await;
    early.expect("CAUGHT_UP").await;
    let cursor = early.cursor.clone();
    app.top_up(1).await;
    early.expect("ITEM").await;
    let mut late = app.subscribe(client, ENTRIES, json!({ "after": cursor })).await;
    late.expect("ITEM").await;
    late.expect("CAUGHT_UP").await;
    app.top_up(1).await;
    let (early, late) = (early.next().await, late.next().await);
    assert!(Arc::ptr_eq(&early.payload, &late.payload));
}

/// An export link is signed for the caller who requested it.
#[tokio::test]
async fn members_with_equal_rights_get_what_is_their_own() {
    let app = TestApp::start().await;
    let (team, members) = (&app.team, &app.services().members);
    let patch = MemberPatch {
        role: Some(MemberRole::Admin),
        ..MemberPatch::default()
    };
    let promoted = members
        .update(&Actor::System, team.account.id, team.member.member.id, patch)
        .await;
    promoted.expect("promoted");
    let document = "subscription { balanceChanged { cursor signal account { ...A } } }
        fragment A on Account { link: creditLogExport { url } }";
    let (mut adam, mut mia) = tokio::join!(
        app.subscribe(&team.admin.client, document, json!({})),
        app.subscribe(&team.member.client, document, json!({})),
    );
    adam.expect("CAUGHT_UP").await;
    mia.expect("CAUGHT_UP").await;
    app.top_up(1).await;
    for (subscriber, person) in [(&mut adam, &team.admin), (&mut mia, &team.member)] {
        let event = subscriber.expect("ITEM").await;
        let url = event["account"]["link"]["url"].as_str().expect("a link");
        let claims = url
            .split_once("token=")
            .and_then(|(_, token)| token.split_once('.'))
            .expect("a token")
            .0;
        let claims: Value =
            serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).expect("base64")).expect("JSON");
        assert_eq!(claims["requester"], json!(person.id()));
    }
}

#[tokio::test]
async fn those_who_may_see_less_are_sent_less() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let session = book(&app, &app.team.member.id(), "own").await;
    let document =
        "subscription { creditEntryPosted { cursor signal entry { amount lotDraws { amount } topUp { id } } } }";
    let mut admin = app.subscribe(&app.team.admin.client, document, json!({})).await;
    let mut member = app.subscribe(&app.team.member.client, document, json!({})).await;
    admin.expect("CAUGHT_UP").await;
    member.expect("CAUGHT_UP").await;
    complete(&app, &session).await;
    // The subscriber who may see more receives the message first.
    let (seen, own) = (admin.expect("ITEM").await, member.expect("ITEM").await);
    assert_eq!(seen["entry"]["amount"], own["entry"]["amount"]);
    assert_eq!(seen["entry"]["lotDraws"].as_array().map(Vec::len), Some(1));
    assert_eq!(own["entry"]["lotDraws"], json!([]));
}

/// Members who see only their own data have equal rights, and share nothing.
#[tokio::test]
async fn those_who_see_their_own_share_nothing() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let (team, members) = (&app.team, &app.services().members);
    let patch = MemberPatch {
        role: Some(MemberRole::Member),
        ..MemberPatch::default()
    };
    let demoted = members.update(&Actor::System, team.account.id, team.admin.member.id, patch);
    demoted.await.expect("demoted");
    let document = "subscription { sessionUpdated { cursor signal session { id } } }";
    let mut adam = app.subscribe(&team.admin.client, document, json!({})).await;
    let mut mia = app.subscribe(&team.member.client, document, json!({})).await;
    adam.expect("CAUGHT_UP").await;
    mia.expect("CAUGHT_UP").await;
    for person in [&team.admin, &team.member] {
        let session = book(&app, &person.id(), &person.id()).await;
        assert_eq!(adam.expect("ITEM").await["session"]["id"], json!(session));
        assert!(mia.is_idle().await, "it is not theirs");
        std::mem::swap(&mut adam, &mut mia);
    }
}

/// Objects of a batch are read together, so that the number of statements does not grow with the number of events.
#[tokio::test]
async fn events_that_come_together_are_read_together() {
    let app = TestApp::start().await;
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    grant(&app, &app.team, "many", 96).await;
    let before = app.app().database().statements();
    for _ in 0..96 {
        subscriber.expect("ITEM").await;
    }
    let statements = app.app().database().statements() - before;
    // A loader that waits its millisecond may see them in parts.
    assert!(statements <= 60, "{statements} statements for 96 messages");
}
