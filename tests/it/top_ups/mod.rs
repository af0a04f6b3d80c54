//! Top-ups through the API: bought, retried, canceled, refunded; cards; and the faults of systems that do this elsewhere.
//!
//! Where each of F1 to F34 is tested, if not here under its number: F9 (reports in any order), F30 and F32 (any sequence of
//! changes of the rule) are properties of the pure core (`domain::top_up::model`), as are F19 and F28 besides their tests here.
//! F16 is in `faults`. F17 is in `domain::member::tests` and `primitives::ids`. The alerts about F10, F26 and F27 are in
//! `notification::purchases`; the decisions and pauses are here. The simulation tests random failures of everything.
//!
//! Some faults cannot occur and have no test. F6's free purchases: free credits are granted (`grantCredits`). F31's "refill
//! that sets the balance": the ledger has no command that sets a balance. F31's dead checkout sessions: an object of the
//! gateway is created only for an attempt that a caller, or a rule with consent, has requested.

mod auto;
mod cards;
mod charging;
mod operating;
mod refunds;
mod returning;
mod rule;

use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

/// The fields of a top-up that `...T` stands for in a selection.
const TOP_UP: &str = "id status origin credits price { amount currency } canRetry nextAttemptAt creditsReversed \
    failure { code message retryable fixBy nextStep actionUrl } entry { amount kind } \
    attempts { id number outcome failureCode gatewayReference finishedAt actor { kind } paymentMethod { id } }";

/// The team's admin, who buys credits. The platform requests refunds.
pub(crate) struct Buyer<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) client: &'a Client,
}

impl<'a> Buyer<'a> {
    pub(crate) fn of(app: &'a TestApp) -> Self {
        Self {
            app,
            client: &app.team.admin.client,
        }
    }

    /// Runs a mutation and returns its payload.
    pub(crate) async fn mutate(&self, name: &str, selection: &str, input: Value) -> Value {
        let fields = selection.replace("...T", TOP_UP);
        // Only the platform refunds money.
        let client = if name == "refundTopUp" {
            &self.app.platform
        } else {
            self.client
        };
        client.mutate(name, &fields, input).await
    }

    /// Like [`Self::mutate`]. Fails unless it succeeds.
    pub(crate) async fn accept(&self, name: &str, selection: &str, input: Value) -> Value {
        let payload = self.mutate(name, selection, input).await;
        assert_eq!(payload["userErrors"], json!([]), "{name}: {payload}");
        payload
    }

    /// Returns the code of a refusal, and the payload.
    pub(crate) async fn refuse(&self, name: &str, selection: &str, input: Value) -> (String, Value) {
        let payload = self.mutate(name, selection, input).await;
        let code = payload["userErrors"][0]["code"].as_str();
        let code = code
            .unwrap_or_else(|| panic!("{name} is refused: {payload}"))
            .to_owned();
        (code, payload)
    }

    /// Adds a card, which becomes the default card.
    pub(crate) async fn add_card(&self, token: &str) -> String {
        let added = self
            .accept(
                "addPaymentMethod",
                "paymentMethod { id }",
                json!({ "gatewayToken": token }),
            )
            .await;
        added["paymentMethod"]["id"].as_str().expect("an id").to_owned()
    }

    /// Starts a top-up and returns it.
    pub(crate) async fn create(&self, credits: &str, key: &str) -> Value {
        let input = json!({ "credits": credits, "idempotencyKey": key });
        self.accept("createTopUp", "topUp { ...T }", input).await["topUp"].clone()
    }

    /// Adds a card, starts a top-up with it, and returns it after the workers have finished.
    pub(crate) async fn buy_with(&self, token: &str, credits: &str) -> Value {
        self.add_card(token).await;
        let made = self.create(credits, token).await;
        self.app.settle().await;
        self.top_up(&made["id"]).await
    }

    pub(crate) async fn retry(&self, id: &Value, key: &str) -> Value {
        let input = json!({ "topUpId": id, "idempotencyKey": key });
        self.mutate("retryTopUp", "topUp { ...T }", input).await
    }

    pub(crate) async fn top_up(&self, id: &Value) -> Value {
        let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on TopUp {{ {TOP_UP} }} }} }}");
        self.client.query(&query, json!({ "id": id })).await.only_field()
    }

    /// Returns the account's figures: posted, held, available, incoming.
    pub(crate) async fn balance(&self) -> Value {
        let query = "{ account { balance { posted held available incoming } } }";
        self.client.query(query, json!({})).await.at("/account/balance").clone()
    }

    /// Returns all top-ups of the account, newest first.
    pub(crate) async fn top_ups(&self) -> Vec<Value> {
        let query = format!("{{ account {{ topUps(first: 100) {{ nodes {{ {TOP_UP} }} }} }} }}");
        let answer = self.client.query(&query, json!({})).await;
        answer.at("/account/topUps/nodes").as_array().expect("a list").clone()
    }

    /// Returns the total number of charges at the gateway.
    pub(crate) fn charges(&self) -> u32 {
        self.app.gateway().objects().iter().map(|object| object.charges).sum()
    }
}

/// Returns the id of the gateway's object of a top-up's first attempt.
pub(crate) fn object_of(top_up: &Value) -> &str {
    let reference = &top_up["attempts"][0]["gatewayReference"];
    reference.as_str().expect("an object of the gateway")
}
