//! Charging: the behavior of each card, retries, and failures between the service and the gateway.

use std::time::Duration;

use futures_util::future::join_all;
use ledgerbell::adapters::gateway::simulated::Chaos;
use ledgerbell::primitives::actor::{Actor, Permission};
use serde_json::{Value, json};

use super::{Buyer, object_of};
use crate::harness::TestApp;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_top_up_is_answered_at_once_and_charged_by_a_worker() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    let made = buyer.create("25", "k").await;
    assert_eq!(
        (&made["status"], &made["origin"]),
        (&json!("PENDING"), &json!("MANUAL"))
    );
    assert_eq!(made["price"], json!({ "amount": "25.00", "currency": "EUR" }));
    assert_eq!(buyer.balance().await["incoming"], "25");
    assert_eq!(buyer.charges(), 0, "the gateway is not asked within the request");
    app.settle().await;
    let paid = buyer.top_up(&made["id"]).await;
    assert_eq!(paid["status"], "SUCCEEDED");
    assert_eq!(paid["entry"], json!({ "amount": "25", "kind": "TOP_UP" }));
    assert_eq!(paid["attempts"][0]["outcome"], "SUCCEEDED");
    assert_eq!((&paid["canRetry"], &paid["failure"]), (&json!(false), &Value::Null));
    let balance = buyer.balance().await;
    assert_eq!((&balance["posted"], &balance["incoming"]), (&json!("25"), &json!("0")));
}

#[tokio::test]
async fn a_failure_says_what_was_wrong_who_can_mend_it_and_what_to_do() {
    for (token, code, fix_by, next_step, can_retry) in [
        (
            "card_insufficient_funds",
            "INSUFFICIENT_FUNDS",
            "CUSTOMER",
            "ADD_FUNDS_THEN_RETRY",
            true,
        ),
        (
            "card_declined",
            "CARD_DECLINED",
            "BANK",
            "CONTACT_BANK_THEN_RETRY",
            true,
        ),
        (
            "card_expired",
            "CARD_EXPIRED",
            "CUSTOMER",
            "UPDATE_PAYMENT_METHOD",
            false,
        ),
        (
            "card_blocked",
            "CARD_BLOCKED",
            "CUSTOMER",
            "UPDATE_PAYMENT_METHOD",
            false,
        ),
    ] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        let failed = buyer.buy_with(token, "10").await;
        assert_eq!(failed["status"], "FAILED", "{token}");
        let failure = &failed["failure"];
        assert_eq!(
            (&failure["code"], &failure["fixBy"], &failure["nextStep"]),
            (&json!(code), &json!(fix_by), &json!(next_step))
        );
        assert_eq!(failed["canRetry"], json!(can_retry), "{token}");
        let retried = buyer.retry(&failed["id"], "again").await;
        assert_eq!(
            retried["userErrors"] == json!([]),
            can_retry,
            "canRetry is what retryTopUp does: {retried}"
        );
        // F24, F26: the message of the bank stays at the gateway.
        let text = failed.to_string();
        assert!(
            !text.contains("stolen") && !text.contains("insufficient_funds\""),
            "{text}"
        );
        assert_eq!(buyer.balance().await["posted"], "0");
    }
}

#[tokio::test]
async fn f01_the_same_top_up_sent_twice_is_one_charge() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    let input = |credits: &str| json!({ "credits": credits, "idempotencyKey": "k" });
    let sent = join_all((0..10).map(|_| buyer.accept("createTopUp", "topUp { id }", input("10")))).await;
    assert!(
        sent.iter()
            .all(|payload| payload["topUp"]["id"] == sent[0]["topUp"]["id"])
    );
    let (code, _) = buyer.refuse("createTopUp", "topUp { id }", input("11")).await;
    assert_eq!(code, "IDEMPOTENCY_KEY_REUSED");
    app.settle().await;
    assert_eq!((buyer.charges(), buyer.top_ups().await.len()), (1, 1));
    let again = buyer.accept("createTopUp", "topUp { status }", input("10.0")).await;
    assert_eq!(again["topUp"]["status"], "SUCCEEDED", "a replay shows it as it is now");
}

