//! Returned money: refunds here and at the gateway, late failures, disputes.

use std::time::Duration;

use ledgerbell::domain::top_up::gateway::PaymentGateway as _;
use serde_json::json;

use super::{Buyer, object_of};
use crate::harness::TestApp;

#[tokio::test]
async fn a_refund_takes_the_credits_when_the_money_has_gone() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "10").await;
    let refund = |credits: Option<&str>, key: &str| json!({ "topUpId": paid["id"], "credits": credits, "reason": "Bought too many", "idempotencyKey": key });
    let asked = buyer
        .accept("refundTopUp", "topUp { ...T }", refund(Some("4"), "a"))
        .await;
    assert_eq!(asked["topUp"]["creditsReversed"], "0");
    app.settle().await;
    let partly = buyer.top_up(&paid["id"]).await;
    assert_eq!(
        (&partly["status"], &partly["creditsReversed"]),
        (&json!("SUCCEEDED"), &json!("4"))
    );
    buyer
        .accept("refundTopUp", "topUp { id }", refund(Some("4"), "a"))
        .await;
    let (code, _) = buyer
        .refuse("refundTopUp", "topUp { id }", refund(Some("7"), "b"))
        .await;
    assert_eq!(code, "REFUND_EXCEEDS_CHARGE");
    buyer.accept("refundTopUp", "topUp { id }", refund(None, "c")).await;
    let (code, _) = buyer
        .refuse("refundTopUp", "topUp { id }", refund(Some("1"), "d"))
        .await;
    assert_eq!(
        code, "REFUND_EXCEEDS_CHARGE",
        "what is asked to go back counts before it has gone"
    );
    app.settle().await;
    let all = buyer.top_up(&paid["id"]).await;
    assert_eq!(
        (&all["status"], &all["creditsReversed"]),
        (&json!("REVERSED"), &json!("10"))
    );
    assert_eq!(buyer.balance().await["posted"], "0");
}

#[tokio::test]
async fn f10_f12_money_that_goes_back_at_the_gateway_takes_the_credits_once_and_may_go_below_zero() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "10").await;
    let object = object_of(&paid).to_owned();
    let spend = json!({ "accountId": app.team.id(), "amount": "-8", "description": "Spent", "idempotencyKey": "s" });
    app.platform.apply("adjustCredits", "", spend).await;
    for (minor, reversed, posted) in [(300, "3", "-1"), (300, "6", "-4"), (400, "10", "-8")] {
        assert!(app.gateway().refund_directly(&object, minor));
        app.settle().await;
        app.settle().await;
        assert_eq!(buyer.top_up(&paid["id"]).await["creditsReversed"], reversed);
        assert_eq!(buyer.balance().await["posted"], posted);
    }
    assert_eq!(buyer.top_up(&paid["id"]).await["status"], "REVERSED");
}

#[tokio::test]
async fn f10_a_payment_that_fails_late_is_reversed() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_fails_late", "10").await;
    assert_eq!(paid["status"], "SUCCEEDED");
    app.advance(Duration::from_secs(61));
    app.settle().await;
    let reversed = buyer.top_up(&paid["id"]).await;
    assert_eq!(
        (&reversed["status"], &reversed["creditsReversed"]),
        (&json!("REVERSED"), &json!("10"))
    );
    assert_eq!(buyer.balance().await["posted"], "0");
}

#[tokio::test]
async fn f13_a_top_up_holds_when_opened_debits_when_lost_and_releases_when_won() {
    for is_won in [true, false] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        let disputed = buyer.buy_with("card_disputed", "10").await;
        assert_eq!(disputed["status"], "DISPUTED");
        let balance = buyer.balance().await;
        assert_eq!(
            (&balance["posted"], &balance["held"], &balance["available"]),
            (&json!("10"), &json!("10"), &json!("0"))
        );
        let object = object_of(&disputed).to_owned();
        assert!(app.gateway().close_dispute(&object, is_won));
        app.settle().await;
        let (status, posted) = if is_won { ("SUCCEEDED", "10") } else { ("REVERSED", "0") };
        assert_eq!(buyer.top_up(&disputed["id"]).await["status"], status);
        let balance = buyer.balance().await;
        assert_eq!((&balance["posted"], &balance["held"]), (&json!(posted), &json!("0")));
        if !is_won {
            // Won after it was lost: the credits are added again.
            assert!(app.gateway().close_dispute(&object, true));
            app.settle().await;
            assert_eq!(buyer.top_up(&disputed["id"]).await["status"], "SUCCEEDED");
            assert_eq!(buyer.balance().await["posted"], "10");
        }
    }
}

