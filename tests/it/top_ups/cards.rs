//! Cards of an account, and what they are charged in its currency.

use std::time::Duration;

use ledgerbell::domain::member::NewAccount;
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::money::CreditPrice;
use serde_json::{Value, json};

use super::Buyer;
use crate::harness::TestApp;

#[tokio::test]
async fn an_account_has_at_most_twenty_cards() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let mut cards = Vec::new();
    for at in 0..20 {
        cards.push(buyer.add_card(&format!("card_ok-{at}")).await);
        // Only a few can be tried in a day.
        app.advance(Duration::from_hours(5));
    }
    app.advance(Duration::from_hours(24));
    let list = async || {
        let listed = buyer
            .client
            .query("{ account { paymentMethods { id isDefault } } }", json!({}))
            .await;
        listed.at("/account/paymentMethods").clone()
    };
    let before = list().await;
    let add = |token: &str| json!({ "gatewayToken": token });
    let refused = buyer
        .mutate("addPaymentMethod", "paymentMethod { id }", add("card_ok-20"))
        .await;
    let error = &refused["userErrors"][0];
    assert_eq!(
        (&error["code"], &refused["paymentMethod"]),
        (&json!("VALIDATION"), &Value::Null)
    );
    let message = error["message"].as_str().expect("words");
    assert!(message.contains("at most 20 payment methods"), "{message}");
    assert_eq!(list().await, before, "nothing has changed");
    // A card that exists does not count as another one; and when one is removed, another can be added.
    assert_eq!(&buyer.add_card("card_ok-7").await, &cards[7]);
    let gone = json!({ "paymentMethodId": cards[3] });
    buyer.accept("removePaymentMethod", "paymentMethod { id }", gone).await;
    buyer.add_card("card_ok-20").await;
    let (code, _) = buyer
        .refuse("addPaymentMethod", "paymentMethod { id }", add("card_ok-3"))
        .await;
    assert_eq!(code, "VALIDATION");
}

#[tokio::test]
async fn cards_that_are_tried_are_bounded_whether_they_are_kept_or_not() {
    let app = TestApp::start().await;
    let by = |client| Buyer { app: &app, client };
    let (owner, admin) = (by(&app.team.owner.client), by(&app.team.admin.client));
    let try_card = async |buyer: &Buyer<'_>, at: usize| {
        let add = json!({ "gatewayToken": format!("card_ok-{at}") });
        let payload = buyer.mutate("addPaymentMethod", "paymentMethod { id }", add).await;
        if payload["userErrors"] == json!([]) {
            let gone = json!({ "paymentMethodId": payload["paymentMethod"]["id"] });
            buyer.accept("removePaymentMethod", "paymentMethod { id }", gone).await;
            return None;
        }
        assert_eq!(payload["paymentMethod"], Value::Null);
        Some(payload["userErrors"][0]["code"].as_str().expect("a code").to_owned())
    };
    let refused = Some("PAYMENT_METHOD_TRIALS_EXCEEDED".to_owned());
    for at in 0..6 {
        assert_eq!(try_card(&owner, at).await, None);
    }
    assert_eq!(try_card(&owner, 6).await, refused, "one member may try so many");
    // The same card again is not another one.
    assert_eq!(try_card(&owner, 2).await, None);
    for at in 10..14 {
        assert_eq!(try_card(&admin, at).await, None);
    }
    assert_eq!(
        try_card(&admin, 14).await,
        refused,
        "and so many may be tried in an account"
    );
    let cards = admin
        .client
        .query("{ account { paymentMethods { id } } }", json!({}))
        .await;
    assert_eq!(cards.at("/account/paymentMethods"), &json!([]), "nothing has changed");
    let another = app.another_team("another").await;
    assert_eq!(
        try_card(&by(&another.owner.client), 6).await,
        None,
        "other accounts have their own"
    );
    app.advance(Duration::from_hours(24));
    assert_eq!(try_card(&owner, 6).await, None);
}

#[tokio::test]
async fn forms_for_cards_are_bounded_too() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let start = async || buyer.mutate("startPaymentMethodSetup", "clientSecret", json!({})).await;
    for _ in 0..18 {
        assert_eq!(start().await["userErrors"], json!([]));
    }
    let refused = start().await;
    assert_eq!(refused["userErrors"][0]["code"], "PAYMENT_METHOD_TRIALS_EXCEEDED");
    assert_eq!(refused["clientSecret"], Value::Null);
    app.advance(Duration::from_hours(24));
    assert_eq!(start().await["userErrors"], json!([]));
}