#[tokio::test]
async fn f02_a_failed_attempt_never_blocks_the_next() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let failed = buyer.buy_with("card_declines_once", "10").await;
    assert_eq!(failed["status"], "FAILED");
    let retried = buyer.retry(&failed["id"], "second").await;
    assert_eq!(retried["topUp"]["attempts"][1]["number"], 2, "{retried}");
    app.settle().await;
    let paid = buyer.top_up(&failed["id"]).await;
    assert_eq!(paid["status"], "SUCCEEDED");
    assert_eq!(paid["attempts"][0]["outcome"], "DECLINED");
    assert_eq!(buyer.charges(), 1);
}

#[tokio::test]
async fn retrying_ten_times_at_once_with_one_key_or_with_ten_makes_one_attempt() {
    for one_key in [true, false] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        let failed = buyer.buy_with("card_declines_once", "10").await;
        let keys: Vec<String> = (0..10)
            .map(|n| if one_key { "k".to_owned() } else { format!("k{n}") })
            .collect();
        let pressed = join_all(keys.iter().map(|key| buyer.retry(&failed["id"], key))).await;
        let refused: Vec<&Value> = pressed
            .iter()
            .filter(|payload| payload["userErrors"] != json!([]))
            .collect();
        assert_eq!(refused.len(), if one_key { 0 } else { 9 });
        for payload in refused {
            assert_eq!(payload["userErrors"][0]["code"], "TOP_UP_IN_PROGRESS");
            assert_eq!(payload["topUp"]["id"], failed["id"], "the refusal has the top-up");
        }
        app.settle().await;
        let paid = buyer.top_up(&failed["id"]).await;
        assert_eq!(paid["attempts"].as_array().map(Vec::len), Some(2));
        assert_eq!((buyer.charges(), &paid["status"]), (1, &json!("SUCCEEDED")));
        let over = buyer.retry(&failed["id"], "late").await;
        assert_eq!(over["userErrors"][0]["code"], "TOP_UP_NOT_RETRYABLE");
        assert_eq!(over["topUp"]["status"], "SUCCEEDED", "after a success it says so");
    }
}

#[tokio::test]
async fn another_card_pays_what_the_first_one_did_not() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let failed = buyer.buy_with("card_blocked", "10").await;
    let first = buyer.retry(&failed["id"], "same").await;
    assert_eq!(first["userErrors"][0]["code"], "PAYMENT_METHOD_SUSPENDED");
    let card = buyer.add_card("card_ok").await;
    let input = json!({ "topUpId": failed["id"], "paymentMethodId": card, "idempotencyKey": "other" });
    buyer.accept("retryTopUp", "topUp { status }", input).await;
    app.settle().await;
    let paid = buyer.top_up(&failed["id"]).await;
    assert_eq!(paid["status"], "SUCCEEDED");
    assert_eq!(paid["attempts"][1]["paymentMethod"]["id"], card);
}

#[tokio::test]
async fn f15_an_unanswered_charge_is_looked_up_and_never_charged_anew() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_dies_after_charge").await;
    let made = buyer.create("10", "k").await;
    // The worker alone, so that no webhook reports it first.
    app.services().charging.turn(10).await.expect("works");
    let unknown = buyer.top_up(&made["id"]).await;
    assert_eq!(
        (&unknown["status"], &unknown["attempts"][0]["outcome"]),
        (&json!("PROCESSING"), &json!("UNKNOWN"))
    );
    assert_eq!(unknown["failure"]["code"], "UNKNOWN_OUTCOME");
    assert_eq!(unknown["failure"]["nextStep"], "WAIT");
    let (code, payload) = buyer
        .refuse(
            "retryTopUp",
            "topUp { id }",
            json!({ "topUpId": made["id"], "idempotencyKey": "r" }),
        )
        .await;
    assert_eq!(
        (code.as_str(), &payload["topUp"]["id"]),
        ("TOP_UP_IN_PROGRESS", &made["id"])
    );
    let (code, _) = buyer
        .refuse("cancelTopUp", "topUp { id }", json!({ "topUpId": made["id"] }))
        .await;
    assert_eq!(code, "TOP_UP_NOT_CANCELABLE");
    app.advance(Duration::from_secs(2));
    app.services().charging.turn(10).await.expect("works");
    assert_eq!(buyer.top_up(&made["id"]).await["status"], "SUCCEEDED");
    assert_eq!(buyer.charges(), 1);
}

