//! Tests the client against a server that responds as Stripe does.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::*;
use crate::domain::top_up::gateway::{ChargeStatus, DisputeStatus};
use crate::primitives::money::Money;

/// The requests: method and path, body, idempotency key.
type Asked = Arc<Mutex<Vec<(String, String, String)>>>;
/// The responses in order; the last one repeats.
type Script = Arc<Mutex<Vec<(u16, Value)>>>;

async fn answer(State((asked, script)): State<(Asked, Script)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    assert_eq!(header("authorization"), "Bearer sk_test");
    assert_eq!(header("stripe-version"), VERSION);
    let what = format!("{} {}", head.method, head.uri);
    let key = header("idempotency-key");
    let body = axum::body::to_bytes(body, 10_000).await.expect("a body");
    let body = String::from_utf8(body.to_vec()).expect("a form");
    asked.lock().expect("free").push((what, body, key));
    let mut script = script.lock().expect("free");
    let (status, body) = if script.len() > 1 {
        script.remove(0)
    } else {
        script[0].clone()
    };
    let status = axum::http::StatusCode::from_u16(status).expect("a status");
    (status, axum::Json(body)).into_response()
}

async fn stripe(script: Vec<(u16, Value)>) -> (Stripe, Asked) {
    let (asked, script): (Asked, Script) = (Arc::default(), Arc::new(Mutex::new(script)));
    let router = Router::new().fallback(answer).with_state((asked.clone(), script));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = StripeSettings {
        base_url,
        secret_key: Secret::new("sk_test"),
        publishable_key: "pk_test".to_owned(),
        webhook_secret: Secret::new("whsec_test"),
        return_url: "https://app.example/back".to_owned(),
        timeout: TIMEOUT,
    };
    (Stripe::new(settings).expect("a client"), asked)
}

fn intent(status: &str) -> Value {
    json!({ "id": "pi_1", "status": status, "amount": 1_000, "created": 1_790_000_000, "metadata": { "top_up": "top_x" } })
}

fn confirmation(is_automatic: bool) -> Confirmation {
    Confirmation {
        charge_id: "pi_1".to_owned(),
        key: "attempt".to_owned(),
        card_id: "pm_1".to_owned(),
        is_automatic,
    }
}

#[tokio::test]
async fn an_intent_is_made_unconfirmed_under_its_key() {
    let (stripe, asked) = stripe(vec![(200, intent("requires_confirmation"))]).await;
    let new = NewCharge {
        key: "top_x:0".to_owned(),
        customer_id: "cus_1".to_owned(),
        card_id: "pm_1".to_owned(),
        price: Money {
            minor: 1_000,
            currency: "EUR".parse().expect("a currency"),
        },
        reference: "top_x".to_owned(),
    };
    let made = stripe.create_charge(new).await.expect("made");
    assert_eq!(
        (made.status, made.reference.as_deref()),
        (ChargeStatus::Unconfirmed, Some("top_x"))
    );
    let (what, body, key) = asked.lock().expect("free")[0].clone();
    assert_eq!((what.as_str(), key.as_str()), ("POST /v1/payment_intents", "top_x:0"));
    assert!(body.contains("amount=1000&currency=eur&customer=cus_1") && body.contains("metadata%5Btop_up%5D=top_x"));
    assert!(!body.contains("confirm="), "{body}");
}