#[tokio::test]
async fn f14_a_refund_and_a_dispute_together_take_back_what_was_granted_and_no_more() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "10").await;
    let object = object_of(&paid).to_owned();
    assert!(app.gateway().refund_directly(&object, 600));
    app.settle().await;
    assert!(app.gateway().open_dispute(&object));
    app.settle().await;
    assert_eq!(buyer.balance().await["held"], "4");
    // The correction of the operator counts as well.
    let log = "{ account { creditLog(order: OLDEST_FIRST) { nodes { id } } } }";
    let entry = buyer
        .client
        .query(log, json!({}))
        .await
        .at("/account/creditLog/nodes/0/id")
        .clone();
    let input = json!({ "accountId": app.team.id(), "amount": "-1", "description": "Fee", "reversesEntryId": entry, "idempotencyKey": "s" });
    app.platform.mutate("adjustCredits", "", input).await;
    assert!(app.gateway().close_dispute(&object, false));
    app.settle().await;
    assert_eq!(buyer.balance().await["posted"], "0");
    assert_eq!(buyer.top_up(&paid["id"]).await["status"], "REVERSED");
}

/// Ten credits, the steps that change them, and the number after each step. An operator's correction takes some (`C`), the
/// gateway refunds some (`R`), the last refund fails (`F`); a dispute is opened (`D`), won (`W`) or lost (`L`).
#[tokio::test]
async fn f14_what_an_operator_took_by_hand_is_not_taken_twice_and_never_given_again_by_what_the_gateway_says() {
    let stories = [
        // Credits that the operator took are not taken again when their money is returned.
        "C4 6, R4 6, R2 4, F 6, F 6",
        "C4 6, R3 6, R3 4, F 6, R3 4, F 6, F 6",
        // Credits that the operator takes later are additional, whatever is reported next.
        "R6 4, C3 1, R1 1, F 1, F 7",
        "R6 4, C1 3, R3 1, F 3, F 9",
        "R4 6, R2 4, C3 1, F 3, F 7",
        "R6 4, C3 1, D 1, W 1",
        "R6 4, C3 1, D 1, L 0, W 1",
        "R6 4, D 4, C3 1, F 7, L 6",
        // Never more than was granted.
        "C9 1, R6 1, R4 0, F 1, F 1",
        "R9 1, C1 0, R1 0, F 0, F 9",
    ];
    for story in stories {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        let paid = buyer.buy_with("card_ok", "10").await;
        let object = object_of(&paid);
        let mut is_disputed = false;
        for (at, step) in story.split(", ").enumerate() {
            let (deed, left) = step.split_once(' ').expect("a deed and what is left");
            let (deed, credits) = deed.split_at(1);
            match deed {
                "C" => take_by_hand(&buyer, credits, at).await,
                "R" => assert!(
                    app.gateway()
                        .refund_directly(object, 100 * credits.parse::<i64>().expect("a number"))
                ),
                "F" => assert!(app.gateway().fail_refund(object)),
                "D" => assert!(app.gateway().open_dispute(object)),
                _ => assert!(app.gateway().close_dispute(object, deed == "W")),
            }
            is_disputed = deed == "D" || (is_disputed && !["W", "L"].contains(&deed));
            app.settle().await;
            let balance = buyer.balance().await;
            let held = if is_disputed { left } else { "0" };
            assert_eq!(
                (&balance["posted"], &balance["held"]),
                (&json!(left), &json!(held)),
                "{story}: after {step}"
            );
        }
    }
}

/// An operator corrects the first entry of the account, with a key for this step.
async fn take_by_hand(buyer: &Buyer<'_>, credits: &str, step: usize) {
    let log = "{ account { creditLog(order: OLDEST_FIRST) { nodes { id } } } }";
    let log = buyer.client.query(log, json!({})).await;
    let input = json!({ "accountId": buyer.app.team.id(), "amount": format!("-{credits}"), "description": "By hand",
        "reversesEntryId": log.at("/account/creditLog/nodes/0/id"), "idempotencyKey": format!("by hand {step}") });
    buyer.app.platform.accept("adjust_credits", input).await;
}

#[tokio::test]
async fn f14_what_went_back_is_not_given_again_by_hand_and_then_by_the_gateway() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "10").await;
    let object = object_of(&paid);
    assert!(app.gateway().refund_directly(object, 600));
    app.settle().await;
    let log = "{ account { creditLog { nodes { id kind } } } }";
    let log = buyer.client.query(log, json!({})).await;
    let entry = log.at("/account/creditLog/nodes/0");
    assert_eq!(entry["kind"], "REVERSAL");
    let input = json!({ "accountId": app.team.id(), "amount": "6", "description": "By hand", "reversesEntryId": entry["id"],
        "idempotencyKey": "by hand" });
    let refused = app.platform.mutate("adjustCredits", "", input).await;
    let error = &refused["userErrors"][0];
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("VALIDATION"), &json!(["reversesEntryId"])),
        "{refused}"
    );
    assert_eq!(buyer.balance().await["posted"], "4");
    assert!(app.gateway().fail_refund(object));
    app.settle().await;
    assert_eq!(buyer.balance().await["posted"], "10");
}