#[tokio::test]
async fn f24_an_outage_is_no_decline_and_ends_with_the_charge_canceled() {
    for token in ["card_hang", "card_unavailable"] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        buyer.add_card(token).await;
        let made = buyer.create("10", "k").await;
        for _ in 0..30 {
            app.settle().await;
            app.advance(Duration::from_mins(5));
        }
        let failed = buyer.top_up(&made["id"]).await;
        assert_eq!(
            (&failed["status"], &failed["failure"]["code"]),
            (&json!("FAILED"), &json!("GATEWAY_UNAVAILABLE"))
        );
        assert_eq!(failed["attempts"][0]["outcome"], "ERROR");
        let methods = "{ account { paymentMethods { status lastDeclinedAt } } }";
        let methods = buyer.client.query(methods, json!({})).await;
        assert_eq!(
            methods.at("/account/paymentMethods/0"),
            &json!({ "status": "ACTIVE", "lastDeclinedAt": null })
        );
        // The next attempt uses another object: the first can never be charged any more.
        let card = buyer.add_card("card_ok").await;
        let input = json!({ "topUpId": made["id"], "paymentMethodId": card, "idempotencyKey": "r" });
        buyer.accept("retryTopUp", "topUp { id }", input).await;
        app.settle().await;
        assert_eq!(buyer.top_up(&made["id"]).await["status"], "SUCCEEDED");
        assert_eq!((buyer.charges(), app.gateway().objects().len()), (1, 2));
    }
}

#[tokio::test]
async fn a_slow_bank_is_waited_for() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let made = buyer.buy_with("card_slow", "10").await;
    assert_eq!(made["status"], "PROCESSING");
    app.advance(Duration::from_secs(10));
    app.settle().await;
    assert_eq!(buyer.top_up(&made["id"]).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn f25_authentication_has_a_page_resolves_the_same_top_up_and_expires() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let waiting = buyer.buy_with("card_authenticate", "10").await;
    assert_eq!(
        (&waiting["status"], &waiting["failure"]["nextStep"]),
        (&json!("REQUIRES_ACTION"), &json!("AUTHENTICATE"))
    );
    let page = waiting["failure"]["actionUrl"].as_str().expect("a page");
    let path = page.split_once("/simulated-gateway").expect("a page of ours").1;
    let path = format!("/simulated-gateway{path}");
    let shown = app.anonymous().send(app.anonymous().get(&path)).await;
    assert!(shown.status.is_success() && shown.body.as_str().expect("a page").contains("Confirm the payment"));
    let confirmed = app
        .anonymous()
        .send(app.anonymous().post(&format!("{path}?confirm=true")))
        .await;
    assert!(confirmed.status.is_success());
    app.settle().await;
    let paid = buyer.top_up(&waiting["id"]).await;
    assert_eq!(
        (&paid["status"], paid["attempts"].as_array().map(Vec::len)),
        (&json!("SUCCEEDED"), Some(1))
    );

    let second = buyer.create("10", "second").await;
    for hour in 0..24 {
        app.settle().await;
        let failure = buyer.top_up(&second["id"]).await["failure"].clone();
        let is_sent_there = failure["nextStep"] == "AUTHENTICATE";
        assert_eq!(
            (is_sent_there, failure["actionUrl"].is_string()),
            (hour < 23, hour < 23),
            "{failure}"
        );
        app.advance(HOUR);
    }
    app.settle().await;
    let expired = buyer.top_up(&second["id"]).await;
    let failure = &expired["failure"];
    assert_eq!(expired["status"], "FAILED");
    assert_eq!(
        (&failure["code"], &failure["nextStep"]),
        (&json!("AUTHENTICATION_REQUIRED"), &json!("RETRY"))
    );
    assert_eq!(
        (&failure["actionUrl"], &expired["canRetry"]),
        (&Value::Null, &json!(true))
    );
    assert_eq!(buyer.charges(), 1);
}

