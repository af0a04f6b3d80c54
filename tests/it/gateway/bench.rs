//! A payment gateway under test, with the actions of its customers and banks.

use std::sync::Arc;
use std::time::Duration;

use ledgerbell::adapters::gateway::simulated::{SimulatedGateway, router};
use ledgerbell::adapters::gateway::stripe::{Stripe, StripeSettings};
use ledgerbell::domain::top_up::gateway::{
    Card, Charge, ChargeStatus, Confirmation, GatewayError, NewCharge, PaymentGateway,
};
use ledgerbell::primitives::clock::Clock;
use ledgerbell::primitives::money::Money;
use ledgerbell::primitives::secret::Secret;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::BEGIN;

/// The client's time limit in these tests; only the test of the missing response waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A gateway, and the customers and banks behind it.
pub(super) struct Bench {
    /// The gateway as the service calls it.
    pub(super) gateway: Arc<dyn PaymentGateway>,
    /// The same gateway as its customers and banks use it.
    pub(super) simulated: SimulatedGateway,
    pub(super) clock: Clock,
    pub(super) customer: String,
    server: Option<JoinHandle<()>>,
}

/// Serves the simulated gateway over HTTP. Returns its address and its task.
pub(super) async fn serve(simulated: &SimulatedGateway) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    simulated.send_customers_to(&url);
    let face = router(simulated.clone());
    let server = tokio::spawn(async move { axum::serve(listener, face).await.expect("serves") });
    (url, server)
}

/// Returns a client of Stripe for the server at this address.
pub(super) fn stripe(url: &str, timeout: Duration) -> Stripe {
    let settings = StripeSettings {
        base_url: url.to_owned(),
        secret_key: Secret::new("sk_test_12345"),
        publishable_key: "pk_test_12345".to_owned(),
        webhook_secret: Secret::new("whsec_simulated"),
        return_url: "https://app.example/back".to_owned(),
        timeout,
    };
    Stripe::new(settings).expect("a client")
}

impl Bench {
    pub(super) async fn embedded() -> Self {
        let clock = Clock::manual(BEGIN);
        let simulated = SimulatedGateway::new(clock.clone());
        simulated.send_customers_to("http://bank.example");
        Self::with(Arc::new(simulated.clone()), simulated, clock, None).await
    }

    pub(super) async fn stripe_over_http() -> Self {
        let clock = Clock::manual(BEGIN);
        let simulated = SimulatedGateway::new(clock.clone());
        let (url, server) = serve(&simulated).await;
        Self::with(Arc::new(stripe(&url, TIMEOUT)), simulated, clock, Some(server)).await
    }

    async fn with(
        gateway: Arc<dyn PaymentGateway>,
        simulated: SimulatedGateway,
        clock: Clock,
        server: Option<JoinHandle<()>>,
    ) -> Self {
        let customer = gateway.create_customer("customer".to_owned(), "acc_1".to_owned());
        let customer = customer.await.expect("a customer");
        Self {
            gateway,
            simulated,
            clock,
            customer,
            server,
        }
    }

    pub(super) async fn card(&self, token: &str) -> Card {
        let kept = self.gateway.keep_card(self.customer.clone(), token.to_owned()).await;
        kept.expect("kept")
    }

    /// Returns the request for an object of ten euros.
    pub(super) fn new_charge(&self, card: &Card, key: &str) -> NewCharge {
        NewCharge {
            key: format!("create:{key}"),
            customer_id: self.customer.clone(),
            card_id: card.id.clone(),
            price: euros(1_000),
            reference: format!("top_{key}"),
        }
    }

    /// Returns an object without a confirmation.
    pub(super) async fn created(&self, card: &Card, key: &str) -> Charge {
        let made = self.gateway.create_charge(self.new_charge(card, key)).await;
        let made = made.expect("made");
        assert_eq!(made.status, ChargeStatus::Unconfirmed);
        made
    }

    pub(super) async fn try_confirm(&self, id: &str, card: &Card, key: &str) -> Result<Charge, GatewayError> {
        let confirmation = Confirmation {
            charge_id: id.to_owned(),
            key: format!("confirm:{key}"),
            card_id: card.id.clone(),
            is_automatic: false,
        };
        self.gateway.confirm_charge(confirmation).await
    }

    pub(super) async fn confirm(&self, id: &str, card: &Card, key: &str) -> Charge {
        self.try_confirm(id, card, key).await.expect("an answer")
    }

    pub(super) async fn read(&self, id: &str) -> Charge {
        self.gateway.read_charge(id.to_owned()).await.expect("read")
    }

    /// Returns an object that was paid with this card.
    pub(super) async fn paid_with(&self, token: &str) -> Charge {
        let card = self.card(token).await;
        let made = self.created(&card, "paid").await;
        let paid = self.confirm(&made.id, &card, "paid").await;
        assert_eq!(paid.status, ChargeStatus::Succeeded);
        paid
    }

    pub(super) fn charges(&self) -> u32 {
        self.simulated.objects().iter().map(|object| object.charges).sum()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

pub(super) fn euros(minor: i64) -> Money {
    money(minor, "EUR")
}

pub(super) fn money(minor: i64, code: &str) -> Money {
    Money {
        minor,
        currency: code.parse().expect("a currency"),
    }
}