/// The price of credits in each currency, in amounts that cards can be charged: in the quote, in the purchase, and in the
/// refund.
#[tokio::test]
async fn prices_are_what_cards_are_charged_in_every_currency() {
    let app = TestApp::start().await;
    for (code, price, credits, quoted, minimum) in [
        // 10 times 0.1234 is 1.234: the last digit cannot be charged.
        ("KWD", 123_400, "10", "1.230", "0.3647"),
        ("JPY", 15_550_000, "10", "156", "3.1833"),
        ("ISK", 14_250_000, "10", "143", "3.4737"),
        ("UGX", 370_040_000, "10", "3700", "0.1338"),
        ("MGA", 450_040_000, "10", "4500.00", "0.0012"),
        ("HUF", 35_001_000, "10", "350.01", "0.0142"),
    ] {
        let new = NewAccount {
            external_id: Some(code.to_owned()),
            name: code.to_owned(),
            credit_price: CreditPrice::from_millionths(price),
            currency: code.parse().expect("a currency"),
            timezone: chrono_tz::Tz::UTC,
            owner: Some(crate::harness::owner("Olga")),
        };
        let services = app.services();
        let account = services.accounts.create(&Actor::System, new).await.expect("an account");
        let owner = services
            .members
            .find_by_external_id(&Actor::System, account.id, "olga")
            .await;
        let owner = owner.expect("found").expect("an owner");
        let token = services
            .sign_in
            .issue_token(account.id, owner.id, Duration::from_hours(24));
        let client = app.platform.with_credential(&token.expect("a token"));
        let buyer = Buyer {
            app: &app,
            client: &client,
        };
        let quote = "query($credits: Credits!) { account { topUpQuote(credits: $credits) { price { amount currency } minimum } } }";
        let answer = client.query(quote, json!({ "credits": credits })).await;
        let answer = answer.at("/account/topUpQuote");
        assert_eq!(
            answer,
            &json!({ "price": { "amount": quoted, "currency": code }, "minimum": minimum })
        );
        let least: Credits = minimum.parse().expect("credits");
        let too_few = Credits::from_units(least.units() - 1).to_string();
        let answer = client.query(quote, json!({ "credits": too_few })).await;
        let message = answer.body["errors"][0]["message"].as_str().expect("words");
        assert!(
            message.contains("cost less than the minimum charge of ")
                && message.contains(&format!(" {code}: buy at least {minimum}")),
            "{message}"
        );
        let too_few = json!({ "credits": too_few, "idempotencyKey": "few" });
        buyer.add_card("card_ok").await;
        let (refused, payload) = buyer.refuse("createTopUp", "topUp { id }", too_few).await;
        assert_eq!(refused, "VALIDATION", "{code}: {payload}");
        let least = buyer.create(minimum, "least").await;
        let bought = buyer.create(credits, "bought").await;
        app.settle().await;
        for top_up in [&least, &bought] {
            let paid = buyer.top_up(&top_up["id"]).await;
            assert_eq!(paid["status"], "SUCCEEDED", "{code}: {paid}");
        }
        assert_eq!(bought["price"]["amount"], quoted, "{code}");
        let refund =
            json!({ "topUpId": bought["id"], "credits": "3.3333", "reason": "A third", "idempotencyKey": "r" });
        buyer.accept("refundTopUp", "topUp { id }", refund).await;
        app.settle().await;
        let objects = app.gateway().objects();
        let object = objects
            .iter()
            .find(|object| object.reference == bought["id"])
            .expect("charged");
        let step = account.currency.step();
        assert!(
            object.returned_minor > 0 && object.returned_minor % step == 0,
            "{code}: {object:?}"
        );
        let rest = json!({ "topUpId": bought["id"], "reason": "The rest", "idempotencyKey": "rest" });
        buyer.accept("refundTopUp", "topUp { id }", rest).await;
        app.settle().await;
        assert_eq!(buyer.top_up(&bought["id"]).await["status"], "REVERSED", "{code}");
    }
}
