//! Manual purchases in progress: no alert is sent about a condition that the purchase will end.

use serde_json::json;

use super::{adjust, kinds, set};
use crate::harness::TestApp;
use crate::top_ups::Buyer;

#[tokio::test]
async fn the_first_purchase_of_a_team_is_no_reason_to_say_that_it_is_out_of_credits() {
    for token in ["card_ok", "card_insufficient_funds"] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        set(&app.team.owner, json!({ "lowBalanceThreshold": "15" })).await;
        buyer.add_card(token).await;
        buyer.create("35", "first").await;
        app.evaluate().await;
        app.settle().await;
        app.evaluate().await;
        let told = kinds(&app.team.owner).await;
        let expected = if token == "card_ok" {
            "TOP_UP_SUCCEEDED"
        } else {
            "TOP_UP_FAILED"
        };
        assert_eq!(told, [expected], "{token}");
    }
}

#[tokio::test]
async fn a_top_up_by_hand_under_way_holds_the_alerts_back_until_it_fails() {
    for (token, is_warned) in [("card_ok", false), ("card_insufficient_funds", true)] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        app.top_up(40).await;
        set(&app.team.owner, json!({ "lowBalanceThreshold": "15" })).await;
        buyer.add_card(token).await;
        buyer.create("35", "more").await;
        adjust(&app, "-28").await;
        let is_low = async || kinds(&app.team.owner).await.contains(&"LOW_BALANCE".to_owned());
        assert!(!is_low().await, "{token}: it may be over in a moment");
        app.settle().await;
        app.evaluate().await;
        assert_eq!(is_low().await, is_warned, "{token}");
    }
}