#[tokio::test]
async fn a_refund_that_fails_later_gives_the_credits_again_once_and_may_be_asked_for_anew() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "10").await;
    let object = object_of(&paid).to_owned();
    let refund = |credits: Option<&str>, key: &str| json!({ "topUpId": paid["id"], "credits": credits, "reason": "Too many", "idempotencyKey": key });
    buyer.accept("refundTopUp", "topUp { id }", refund(None, "a")).await;
    app.settle().await;
    assert_eq!(buyer.top_up(&paid["id"]).await["status"], "REVERSED");
    assert!(app.gateway().fail_refund(&object));
    for _ in 0..3 {
        app.settle().await;
        let again = buyer.top_up(&paid["id"]).await;
        assert_eq!(
            (
                &again["status"],
                &again["creditsReversed"],
                &buyer.balance().await["posted"]
            ),
            (&json!("SUCCEEDED"), &json!("0"), &json!("10"))
        );
        // A repeated comparison finds nothing new.
        let report = app
            .services()
            .reconciler
            .reconcile(crate::harness::BEGIN)
            .await
            .expect("compared");
        assert_eq!(report.repaired, Vec::<String>::new());
    }
    buyer
        .accept("refundTopUp", "topUp { id }", refund(Some("4"), "b"))
        .await;
    app.settle().await;
    let partly = buyer.top_up(&paid["id"]).await;
    assert_eq!(
        (&partly["status"], &partly["creditsReversed"]),
        (&json!("SUCCEEDED"), &json!("4"))
    );
    let (code, _) = buyer
        .refuse("refundTopUp", "topUp { id }", refund(Some("7"), "c"))
        .await;
    assert_eq!(
        (code.as_str(), &buyer.balance().await["posted"]),
        ("REFUND_EXCEEDS_CHARGE", &json!("6"))
    );
    let log = "{ account { creditLog(order: OLDEST_FIRST) { nodes { kind amount } } } }";
    let answer = buyer.client.query(log, json!({})).await;
    let entries = answer
        .at("/account/creditLog/nodes")
        .as_array()
        .expect("a list")
        .clone();
    let entries = entries
        .iter()
        .map(|entry| format!("{} {}", entry["kind"], entry["amount"]).replace('"', ""));
    let expected = ["TOP_UP 10", "REVERSAL -10", "REVERSAL 10", "REVERSAL -4"];
    assert_eq!(entries.collect::<Vec<_>>(), expected);
}

/// A refund fails, another one is made, a dispute is opened and decided: every order of reports has the same result.
#[tokio::test]
async fn refunds_that_fail_count_beside_disputes_in_every_order() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (at, order) in orders.into_iter().enumerate() {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        let paid = buyer.buy_with("card_ok", "10").await;
        let object = object_of(&paid);
        let gateway = app.gateway();
        assert!(gateway.refund_directly(object, 600));
        app.settle().await;
        for step in order {
            assert!(match step {
                0 => gateway.fail_refund(object),
                1 => gateway.open_dispute(object),
                _ => gateway.refund_directly(object, 100),
            });
            app.settle().await;
        }
        let charge = gateway.read_charge(object.to_owned()).await.expect("read");
        let gone = charge.returned_minor - charge.came_back_minor;
        let (_, disputed) = charge.dispute.expect("a dispute");
        let held = 1_000 - gone;
        assert_eq!(buyer.balance().await["held"], format!("{}", held / 100), "{order:?}");
        let is_won = at % 2 == 0;
        assert!(gateway.close_dispute(object, is_won));
        app.settle().await;
        let lost = if is_won { 0 } else { disputed };
        let left = (1_000 - gone - lost).max(0) / 100;
        let balance = buyer.balance().await;
        assert_eq!(
            (&balance["posted"], &balance["held"]),
            (&json!(format!("{left}")), &json!("0")),
            "{order:?}"
        );
        let reversed = format!("{}", 10 - left);
        assert_eq!(
            buyer.top_up(&paid["id"]).await["creditsReversed"],
            reversed,
            "{order:?}"
        );
    }
}

#[tokio::test]
async fn f11_what_was_credited_stays_an_entry_and_what_undoes_it_is_another() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_fails_late", "10").await;
    let entries = async || {
        let query = "query($id: ID!) { node(id: $id) { ... on TopUp { entries { id amount balanceAfter kind } } } }";
        let answer = buyer.client.query(query, json!({ "id": paid["id"] })).await;
        answer.at("/node/entries").as_array().expect("a list").clone()
    };
    let before = entries().await;
    assert_eq!((before.len(), &before[0]["amount"]), (1, &json!("10")));
    app.advance(Duration::from_mins(2));
    app.settle().await;
    let after = entries().await;
    assert_eq!(after[0], before[0], "never changed");
    assert_eq!(
        (after.len(), &after[1]["amount"], &after[1]["balanceAfter"]),
        (2, &json!("-10"), &json!("0"))
    );
    let input = json!({ "topUpId": paid["id"], "idempotencyKey": "again" });
    let (code, _) = buyer.refuse("retryTopUp", "topUp { id }", input).await;
    assert_eq!(code, "TOP_UP_NOT_RETRYABLE", "it cannot be credited a second time");
    assert_eq!(entries().await, after);
}
