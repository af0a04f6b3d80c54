//! Which subscriber receives what, and what happens to a subscription when the rights of its owner change.

use std::time::{Duration, Instant};

use ledgerbell::domain::event::Bell as _;
use ledgerbell::domain::member::MemberPatch;
use ledgerbell::graphql::LiveEnd;
use ledgerbell::primitives::actor::{Actor, MemberRole, Permission};
use ledgerbell::workers::LivePoll;
use serde_json::{Value, json};

use super::{ACCOUNT, BALANCE, ENTRIES, SESSIONS, book, complete, grant, sequence};
use crate::harness::{Person, Subscriber, TestApp};

async fn set_role(app: &TestApp, person: &Person, role: MemberRole) {
    let patch = MemberPatch {
        role: Some(role),
        ..MemberPatch::default()
    };
    let members = &app.services().members;
    let updated = members
        .update(&Actor::System, app.team.account.id, person.member.id, patch)
        .await;
    updated.expect("the role is changed");
}

async fn is_revoked(subscriber: &mut Subscriber) {
    match subscriber.next_or_end().await {
        Err(LiveEnd::Revoked) => {}
        other => panic!("revoked, not {other:?}"),
    }
}

#[tokio::test]
async fn a_member_is_told_of_their_own_alone() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let client = &app.team.member.client;
    let mut entries = app.subscribe(client, ENTRIES, json!({})).await;
    let mut sessions = app.subscribe(client, SESSIONS, json!({})).await;
    let mut account = app.subscribe(client, ACCOUNT, json!({})).await;
    for subscriber in [&mut entries, &mut sessions, &mut account] {
        subscriber.expect("CAUGHT_UP").await;
    }
    let others = book(&app, &app.team.admin.id(), "others").await;
    complete(&app, &others).await;
    app.top_up(1).await;
    assert!(entries.is_idle().await && sessions.is_idle().await);
    let event = account.expect("ITEM").await;
    assert_eq!(
        [&event["entries"], &event["sessions"], &event["topUps"]],
        [&json!([]); 3],
        "but the balance has changed"
    );
    let own = book(&app, &app.team.member.id(), "own").await;
    complete(&app, &own).await;
    assert_eq!(sequence(&entries.expect("ITEM").await["entry"]), 4);
    for status in ["BOOKED", "COMPLETED"] {
        let event = sessions.expect("ITEM").await;
        assert_eq!(
            (&event["status"], &event["session"]["id"]),
            (&json!(status), &json!(own))
        );
    }
    let event = account.expect("ITEM").await;
    assert_eq!(event["sessions"], json!([{ "id": own, "status": "COMPLETED" }]));
    assert!(entries.is_idle().await && sessions.is_idle().await && account.is_idle().await);
}

#[tokio::test]
async fn who_may_not_see_is_refused() {
    let app = TestApp::start().await;
    let books = app.key(&[Permission::BookSessions]).await;
    let reads = app.key(&[Permission::ReadCreditLog]).await;
    let top_ups = "subscription { topUpUpdated { cursor signal } }";
    for (client, document, variables) in [
        (&books, ENTRIES, json!({})),
        (&books, BALANCE, json!({})),
        (&books, SESSIONS, json!({})),
        (&books, ACCOUNT, json!({})),
        (&app.team.member.client, top_ups, json!({})),
    ] {
        let refused = app
            .try_subscribe(client, document, variables)
            .await
            .err()
            .expect("refused");
        assert_eq!(
            refused["errors"][0]["extensions"]["code"],
            json!("FORBIDDEN"),
            "{document}"
        );
    }
    for document in [ENTRIES, BALANCE, SESSIONS, ACCOUNT, top_ups] {
        app.subscribe(&reads, document, json!({}))
            .await
            .expect("CAUGHT_UP")
            .await;
    }
}

