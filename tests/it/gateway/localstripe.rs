//! The client of Stripe against an independent stand-in, `localstripe` for Python, which `scripts/localstripe.sh` starts.
//!
//! It supports these parts of the contract: customers, setups, cards and their refusal, objects that are created and canceled
//! unconfirmed, refunds, webhooks. It does not support the following, which `stripe_over_http` tests instead:
//! - It ignores idempotency keys, so nothing is created once.
//! - A confirmation may not contain a card, a return page or the absence of the customer, which our client sends. So nothing
//!   can be charged through the client.
//! - It has no disputes and refuses to expand them, so a charge cannot be read.
//! - It lists nothing by time, and refunds more than was charged.
//! - It has no missing responses, no late failures and no refunds that fail later.
//! - It counts a webhook as delivered, whatever the response is.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use ledgerbell::adapters::gateway::stripe::Stripe;
use ledgerbell::domain::top_up::gateway::{ChargeStatus, GatewayError, InvalidWebhook, NewCharge, PaymentGateway as _};
use ledgerbell::domain::top_up::model::FailureCode;
use ledgerbell::primitives::clock::Clock;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::bench::{euros, stripe};

fn url() -> String {
    let url = std::env::var("LEDGERBELL_TEST_LOCALSTRIPE");
    url.expect("LEDGERBELL_TEST_LOCALSTRIPE says where localstripe is: run scripts/localstripe.sh")
}

fn client() -> Stripe {
    stripe(&url(), Duration::from_secs(20))
}

/// Sends a request that the client does not offer.
async fn ask(path: &str, form: String) -> Value {
    let request = reqwest::Client::new().post(format!("{}/{path}", url())).body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.bearer_auth("sk_test_12345").send().await.expect("an answer");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    let text = answer.text().await.expect("text");
    serde_json::from_str(&text).unwrap_or_default()
}

async fn customer(stripe: &Stripe) -> String {
    let made = stripe.create_customer("key".to_owned(), "acc_1".to_owned()).await;
    made.expect("a customer")
}

async fn new_charge(stripe: &Stripe) -> NewCharge {
    let customer_id = customer(stripe).await;
    let card = stripe.keep_card(customer_id.clone(), "pm_card_visa".to_owned()).await;
    NewCharge {
        key: "create".to_owned(),
        customer_id,
        card_id: card.expect("kept").id,
        price: euros(1_000),
        reference: "top_x".to_owned(),
    }
}

#[tokio::test]
#[ignore = "needs localstripe: scripts/localstripe.sh"]
async fn customers_setups_and_cards() {
    let stripe = client();
    let customer = customer(&stripe).await;
    let setup = stripe.start_setup(customer.clone()).await.expect("begun");
    assert!(setup.client_secret.starts_with("seti_"), "{setup:?}");
    let keep = |token: &str| stripe.keep_card(customer.clone(), token.to_owned());
    let card = keep("pm_card_visa").await.expect("kept");
    assert_eq!((card.brand.as_str(), card.last4.as_str()), ("visa", "4242"));
    assert_eq!(keep(&card.id).await.as_ref(), Ok(&card));
    assert_eq!(keep("pm_card_visa").await.expect("kept").fingerprint, card.fingerprint);
    let declined = keep("pm_card_visa_chargeDeclined").await;
    assert!(matches!(declined, Err(GatewayError::Refused { .. })), "{declined:?}");
    assert_eq!(keep("pm_nobody").await, Err(GatewayError::NotFound));
    assert_eq!(stripe.forget_card(card.id).await, Ok(()));
}

#[tokio::test]
#[ignore = "needs localstripe: scripts/localstripe.sh"]
async fn objects_are_made_unconfirmed_read_and_canceled() {
    let stripe = client();
    let made = stripe.create_charge(new_charge(&stripe).await).await.expect("made");
    assert_eq!((made.status, made.amount_minor), (ChargeStatus::Unconfirmed, 1_000));
    assert_eq!(made.reference.as_deref(), Some("top_x"));
    assert_eq!(stripe.read_charge(made.id.clone()).await, Ok(made.clone()));
    let canceled = stripe.cancel_charge(made.id.clone()).await.expect("an answer");
    assert_eq!(canceled.status, ChargeStatus::Canceled);
    let again = stripe.cancel_charge(made.id).await.expect("an answer");
    assert_eq!(again.status, ChargeStatus::Canceled, "refused, and then read");
    assert_eq!(
        stripe.read_charge("pi_nobody".to_owned()).await,
        Err(GatewayError::NotFound)
    );
}

#[tokio::test]
#[ignore = "needs localstripe: scripts/localstripe.sh"]
async fn what_was_charged_is_given_back_and_messages_are_believed() {
    let (told, mut heard) = mpsc::unbounded_channel::<(String, Vec<u8>)>();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let here = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(hear).with_state(told);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    ask("_config/webhooks/ours", format!("url={here}&secret=whsec_simulated")).await;
    let stripe = client();
    let made = stripe.create_charge(new_charge(&stripe).await).await.expect("made");
    ask(&format!("v1/payment_intents/{}/confirm", made.id), String::new()).await;
    let now = Clock::system().now();
    // Webhooks of the other tests arrive here too.
    let (signature, body) = loop {
        let (signature, body) = heard.recv().await.expect("a message");
        let notice = stripe.read_webhook(&body, &signature, now).expect("believed");
        if notice.kind == "payment_intent.succeeded" && notice.charge_id.as_ref() == Some(&made.id) {
            break (signature, body);
        }
    };
    let mut other = body.clone();
    other[0] = b' ';
    assert_eq!(
        stripe.read_webhook(&other, &signature, now),
        Err(InvalidWebhook::Signature)
    );
    let given = stripe.refund(made.id.clone(), "r".to_owned(), euros(300)).await;
    assert_eq!(given, Ok(()));
    let missing = stripe.refund("pi_nobody".to_owned(), "n".to_owned(), euros(1)).await;
    assert_eq!(missing, Err(GatewayError::NotFound));
    // That disputes cannot be expanded is a refusal of our request, and no statement about the card.
    let read = stripe.read_charge(made.id).await;
    let is_of_question = |error: &GatewayError| matches!(error, GatewayError::Refused { code, .. } if *code == FailureCode::GatewayUnavailable);
    assert!(read.as_ref().is_err_and(is_of_question), "{read:?}");
    server.abort();
}

async fn hear(State(told): State<mpsc::UnboundedSender<(String, Vec<u8>)>>, request: Request) -> StatusCode {
    let signature = request
        .headers()
        .get("stripe-signature")
        .and_then(|value| value.to_str().ok());
    let signature = signature.unwrap_or_default().to_owned();
    let Ok(body) = axum::body::to_bytes(request.into_body(), 100_000).await else {
        return StatusCode::BAD_REQUEST;
    };
    let _ = told.send((signature, body.to_vec()));
    StatusCode::OK
}