#[tokio::test]
async fn a_top_up_that_waits_for_its_customer_can_be_retried_or_called_off() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let waiting = buyer.buy_with("card_authenticate", "10").await;
    assert_eq!(waiting["canRetry"], json!(true));
    let canceled = buyer
        .accept("cancelTopUp", "topUp { status }", json!({ "topUpId": waiting["id"] }))
        .await;
    assert_eq!(
        canceled["topUp"]["status"], "REQUIRES_ACTION",
        "until the gateway has confirmed it"
    );
    app.settle().await;
    assert_eq!(buyer.top_up(&waiting["id"]).await["status"], "CANCELED");
    let second = buyer.create("10", "second").await;
    app.settle().await;
    let card = buyer.add_card("card_ok").await;
    let input = json!({ "topUpId": second["id"], "paymentMethodId": card, "idempotencyKey": "r" });
    buyer.accept("retryTopUp", "topUp { id }", input).await;
    app.settle().await;
    assert_eq!(buyer.top_up(&second["id"]).await["status"], "SUCCEEDED");
    assert_eq!(buyer.charges(), 1);
}

#[tokio::test]
async fn a_pending_top_up_is_called_off_at_once_and_never_charged() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    let made = buyer.create("10", "k").await;
    let canceled = buyer
        .accept("cancelTopUp", "topUp { status }", json!({ "topUpId": made["id"] }))
        .await;
    assert_eq!(canceled["topUp"]["status"], "CANCELED");
    app.settle().await;
    assert_eq!((buyer.charges(), &buyer.balance().await["incoming"]), (0, &json!("0")));
    let (code, _) = buyer
        .refuse(
            "retryTopUp",
            "topUp { id }",
            json!({ "topUpId": made["id"], "idempotencyKey": "r" }),
        )
        .await;
    assert_eq!(code, "TOP_UP_NOT_RETRYABLE");
}

#[tokio::test]
async fn what_cannot_be_bought_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let input = |credits: &str| json!({ "credits": credits, "idempotencyKey": "k" });
    let code = async |input: Value| buyer.refuse("createTopUp", "topUp { id }", input).await.0;
    assert_eq!(code(input("10")).await, "PAYMENT_METHOD_MISSING");
    buyer.add_card("card_ok").await;
    for credits in ["0", "-1", "0.4"] {
        assert_eq!(code(input(credits)).await, "VALIDATION", "{credits}");
    }
    let unknown = json!({ "credits": "10", "paymentMethodId": "pm_nothing", "idempotencyKey": "k" });
    assert_eq!(code(unknown).await, "NOT_FOUND");
    let frozen = json!({ "accountId": app.team.id(), "reason": "Unpaid" });
    app.platform.apply("freezeAccount", "", frozen).await;
    assert_eq!(code(input("10")).await, "ACCOUNT_FROZEN");
    app.settle().await;
    assert_eq!((buyer.charges(), buyer.top_ups().await.len()), (0, 0));
}