#[tokio::test]
async fn a_decline_is_read_from_the_intent_and_its_words_are_mapped() {
    for (code, decline, expected) in [
        ("card_declined", "insufficient_funds", FailureCode::InsufficientFunds),
        ("card_declined", "generic_decline", FailureCode::CardDeclined),
        ("card_declined", "stolen_card", FailureCode::CardBlocked),
        ("expired_card", "", FailureCode::CardExpired),
    ] {
        let mut declined = intent("requires_payment_method");
        let decline = Some(decline).filter(|text| !text.is_empty());
        declined["last_payment_error"] = json!({ "code": code, "decline_code": decline, "charge": "ch_1" });
        let error = json!({ "error": { "type": "card_error", "code": code } });
        let (stripe, asked) = stripe(vec![(402, error), (200, declined)]).await;
        let charge = stripe.confirm_charge(confirmation(false)).await.expect("read");
        let failure = charge.failure.expect("a failure");
        assert_eq!((failure.code, failure.mark.as_str()), (expected, "ch_1"));
        let asked = asked.lock().expect("free").clone();
        assert_eq!(asked[0].0, "POST /v1/payment_intents/pi_1/confirm");
        assert_eq!(asked[0].2, "attempt");
        assert!(
            asked[1].0.starts_with("GET /v1/payment_intents/pi_1?expand"),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn an_automatic_charge_that_wants_authentication_gets_a_page() {
    let mut wants = intent("requires_payment_method");
    wants["last_payment_error"] = json!({ "code": "authentication_required", "charge": "ch_1" });
    let mut page = intent("requires_action");
    page["next_action"] = json!({ "redirect_to_url": { "url": "https://bank.example/3ds" } });
    let error = json!({ "error": { "code": "authentication_required" } });
    let (stripe, asked) = stripe(vec![(402, error), (200, wants), (200, page)]).await;
    let charge = stripe.confirm_charge(confirmation(true)).await.expect("confirmed");
    assert_eq!(charge.action_url.as_deref(), Some("https://bank.example/3ds"));
    let asked = asked.lock().expect("free").clone();
    assert!(asked[0].1.contains("off_session=true"));
    assert!(asked[2].1.contains("return_url=") && asked[2].2 == "attempt:action");
}

#[tokio::test]
async fn silence_is_unknown_and_a_no_is_a_no() {
    // An invalid key is no statement about the card either.
    for status in [401, 403, 409, 429, 500, 503] {
        let (stripe, _) = stripe(vec![(status, json!({}))]).await;
        let answer = stripe.confirm_charge(confirmation(false)).await;
        assert!(matches!(answer, Err(GatewayError::Unknown(_))), "{status}: {answer:?}");
    }
    let (gone, _) = stripe(vec![(404, json!({}))]).await;
    assert_eq!(gone.read_charge("pi_1".to_owned()).await, Err(GatewayError::NotFound));
    let nobody = Stripe::new(StripeSettings {
        base_url: "http://127.0.0.1:1".to_owned(),
        ..gone.settings.clone()
    });
    let answer = nobody.expect("a client").read_charge("pi_1".to_owned()).await;
    assert!(matches!(answer, Err(GatewayError::Unknown(_))), "{answer:?}");
    let (careful, asked) = stripe(vec![(200, json!({}))]).await;
    let answer = careful.keep_card("cus_1".to_owned(), "../customers".to_owned()).await;
    assert!(matches!(answer, Err(GatewayError::Refused { .. })), "{answer:?}");
    assert!(asked.lock().expect("free").is_empty(), "nothing odd goes into a path");
}

#[tokio::test]
async fn what_went_back_and_disputes_come_with_the_intent() {
    let mut paid = intent("succeeded");
    paid["latest_charge"] =
        json!({ "id": "ch_1", "amount_refunded": 300, "dispute": { "status": "needs_response", "amount": 700 } });
    let (stripe, _) = stripe(vec![(200, json!({ "data": [paid] }))]).await;
    let page = stripe
        .list_charges(Timestamp::from_millis(0), None)
        .await
        .expect("a page");
    assert_eq!(
        (page[0].returned_minor, page[0].dispute),
        (300, Some((DisputeStatus::Open, 700)))
    );
}

#[tokio::test]
async fn a_refund_that_failed_later_has_come_back_and_all_of_many_are_counted() {
    let refund = |id: u32, status: &str| json!({ "id": format!("re_{id}"), "amount": 10, "status": status });
    let mut paid = intent("succeeded");
    paid["latest_charge"] = json!({ "id": "ch_1", "amount_refunded": 10, "refunds": {
        "has_more": true, "data": [refund(3, "succeeded")] } });
    let first = json!({ "has_more": true, "data": [refund(3, "succeeded"), refund(2, "failed")] });
    let rest = json!({ "has_more": false, "data": [refund(1, "canceled")] });
    let (stripe, asked) = stripe(vec![(200, paid), (200, first), (200, rest)]).await;
    let charge = stripe.read_charge("pi_1".to_owned()).await.expect("read");
    assert_eq!((charge.returned_minor, charge.came_back_minor), (30, 20));
    let asked = asked.lock().expect("free").clone();
    assert!(asked[2].0.ends_with("starting_after=re_2"), "{asked:?}");
}

#[tokio::test]
async fn amounts_are_told_as_stripe_counts_them() {
    for (code, ours, theirs) in [
        ("EUR", 1_000, 1_000),
        ("JPY", 1_000, 1_000),
        ("KWD", 1_230, 1_230),
        ("ISK", 1_000, 100_000),
        ("UGX", 1_000, 100_000),
        ("MGA", 100_000, 1_000),
    ] {
        let currency: Currency = code.parse().expect("a currency");
        let money = Money { minor: ours, currency };
        let mut made = intent("succeeded");
        made["amount"] = theirs.into();
        made["currency"] = code.to_lowercase().into();
        made["latest_charge"] = json!({ "id": "ch_1", "dispute": { "status": "lost", "amount": theirs }, "refunds": {
            "has_more": false, "data": [{ "id": "re_1", "amount": theirs, "status": "succeeded", "metadata": { "refund": "asked" } }] } });
        let (stripe, asked) = stripe(vec![(200, made)]).await;
        let new = NewCharge {
            key: "k".to_owned(),
            customer_id: "cus_1".to_owned(),
            card_id: "pm_1".to_owned(),
            price: money,
            reference: "top_x".to_owned(),
        };
        let charge = stripe.create_charge(new).await.expect("made");
        assert_eq!((charge.amount_minor, charge.returned_minor), (ours, ours), "{code}");
        assert_eq!(
            charge.refunds[0].key, "asked",
            "a refund names the key that it was asked under"
        );
        assert_eq!(charge.dispute, Some((DisputeStatus::Lost, ours)), "{code}");
        stripe
            .refund("pi_1".to_owned(), "r".to_owned(), money)
            .await
            .expect("refunded");
        let asked = asked.lock().expect("free").clone();
        assert!(asked[0].1.contains(&format!("amount={theirs}&")), "{code}: {asked:?}");
        assert!(asked[1].1.contains(&format!("&amount={theirs}&")), "{code}: {asked:?}");
        assert!(stripe.minimum(currency) % currency.step() == 0, "{code}");
    }
}

#[test]
fn traces_name_the_pattern_of_a_path_and_stripe_gets_none() {
    for (path, expected) in [
        ("payment_intents/pi_1/confirm", "/v1/payment_intents/{id}/confirm"),
        ("payment_methods/pm_1", "/v1/payment_methods/{id}"),
        ("refunds", "/v1/refunds"),
    ] {
        assert_eq!(template(path), expected);
    }
    assert!(["api.stripe.com", "stripe.com"].into_iter().all(is_of_stripe));
    assert!(
        !["127.0.0.1", "stripe.com.example", "notstripe.com"]
            .into_iter()
            .any(is_of_stripe)
    );
}