#[tokio::test]
async fn more_rights_start_it_over_with_more_to_see() {
    let app = TestApp::start().await;
    let mut subscriber = app.subscribe(&app.team.member.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    app.top_up(5).await;
    assert!(subscriber.is_idle().await);
    set_role(&app, &app.team.member, MemberRole::Admin).await;
    subscriber.expect("RESET").await;
    app.top_up(6).await;
    assert_eq!(sequence(&subscriber.expect("ITEM").await["entry"]), 2);
}

/// Also when rights changed while the client was disconnected: what was shown before differs from what would be shown now.
#[tokio::test]
async fn rights_that_change_meanwhile_start_over_whoever_comes_back() {
    let app = TestApp::start().await;
    let client = &app.team.member.client;
    let cursor = async || {
        let answer = client.query("{ account { liveCursor } }", json!({})).await;
        answer.at("/account/liveCursor").clone()
    };
    let before = json!({ "after": cursor().await });
    app.top_up(5).await;
    set_role(&app, &app.team.member, MemberRole::Admin).await;
    let since = json!({ "after": cursor().await });
    app.top_up(6).await;
    let mut subscriber = app.subscribe(client, ENTRIES, before.clone()).await;
    subscriber.expect("RESET").await;
    assert!(subscriber.is_idle().await, "nothing is replayed");
    let page = "query($after: LiveCursor) { account { events(after: $after) { events { signal } } } }";
    let page = client.query(page, before).await;
    assert_eq!(page.at("/account/events/events"), &json!([{ "signal": "RESET" }]));
    let mut subscriber = app.subscribe(client, ENTRIES, since).await;
    assert_eq!(sequence(&subscriber.expect("ITEM").await["entry"]), 2);
}

/// A socket may have signed in hours ago.
#[tokio::test]
async fn what_one_may_see_is_what_one_may_see_now() {
    let app = TestApp::start().await;
    let key = app.key(&[Permission::ReadCreditLog]).await;
    let [admin, member, key] = [
        app.sign_in(&app.team.admin.client).await,
        app.sign_in(&app.team.member.client).await,
        app.sign_in(&key).await,
    ];
    set_role(&app, &app.team.admin, MemberRole::Member).await;
    set_role(&app, &app.team.member, MemberRole::Admin).await;
    let top_ups = "subscription { topUpUpdated { cursor signal } }";
    let promoted = app.subscribe_as(member.clone(), top_ups, json!({})).await;
    promoted.expect("subscribes").expect("CAUGHT_UP").await;
    let mut demoted = app.subscribe_as(admin, ENTRIES, json!({})).await.expect("subscribes");
    demoted.expect("CAUGHT_UP").await;
    grant(&app, &app.team, "not their own", 1).await;
    assert!(demoted.is_idle().await);
    let (team, services) = (&app.team, app.services());
    let removed = services
        .members
        .remove(&Actor::System, team.account.id, team.member.member.id);
    removed.await.expect("removed");
    let Actor::ApiKey {
        account_id, api_key_id, ..
    } = key.actor
    else {
        panic!("a key");
    };
    let revoked = services.api_keys.revoke(&Actor::System, account_id, api_key_id);
    revoked.await.expect("revoked");
    for signed_in in [member, key] {
        let refused = app
            .subscribe_as(signed_in, BALANCE, json!({}))
            .await
            .err()
            .expect("refused");
        assert_eq!(refused["errors"][0]["extensions"]["code"], json!("UNAUTHENTICATED"));
    }
}

/// A bell comes from another process, or from a stranger.
#[tokio::test]
async fn a_bell_that_promises_too_much_keeps_no_rights_that_have_ended() {
    let app = TestApp::start().await;
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    let (begun, mut entries) = (Instant::now(), 0);
    // Longer than rights are held without being read again.
    while begun.elapsed() < Duration::from_millis(1_500) {
        app.services().events.hub().ring(app.team.account.id, i64::MAX);
        entries += 1;
        grant(&app, &app.team, &format!("gift {entries}"), 1).await;
        assert_eq!(sequence(&subscriber.expect("ITEM").await["entry"]), entries);
    }
    set_role(&app, &app.team.admin, MemberRole::Member).await;
    let begun = Instant::now();
    loop {
        entries += 1;
        grant(&app, &app.team, &format!("gift {entries}"), 1).await;
        if subscriber.next().await.signal() == "RESET" {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the rights are not read again"
        );
    }
}

/// Also when the subscription was far behind, and the change of its rights is later in the stream.
#[tokio::test]
async fn fewer_rights_start_it_over_with_less_to_see() {
    let app = TestApp::start().await;
    let mut prompt = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    let mut slow = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    let mut owner = app.subscribe(&app.team.owner.client, ENTRIES, json!({})).await;
    for subscriber in [&mut prompt, &mut slow, &mut owner] {
        subscriber.expect("CAUGHT_UP").await;
    }
    grant(&app, &app.team, "before", 1).await;
    assert_eq!(sequence(&prompt.expect("ITEM").await["entry"]), 1);
    set_role(&app, &app.team.admin, MemberRole::Member).await;
    prompt.expect("RESET").await;
    grant(&app, &app.team, "after", 3).await;
    assert!(prompt.is_idle().await, "these are not their own");
    for expected in 1..=4 {
        assert_eq!(sequence(&owner.expect("ITEM").await["entry"]), expected);
    }
    slow.expect("RESET").await;
    assert!(slow.is_idle().await);
    // A subscription ends if a permission that it needs is removed.
    set_role(&app, &app.team.admin, MemberRole::Admin).await;
    let top_ups = "subscription { topUpUpdated { cursor signal } }";
    let mut top_ups = app.subscribe(&app.team.admin.client, top_ups, json!({})).await;
    top_ups.expect("CAUGHT_UP").await;
    set_role(&app, &app.team.admin, MemberRole::Member).await;
    match top_ups.next_or_end().await {
        Err(LiveEnd::Failed(response)) => {
            let body: Value = serde_json::to_value(&response).expect("JSON");
            assert_eq!(body["errors"][0]["extensions"]["code"], json!("FORBIDDEN"));
        }
        other => panic!("refused, not {other:?}"),
    }
}

#[tokio::test]
async fn a_member_who_is_removed_is_told_nothing_more() {
    let app = TestApp::start().await;
    let mut idle = app.subscribe(&app.team.admin.client, BALANCE, json!({})).await;
    let mut behind = app.subscribe(&app.team.admin.client, BALANCE, json!({})).await;
    let mut other = app.subscribe(&app.team.owner.client, BALANCE, json!({})).await;
    for subscriber in [&mut idle, &mut behind, &mut other] {
        subscriber.expect("CAUGHT_UP").await;
    }
    let (members, team) = (&app.services().members, &app.team);
    let removed = members
        .remove(&Actor::System, team.account.id, team.admin.member.id)
        .await;
    removed.expect("removed");
    is_revoked(&mut idle).await;
    grant(&app, team, "later", 200).await;
    other.expect("ITEM").await;
    is_revoked(&mut behind).await;
}

#[tokio::test]
async fn a_key_that_is_revoked_ends_even_what_is_idle() {
    let app = TestApp::start().await;
    let poll = LivePoll::new(app.services().clone());
    let keys = [
        app.key(&[Permission::ReadCreditLog, Permission::ManageSettings]).await,
        app.platform_key(&[Permission::ReadCreditLog]).await,
    ];
    for key in keys {
        let variables = json!({ "accountId": app.team.id() });
        let mut idle = app.subscribe(&key, BALANCE, variables.clone()).await;
        let mut spared = app.subscribe(&app.platform, BALANCE, variables).await;
        idle.expect("CAUGHT_UP").await;
        spared.expect("CAUGHT_UP").await;
        poll.turn().await.expect("polls");
        assert!(idle.is_idle().await && spared.is_idle().await);
        let signed_in = app
            .services()
            .sign_in
            .authenticate(key.credential().expect("a key"))
            .await;
        let Actor::ApiKey {
            account_id, api_key_id, ..
        } = signed_in.expect("signs in").actor
        else {
            panic!("a key");
        };
        let revoked = app
            .services()
            .api_keys
            .revoke(&Actor::System, account_id, api_key_id)
            .await;
        revoked.expect("revoked");
        poll.turn().await.expect("polls");
        is_revoked(&mut idle).await;
        assert!(spared.is_idle().await);
        app.top_up(1).await;
        spared.expect("ITEM").await;
    }
}

#[tokio::test]
async fn a_token_that_runs_out_is_told_nothing_more() {
    let app = TestApp::start().await;
    let (team, sign_in) = (&app.team, &app.services().sign_in);
    let token = sign_in.issue_token(team.account.id, team.admin.member.id, std::time::Duration::from_mins(5));
    let client = team.admin.client.with_credential(&token.expect("a token"));
    let mut subscriber = app.subscribe(&client, BALANCE, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    app.advance(std::time::Duration::from_mins(4));
    app.top_up(1).await;
    subscriber.expect("ITEM").await;
    app.advance(std::time::Duration::from_mins(1));
    app.top_up(1).await;
    is_revoked(&mut subscriber).await;
}