#[tokio::test]
async fn only_those_who_manage_top_ups_buy() {
    let app = TestApp::start().await;
    Buyer::of(&app).add_card("card_ok").await;
    let other = app.another_team("other").await;
    let read_only = app.key(&[Permission::ReadCreditLog]).await;
    let manages = app.key(&[Permission::BuyCredits]).await;
    let input = json!({ "accountId": app.team.id(), "credits": "10", "idempotencyKey": "k" });
    for (client, code) in [
        (&app.team.member.client, "FORBIDDEN"),
        (&read_only, "FORBIDDEN"),
        (&other.owner.client, "NOT_FOUND"),
    ] {
        let buyer = Buyer { app: &app, client };
        assert_eq!(buyer.refuse("createTopUp", "topUp { id }", input.clone()).await.0, code);
    }
    let anonymous = app.anonymous();
    let anonymous = anonymous.query(
        "mutation { cancelTopUp(input: {topUpId: \"x\"}) { userErrors { code } } }",
        json!({}),
    );
    assert_eq!(anonymous.await.error_code(), "UNAUTHENTICATED");
    let buyer = Buyer {
        app: &app,
        client: &manages,
    };
    let made = buyer.accept("createTopUp", "topUp { ...T }", input).await;
    assert_eq!(made["topUp"]["canRetry"], json!(false));
    let theirs = Buyer {
        app: &app,
        client: &other.owner.client,
    };
    let cancel = json!({ "topUpId": made["topUp"]["id"] });
    assert_eq!(
        theirs.refuse("cancelTopUp", "topUp { id }", cancel).await.0,
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn f03_f04_f05_f06_webhooks_are_kept_before_they_are_answered_and_credit_once_in_any_number() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_dies_after_charge").await;
    let made = buyer.create("10", "k").await;
    app.services().charging.turn(10).await.expect("works");
    let messages = app.gateway().take_messages();
    assert!(messages.len() >= 2);
    let deliver = async |signature: &str, body: Vec<u8>| {
        let post = app
            .anonymous()
            .post("/webhooks/stripe")
            .header("stripe-signature", signature)
            .body(body);
        app.anonymous().send(post).await.status
    };
    for (body, signature) in &messages {
        let mut forged = body.clone();
        forged.push(b' ');
        assert_eq!(deliver(signature, forged).await, 400, "the signature is invalid");
        assert_eq!(deliver("", body.clone()).await, 400);
    }
    app.services().webhooks.turn(100).await.expect("works");
    assert_eq!(
        buyer.top_up(&made["id"]).await["status"],
        "PROCESSING",
        "nothing forged is believed"
    );
    // Ten times each, all at once.
    let ten = messages
        .iter()
        .rev()
        .flat_map(|(body, signature)| (0..10).map(move |_| deliver(signature, body.clone())));
    assert!(join_all(ten).await.iter().all(reqwest::StatusCode::is_success));
    let workers = (0..4).map(|_| app.services().webhooks.turn(100));
    for worked in join_all(workers).await {
        worked.expect("works");
    }
    app.settle().await;
    assert_eq!(buyer.top_up(&made["id"]).await["status"], "SUCCEEDED");
    assert_eq!(buyer.balance().await["posted"], "10");
    let unrelated = br#"{"id":"evt_x","type":"customer.created","data":{"object":{"object":"customer","id":"cus_1"}}}"#;
    let signature = ledgerbell::adapters::gateway::webhook::sign("whsec_simulated", unrelated, app.clock.now());
    assert_eq!(
        deliver(&signature, unrelated.to_vec()).await,
        200,
        "unknown events do nothing"
    );
}

#[tokio::test]
async fn f07_a_webhook_that_cannot_be_dealt_with_is_parked_and_can_be_replayed() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_dies_after_charge").await;
    let made = buyer.create("10", "k").await;
    app.services().charging.turn(10).await.expect("works");
    let services = app.services();
    for (body, signature) in app.gateway().take_messages() {
        services.webhooks.receive(body, &signature).await.expect("kept");
    }
    app.gateway().make_trouble(
        1,
        Some(Chaos {
            lost_before: 1_000,
            ..Chaos::default()
        }),
    );
    for _ in 0..12 {
        services.webhooks.turn(100).await.expect("tries");
        app.advance(Duration::from_hours(2));
    }
    assert_eq!(services.webhooks.turn(100).await.expect("nothing is due"), 0);
    app.gateway().make_trouble(1, None);
    assert!(services.webhooks.replay().await.expect("replays") >= 2);
    services.webhooks.turn(100).await.expect("works");
    assert_eq!(buyer.top_up(&made["id"]).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn f07_f34_a_charge_that_nobody_told_us_of_is_found_by_reconciling() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let waiting = buyer.buy_with("card_authenticate", "10").await;
    let object = object_of(&waiting).to_owned();
    assert!(app.gateway().authenticate(&object, true));
    let lost = app.gateway().take_messages();
    assert!(!lost.is_empty(), "these never arrive");
    let since = app.clock.now().plus_millis(-86_400_000);
    let report = app.services().reconciler.reconcile(since).await.expect("compares");
    assert_eq!((report.repaired.len(), report.raised.len()), (1, 0), "{report:?}");
    assert_eq!(buyer.top_up(&waiting["id"]).await["status"], "SUCCEEDED");
    let again = app.services().reconciler.reconcile(since).await.expect("compares");
    assert_eq!(again.repaired.len(), 0, "nothing is left to repair");
}

#[tokio::test]
async fn what_nobody_can_find_out_is_ended_by_an_operator() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_dies_after_charge").await;
    let made = buyer.create("10", "k").await;
    app.services().charging.turn(10).await.expect("works");
    app.gateway().make_trouble(
        1,
        Some(Chaos {
            lost_before: 1_000,
            ..Chaos::default()
        }),
    );
    for _ in 0..30 {
        app.services().charging.turn(10).await.expect("asks");
        app.advance(HOUR);
    }
    assert_eq!(
        buyer.top_up(&made["id"]).await["status"],
        "PROCESSING",
        "never failed by time"
    );
    let id: ledgerbell::primitives::ids::GlobalId = made["id"].as_str().expect("an id").parse().expect("an id");
    let top_up_id = ledgerbell::primitives::ids::TopUpId::from_uuid(id.uuid);
    let reconciler = &app.services().reconciler;
    let reason = "Seen in the dashboard".to_owned();
    let settled = reconciler.settle_by_hand(&Actor::System, id.account_id, (top_up_id, true), reason);
    settled.await.expect("settled");
    assert_eq!(buyer.top_up(&made["id"]).await["status"], "SUCCEEDED");
    app.gateway().make_trouble(1, None);
    app.settle().await;
    assert_eq!(
        (buyer.balance().await["posted"].clone(), buyer.charges()),
        (json!("10"), 1),
        "once"
    );
}

