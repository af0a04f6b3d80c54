//! Sends the events of the simulated gateway to an address, as Stripe sends webhooks.

use std::time::Duration;

use reqwest::Client;
use tokio_util::sync::CancellationToken;

use ledgerbell_core::primitives::signature;
use ledgerbell_core::primitives::timestamp::Timestamp;

use super::{Message, SimulatedGateway};

/// Time between two checks for new events.
const INTERVAL: Duration = Duration::from_millis(200);
/// The longest time that one delivery may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of attempts for one message.
const MOST_TRIES: u32 = 12;
/// The maximum number of messages that wait for another attempt. The oldest messages beyond it are dropped.
const MOST_WAITING: usize = 10_000;

/// Sends messages to one address.
pub struct WebhookSender {
    gateway: SimulatedGateway,
    client: Client,
    url: String,
    waiting: Vec<Undelivered>,
}

/// A message that the receiver did not accept.
struct Undelivered {
    body: Vec<u8>,
    tries: u32,
    due_at: Timestamp,
}

impl WebhookSender {
    /// Creates a courier that sends the events of `gateway` to `url`.
    pub fn new(gateway: SimulatedGateway, url: String) -> Result<Self, reqwest::Error> {
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        Ok(Self {
            gateway,
            client,
            url,
            waiting: Vec::new(),
        })
    }

    /// Sends messages until `stop` is canceled.
    pub async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            // This also ends a delivery in progress: a receiver that does not respond must not delay the shutdown.
            if stop.run_until_cancelled(self.send_due()).await.is_none() {
                return;
            }
        }
    }

    /// Sends the messages that are scheduled by now. Returns the number that the receiver accepted.
    pub async fn send_due(&mut self) -> usize {
        let now = self.gateway.time.now();
        let fresh = self
            .gateway
            .take_messages()
            .into_iter()
            .map(|(body, _): Message| Undelivered {
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
                tracing::warn!(url = self.url, "a webhook was refused too often and is no longer sent");
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
