//! The whole service with the client of Stripe, on the HTTP interface of the simulated gateway. Where the client and the
//! interface agree, the result must be what the service needs. Webhooks arrive at the real route.

use std::time::Duration;

use ledgerbell::adapters::gateway::simulated::{SimulatedGateway, WebhookSender};
use ledgerbell::primitives::clock::Clock;
use serde_json::json;
use tokio::task::JoinHandle;

use super::bench;
use crate::harness::{BEGIN, TestApp};
use crate::top_ups::Buyer;

/// A service that uses Stripe, from its own view.
struct Shop {
    app: TestApp,
    simulated: SimulatedGateway,
    /// A separate clock, which is moved together with that of the service.
    clock: Clock,
    courier: WebhookSender,
    server: JoinHandle<()>,
}

impl Shop {
    async fn open() -> Self {
        let clock = Clock::manual(BEGIN);
        let simulated = SimulatedGateway::new(clock.clone());
        let (url, server) = bench::serve(&simulated).await;
        let app = TestApp::start_with(&[
            ("gateway.kind", "stripe"),
            ("gateway.stripe_url", &url),
            ("gateway.stripe_secret_key", "sk_test_12345"),
            ("gateway.stripe_publishable_key", "pk_test_12345"),
            ("gateway.stripe_webhook_secret", "whsec_simulated"),
            ("gateway.return_url", "https://app.example/back"),
        ])
        .await;
        let webhooks = format!("{}/webhooks/stripe", app.base());
        let courier = WebhookSender::new(simulated.clone(), webhooks).expect("a courier");
        Self {
            app,
            simulated,
            clock,
            courier,
            server,
        }
    }

    fn advance(&self, by: Duration) {
        self.app.advance(by);
        self.clock.advance(by);
    }

    /// Delivers events and runs the workers until no work is left.
    async fn settle(&mut self) {
        self.app.settle().await;
        while self.courier.send_due().await > 0 {
            self.app.settle().await;
        }
    }

    fn charges(&self) -> u32 {
        self.simulated.objects().iter().map(|object| object.charges).sum()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tokio::test]
async fn a_team_buys_is_declined_confirms_and_gets_its_money_back() {
    let mut shop = Shop::open().await;
    let paid = {
        let buyer = Buyer::of(&shop.app);
        buyer.buy_with("card_refund_fails", "10").await
    };
    assert_eq!(paid["status"], "SUCCEEDED", "{paid}");
    shop.settle().await;
    let buyer = Buyer::of(&shop.app);
    let declined = buyer.buy_with("card_insufficient_funds", "20").await;
    assert_eq!(declined["status"], "FAILED");
    assert_eq!(declined["failure"]["code"], "INSUFFICIENT_FUNDS");
    let card = buyer.add_card("card_authenticate").await;
    let again = json!({ "topUpId": declined["id"], "paymentMethodId": card, "idempotencyKey": "again" });
    buyer.accept("retryTopUp", "topUp { id }", again).await;
    shop.app.settle().await;
    let waits = buyer.top_up(&declined["id"]).await;
    assert_eq!(waits["status"], "REQUIRES_ACTION", "{waits}");
    let page = waits["failure"]["actionUrl"].as_str().expect("a page").to_owned();
    // The customer follows the link and confirms; the webhook notifies the service.
    let confirmed = reqwest::Client::new().post(format!("{page}?confirm=true")).send().await;
    assert!(confirmed.expect("an answer").status().is_success());
    shop.settle().await;
    let buyer = Buyer::of(&shop.app);
    assert_eq!(buyer.top_up(&declined["id"]).await["status"], "SUCCEEDED");
    assert_eq!((shop.charges(), &buyer.balance().await["posted"]), (2, &json!("30")));
    let refund = json!({ "topUpId": paid["id"], "reason": "Too many", "idempotencyKey": "r" });
    buyer.accept("refundTopUp", "topUp { id }", refund).await;
    shop.settle().await;
    let buyer = Buyer::of(&shop.app);
    assert_eq!(buyer.top_up(&paid["id"]).await["status"], "REVERSED");
    shop.advance(Duration::from_secs(61));
    shop.settle().await;
    let buyer = Buyer::of(&shop.app);
    let there_again = buyer.top_up(&paid["id"]).await;
    assert_eq!(there_again["status"], "SUCCEEDED", "the refund failed later");
    assert_eq!(there_again["creditsReversed"], "0");
    assert_eq!(buyer.balance().await["posted"], "30");
}

#[tokio::test]
async fn f05_f15_lost_answers_and_messages_charge_nobody_twice_and_lose_nothing() {
    let mut shop = Shop::open().await;
    Buyer::of(&shop.app).add_card("card_dies_after_charge").await;
    let mut made = Vec::new();
    for key in ["a", "b", "c"] {
        made.push(Buyer::of(&shop.app).create("10", key).await);
    }
    shop.app.settle().await;
    shop.advance(Duration::from_mins(2));
    shop.settle().await;
    for id in &made {
        assert_eq!(Buyer::of(&shop.app).top_up(&id["id"]).await["status"], "SUCCEEDED");
    }
    assert_eq!(shop.charges(), 3);
    assert_eq!(Buyer::of(&shop.app).balance().await["posted"], "30");
    let report = shop.app.services().reconciler.reconcile(BEGIN).await.expect("compared");
    assert_eq!((report.compared, report.repaired.len(), report.raised.len()), (3, 0, 0));
}