#[tokio::test]
async fn f08_whoever_closes_the_page_after_paying_is_credited_all_the_same() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let waiting = buyer.buy_with("card_authenticate", "10").await;
    assert_eq!(waiting["status"], "REQUIRES_ACTION");
    let object = object_of(&waiting);
    assert!(app.gateway().authenticate(object, true));
    // No request: neither a browser that returns, nor a client that asks for the result.
    app.settle().await;
    assert_eq!(buyer.balance().await["posted"], "10");
}

#[tokio::test]
async fn whether_a_page_of_top_ups_can_be_retried_takes_a_fixed_number_of_statements() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_insufficient_funds").await;
    let query = "{ account { topUps(first: 20) { nodes { canRetry attempts { number } } } } }";
    let mut taken = Vec::new();
    for up_to in [2, 8] {
        for number in 0..up_to {
            buyer.create("10", &format!("{up_to}-{number}")).await;
        }
        app.settle().await;
        let before = app.app().database().statements();
        let answer = buyer.client.query(query, json!({})).await;
        taken.push(app.app().database().statements() - before);
        let nodes = answer.at("/account/topUps/nodes").as_array().expect("a list").clone();
        assert!(
            nodes.len() >= up_to && nodes.iter().all(|node| node["canRetry"] == true),
            "{nodes:?}"
        );
    }
    assert_eq!(taken[0], taken[1]);
    let one = "{ account { topUps(first: 1) { nodes { id } } } }";
    let dear = "{ account { topUps(first: 1) { nodes { canRetry } } } }";
    let cost = async |query: &str| {
        let answer = buyer.client.query(query, json!({})).await;
        answer.body["extensions"]["cost"]["requested"].as_i64().expect("a cost")
    };
    assert_eq!(
        cost(dear).await - cost(one).await,
        4,
        "it reads more than a field that is there"
    );
}
