//! Sends what the simulated gateway has to tell to an address, as Stripe sends webhooks.

use std::time::Duration;

use reqwest::Client;
use tokio_util::sync::CancellationToken;

use ledgerbell_core::primitives::signature;
use ledgerbell_core::primitives::timestamp::Timestamp;

use super::{Message, SimulatedGateway};

/// Between looks whether there is something to tell.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long a delivery may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often one is tried.
const MOST_TRIES: u32 = 12;
/// Messages that wait to be sent again, at the most: beyond that the oldest are given up.
const MOST_WAITING: usize = 10_000;

/// Sends messages to an address.
pub struct Courier {
    gateway: SimulatedGateway,
    client: Client,
    url: String,
    waiting: Vec<Waiting>,
}

/// A message that was not taken.
struct Waiting {
    body: Vec<u8>,
    tries: u32,
    due_at: Timestamp,
}

impl Courier {
    /// One that sends what `gateway` has to tell to `url`.
    pub fn new(gateway: SimulatedGateway, url: String) -> Result<Self, reqwest::Error> {
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        Ok(Self {
            gateway,
            client,
            url,
            waiting: Vec::new(),
        })
    }

    /// Sends until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            // A delivery under way is ended too: whoever stops does not wait for whoever does not answer.
            if stop.run_until_cancelled(self.send_due()).await.is_none() {
                return;
            }
        }
    }

    /// Sends what is due. Tells how many were taken.
    pub async fn send_due(&mut self) -> usize {
        let now = self.gateway.time.now();
        let fresh = self
            .gateway
            .take_messages()
            .into_iter()
            .map(|(body, _): Message| Waiting {
                body,
                tries: 0,
                due_at: now,
            });
        self.waiting.extend(fresh);
        let surplus = self.waiting.len().saturating_sub(MOST_WAITING);
        self.waiting.drain(..surplus);
        let (due, later) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|message| message.due_at <= now);
        self.waiting = later;
        let mut taken = 0;
        for mut message in due {
            if self.send(&message.body).await {
                taken += 1;
                continue;
            }
            message.tries += 1;
            message.due_at = now.plus_millis(1_000_i64 << message.tries.min(12));
            if message.tries < MOST_TRIES {
                self.waiting.push(message);
            } else {
                tracing::warn!(url = self.url, "a webhook was not taken so often that it is given up");
            }
        }
        taken
    }

    async fn send(&self, body: &[u8]) -> bool {
        // Signed anew each time: receivers refuse what is older than minutes.
        let signature = signature::sign(super::WEBHOOK_SECRET, body, self.gateway.time.now());
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json; charset=utf-8")
            .header("stripe-signature", signature)
            .body(body.to_vec());
        match request.send().await {
            Ok(response) if response.status().is_success() => true,
            Ok(response) => {
                tracing::warn!(url = self.url, status = %response.status(), "a webhook was refused and is sent again");
                false
            }
            Err(error) => {
                tracing::warn!(url = self.url, %error, "a webhook did not arrive and is sent again");
                false
            }
        }
    }
}
