//! The HTTP interface of the simulated gateway, requested by hand. The SDKs are tested in `tests/clients`.

use ledgerbell::adapters::gateway::simulated::SimulatedGateway;
use ledgerbell::primitives::clock::Clock;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::bench;
use crate::harness::BEGIN;

struct Api {
    url: String,
    http: reqwest::Client,
    simulated: SimulatedGateway,
    server: JoinHandle<()>,
}

struct Told {
    status: StatusCode,
    is_replay: bool,
    body: Value,
}

impl Api {
    async fn open() -> Self {
        let simulated = SimulatedGateway::new(Clock::manual(BEGIN));
        let (url, server) = bench::serve(&simulated).await;
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self {
            url,
            http,
            simulated,
            server,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Told {
        let response = request.send().await.expect("an answer");
        let header = |name: &str| response.headers().get(name).is_some();
        assert!(header("request-id"));
        let (status, is_replay) = (response.status(), header("idempotent-replayed"));
        let body = response.text().await.expect("text");
        Told {
            status,
            is_replay,
            body: serde_json::from_str(&body).expect("JSON"),
        }
    }

    fn request(&self, path: &str, form: &str, key: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}/v1/{path}", self.url)).body(form.to_owned());
        match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        }
    }

    async fn post(&self, path: &str, form: &str, key: Option<&str>) -> Told {
        self.send(self.request(path, form, key).bearer_auth("sk_test_1")).await
    }

    async fn made(&self, path: &str, form: &str) -> Value {
        let told = self.post(path, form, None).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
        told.body
    }

