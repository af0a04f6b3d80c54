//! Cursors that are valid, expired or invalid.

use ledgerbell::domain::event::LiveCursor;
use ledgerbell::primitives::actor::Permission;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{BALANCE, ENTRIES, grant, sequence};
use crate::harness::TestApp;

async fn cursor(app: &TestApp) -> LiveCursor {
    let id = app.team.account.id;
    app.services().events.present(id).await.expect("reads").expect("exists")
}

/// Checks that a subscription with this cursor starts with RESET and continues without a replay.
async fn is_reset(app: &TestApp, cursor: LiveCursor) {
    let variables = json!({ "after": cursor.encode() });
    let mut subscriber = app
        .subscribe(&app.key(&[Permission::ReadCreditLog]).await, ENTRIES, variables)
        .await;
    let reset = subscriber.expect("RESET").await;
    assert_eq!((&reset["entry"], &reset["replayed"]), (&json!(null), &json!(false)));
    assert!(subscriber.is_idle().await, "nothing of the history is sent");
    let mut again = app
        .subscribe(
            &app.key(&[Permission::ReadCreditLog]).await,
            ENTRIES,
            json!({ "after": reset["cursor"] }),
        )
        .await;
    again.expect("CAUGHT_UP").await;
    app.top_up(1).await;
    let item = subscriber.expect("ITEM").await;
    assert_eq!(item, again.expect("ITEM").await, "both go on from here");
    let page = "query($after: LiveCursor) { account { events(after: $after) { cursor events { signal cursor } } } }";
    let page = app
        .team
        .admin
        .client
        .query(page, json!({ "after": cursor.encode() }))
        .await;
    assert_eq!(page.at("/account/events/events/0/signal"), "RESET");
    assert_eq!(page.at("/account/events/events").as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_cursor_of_another_history_starts_over() {
    let app = TestApp::start().await;
    let old = cursor(&app).await;
    grant(&app, &app.team, "some", 3).await;
    let recent = cursor(&app).await;
    let another_epoch = LiveCursor {
        epoch: Uuid::from_u128(1),
        ..recent
    };
    let another_past = LiveCursor {
        nonce: old.nonce ^ 1,
        ..old
    };
    let another_present = LiveCursor {
        nonce: recent.nonce ^ 1,
        ..recent
    };
    let from_the_future = LiveCursor {
        sequence: recent.sequence + 100,
        ..recent
    };
    for cursor in [another_epoch, another_past, another_present, from_the_future] {
        is_reset(&app, cursor).await;
    }
    let from_nowhere = LiveCursor { sequence: -1, ..recent };
    is_reset(&app, from_nowhere).await;
}

#[tokio::test]
async fn a_cursor_before_what_is_kept_starts_over() {
    let mut app = TestApp::start().await;
    app.do_not_verify();
    // A key, unlike a member, was not added after the beginning.
    let key = app.key(&[Permission::ReadCreditLog]).await;
    let beginning = LiveCursor {
        sequence: 0,
        nonce: 0,
        ..cursor(&app).await
    };
    grant(&app, &app.team, "some", 2).await;
    let kept = cursor(&app).await;
    grant(&app, &app.team, "more", 2).await;
    let variables = json!({ "after": beginning.encode() });
    let mut subscriber = app.subscribe(&key, ENTRIES, variables).await;
    assert_eq!(
        sequence(&subscriber.expect("ITEM").await["entry"]),
        1,
        "all is kept so far"
    );
    let (account, last) = (app.team.account.id.number(), kept.sequence);
    let deletion = format!("DELETE FROM event WHERE account_id = {account} AND sequence < {last}");
    let database = app.app().database();
    let deleted = database.transaction(move |tx| {
        let deletion = Statement::from_string(tx.get_database_backend(), deletion.clone());
        Box::pin(async move {
            tx.execute_raw(deletion).await?;
            Ok::<(), ledgerbell::domain::fault::Fault>(())
        })
    });
    deleted.await.expect("deleted");
    is_reset(&app, beginning).await;
    is_reset(
        &app,
        LiveCursor {
            sequence: last - 1,
            ..kept
        },
    )
    .await;
    let variables = json!({ "after": kept.encode() });
    let mut subscriber = app.subscribe(&key, ENTRIES, variables).await;
    assert_eq!(
        sequence(&subscriber.expect("ITEM").await["entry"]),
        3,
        "what follows it is kept"
    );
}

#[tokio::test]
async fn what_is_no_cursor_of_the_account_is_refused() {
    let app = TestApp::start().await;
    let other = app.another_team("other").await;
    let foreign = app.services().events.present(other.account.id).await;
    let foreign = foreign.expect("reads").expect("exists").encode();
    let refusal = async |client, document: &str, variables: Value| {
        let refused = app.try_subscribe(client, document, variables).await.err();
        let refused = refused.unwrap_or_else(|| panic!("refused: {document}"));
        assert_eq!(refused["data"], json!(null));
        let code = refused["errors"][0]["extensions"]["code"]
            .as_str()
            .expect("a code")
            .to_owned();
        (code, refused["errors"][0]["message"].to_string())
    };
    let client = &app.team.admin.client;
    for after in [
        json!(foreign),
        json!(""),
        json!("garbage"),
        json!(7),
        json!("x".repeat(500)),
    ] {
        let (code, message) = refusal(client, ENTRIES, json!({ "after": after })).await;
        assert_eq!(code, "BAD_REQUEST", "{after}: {message}");
    }
    for (client, document, variables) in [
        (client, BALANCE, json!({ "accountId": other.id() })),
        (client, BALANCE, json!({ "accountId": "acct_x" })),
        (&app.platform, BALANCE, json!({})),
        (client, "{ viewer { kind } }", json!({})),
        (client, "mutation { __typename }", json!({})),
        (
            client,
            "subscription { a: balanceChanged { signal } b: balanceChanged { signal } }",
            json!({}),
        ),
        (client, "subscription { __typename }", json!({})),
        (
            client,
            "subscription { ...F } fragment F on Subscription { ...F }",
            json!({}),
        ),
        (client, "subscription { balanceChanged { nothing } }", json!({})),
        (client, "subscription { balanceChanged", json!({})),
        (
            client,
            "subscription A { balanceChanged { signal } } query B { viewer { kind } }",
            json!({}),
        ),
        (
            client,
            "subscription { sessionUpdated(sessionId: \"ses_x\") { signal } }",
            json!({}),
        ),
        (
            client,
            "subscription { creditEntryPosted(filter: { amount: { min: \"2\", max: \"1\" } }) { signal } }",
            json!({}),
        ),
    ] {
        let (code, message) = refusal(client, document, variables).await;
        assert_eq!(code, "BAD_REQUEST", "{document}: {message}");
    }
    assert_eq!(app.services().events.hub().listeners(), 0);
}

#[tokio::test]
async fn fragments_at_the_root_are_fields_like_others() {
    let app = TestApp::start().await;
    let documents = [
        "subscription { ...F } fragment F on Subscription { ...G } \
         fragment G on Subscription { balanceChanged { ...B } } fragment B on BalanceEvent { cursor signal }",
        "subscription { ... { ... on Subscription { balanceChanged { cursor signal } } } }",
    ];
    for document in documents {
        let mut subscriber = app.subscribe(&app.team.admin.client, document, json!({})).await;
        subscriber.expect("CAUGHT_UP").await;
        app.top_up(1).await;
        subscriber.expect("ITEM").await;
    }
}

#[tokio::test]
async fn a_member_who_changes_settings_or_contact_keeps_their_place_and_one_whose_role_changes_starts_over() {
    let app = TestApp::start().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    let before = cursor(&app).await;
    let open = async || {
        app.subscribe(&adam.client, ENTRIES, json!({ "after": before.encode() }))
            .await
    };
    let mut listening = app.subscribe(&adam.client, ENTRIES, json!({})).await;
    listening.expect("CAUGHT_UP").await;
    let quiet = "mutation { updateNotificationSettings(input: { quietHours: { start: \"22:00\", end: \"06:00\" } }) \
        { userErrors { code } } }";
    let contact = "mutation { updateContact(input: { locale: \"de\" }) { userErrors { code } } }";
    let rename = "mutation($input: UpdateMemberInput!) { updateMember(input: $input) { userErrors { code } } }";
    for (mutation, input) in [
        (quiet, json!({})),
        (contact, json!({})),
        (rename, json!({ "input": { "memberId": adam.id(), "name": "Adam B." } })),
    ] {
        let payload = adam.client.query(mutation, input).await.only_field();
        assert_eq!(payload["userErrors"], json!([]), "{payload}");
    }
    grant(&app, &app.team, "some", 1).await;
    listening.expect("ITEM").await;
    let mut returning = open().await;
    let replayed = returning.expect("ITEM").await;
    assert_eq!(replayed["replayed"], true, "the place is kept");
    returning.expect("CAUGHT_UP").await;
    let events = "query($after: LiveCursor) { account { events(after: $after) { events { signal account { id } } } } }";
    let events = adam.client.query(events, json!({ "after": before.encode() })).await;
    let replayed = events.at("/account/events/events").to_string();
    assert_eq!(
        replayed.matches("ITEM").count(),
        4,
        "each change and the grant: {replayed}"
    );
    assert!(!replayed.contains("RESET"), "{replayed}");

    let demoted = json!({ "input": { "memberId": adam.id(), "role": "MEMBER" } });
    let payload = olga.client.query(rename, demoted).await.only_field();
    assert_eq!(payload["userErrors"], json!([]));
    open().await.expect("RESET").await;
    listening.expect("RESET").await;
}