    async fn get(&self, path: &str) -> Told {
        let request = self.http.get(format!("{}/v1/{path}", self.url));
        self.send(request.basic_auth("sk_test_1", Some(""))).await
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

const INTENT: &str = "amount=1000&currency=eur&payment_method=pm_card_visa&metadata[order]=7";

#[tokio::test]
async fn a_key_is_bound_to_what_was_sent_and_brings_the_same_answer() {
    let api = Api::open().await;
    let first = api.post("payment_intents", INTENT, Some("k")).await;
    let again = api.post("payment_intents", INTENT, Some("k")).await;
    assert_eq!((first.is_replay, again.is_replay), (false, true));
    assert_eq!(first.body, again.body);
    let other = api
        .post("payment_intents", &INTENT.replace("1000", "2000"), Some("k"))
        .await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    assert_eq!(other.body["error"]["type"], "idempotency_error");
    let elsewhere = api.post("customers", "", Some("k")).await;
    assert_eq!(elsewhere.body["error"]["type"], "idempotency_error");
    assert_eq!(api.simulated.objects().len(), 1);
    // A decline is a stored response; a request that was not understood is not stored.
    let declining = INTENT.replace("pm_card_visa", "pm_card_chargeDeclined&confirm=true");
    for is_replay in [false, true] {
        let declined = api.post("payment_intents", &declining, Some("d")).await;
        assert_eq!(
            (declined.status, declined.is_replay),
            (StatusCode::PAYMENT_REQUIRED, is_replay)
        );
        assert_eq!(declined.body["error"]["type"], "card_error");
        assert_eq!(declined.body["error"]["decline_code"], "generic_decline");
        assert_eq!(
            declined.body["error"]["payment_intent"]["status"],
            "requires_payment_method"
        );
    }
    let wrong = api.post("payment_intents", "amount=x&currency=eur", Some("w")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let mended = api.post("payment_intents", INTENT, Some("w")).await;
    assert_eq!((mended.status, mended.is_replay), (StatusCode::OK, false));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_by_its_name() {
    let api = Api::open().await;
    for (path, form, param, code) in [
        ("payment_intents", "currency=eur", "amount", "parameter_missing"),
        (
            "payment_intents",
            "amount=1.5&currency=eur",
            "amount",
            "parameter_invalid_integer",
        ),
        ("payment_intents", "amount=1&currency=eur", "amount", "amount_too_small"),
        (
            "payment_intents",
            "amount=1000&currency=eur&colour=red",
            "colour",
            "parameter_unknown",
        ),
        (
            "payment_intents",
            "amount=1000&currency=eur&customer=cus_0",
            "customer",
            "resource_missing",
        ),
        (
            "payment_intents",
            "amount=1000&currency=eur&payment_method=pm_0",
            "payment_method",
            "resource_missing",
        ),
        ("refunds", "amount=5", "payment_intent", "parameter_missing"),
        ("refunds", "payment_intent=pi_0", "payment_intent", "resource_missing"),
    ] {
        let told = api.post(path, form, None).await;
        assert_eq!(told.status, StatusCode::BAD_REQUEST, "{form}");
        let error = &told.body["error"];
        assert_eq!(
            (&error["param"], &error["code"]),
            (&json!(param), &json!(code)),
            "{form}"
        );
        assert_eq!(error["type"], "invalid_request_error");
    }
    for path in [
        "payment_intents/pi_0",
        "customers/cus_0",
        "refunds/re_0",
        "nothing",
        "charges/ch_0",
    ] {
        assert_eq!(api.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(api.simulated.objects().is_empty());
}

#[tokio::test]
async fn only_keys_of_test_mode_are_taken_and_browsers_do_little() {
    let api = Api::open().await;
    for key in ["", "sk_live_1", "nothing"] {
        let told = api.send(api.request("customers", "", None).bearer_auth(key)).await;
        assert_eq!(told.status, StatusCode::UNAUTHORIZED, "{key}");
    }
    let customer = api.made("customers", "email=a@b.example").await;
    let setup = api
        .made(
            "setup_intents",
            &format!("customer={}", customer["id"].as_str().expect("an id")),
        )
        .await;
    let path = format!("setup_intents/{}/confirm", setup["id"].as_str().expect("an id"));
    let secret = setup["client_secret"].as_str().expect("a secret");
    let with = async |form: &str| api.send(api.request(&path, form, None).bearer_auth("pk_test_1")).await;
    assert_eq!(
        with("payment_method=pm_card_visa").await.status,
        StatusCode::UNAUTHORIZED
    );
    let refunding = api
        .request("refunds", "payment_intent=pi_1", None)
        .bearer_auth("pk_test_1");
    assert_eq!(api.send(refunding).await.status, StatusCode::UNAUTHORIZED);
    let done = with(&format!("payment_method=pm_card_visa&client_secret={secret}")).await;
    assert_eq!(
        (&done.body["status"], &done.body["customer"]),
        (&json!("succeeded"), &customer["id"])
    );
    let listed = api
        .get(&format!(
            "payment_methods?customer={}",
            customer["id"].as_str().expect("an id")
        ))
        .await;
    assert_eq!(listed.body["data"][0]["id"], done.body["payment_method"]);
}

#[tokio::test]
async fn pages_are_newest_first_and_fields_are_expanded_on_demand() {
    let api = Api::open().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(api.made("payment_intents", &format!("{INTENT}&confirm=true")).await["id"].clone());
    }
    made.reverse();
    let page = async |query: &str| api.get(&format!("payment_intents?{query}")).await.body;
    let ids = |page: &Value| {
        let data = page["data"].as_array().expect("a list");
        data.iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    let text = |at: usize| made[at].as_str().expect("an id");
    let first = page("limit=2").await;
    assert_eq!((ids(&first), &first["has_more"]), (made[..2].to_vec(), &json!(true)));
    let last = page(&format!("limit=3&starting_after={}", text(1))).await;
    assert_eq!((ids(&last), &last["has_more"]), (made[2..].to_vec(), &json!(false)));
    let before = page(&format!("limit=2&ending_before={}", text(3))).await;
    assert_eq!((ids(&before), &before["has_more"]), (made[1..3].to_vec(), &json!(true)));
    assert_eq!(
        api.get("payment_intents?limit=101").await.status,
        StatusCode::BAD_REQUEST
    );
    let paid = text(0);
    api.made("refunds", &format!("payment_intent={paid}&amount=400")).await;
    let plain = api.get(&format!("payment_intents/{paid}")).await.body;
    assert!(plain["latest_charge"].is_string());
    let path = format!("payment_intents/{paid}?expand[]=latest_charge.refunds&expand[]=payment_method");
    let whole = api.get(&path).await.body;
    let charge = &whole["latest_charge"];
    assert_eq!(
        (&charge["amount_refunded"], &charge["refunds"]["data"][0]["amount"]),
        (&json!(400), &json!(400))
    );
    assert_eq!(whole["payment_method"]["card"]["last4"], "4242");
    assert_eq!(whole["metadata"]["order"], "7");
}
