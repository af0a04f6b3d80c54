//! Sends scheduled mail.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::notification::Outbox;

/// The maximum number of mails per round: one process claims this number at a time.
const MAILS: u32 = 20;
/// The pause between rounds that leave no work.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sends mail from the outbox.
#[derive(Clone)]
pub struct MailRound {
    outbox: Outbox,
}

impl MailRound {
    /// Creates the worker for this outbox.
    pub fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }

    /// Runs rounds until `stop` is canceled. A started round is finished.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match super::turn(self.outbox.send_due(MAILS)).await {
                Ok(tried) if tried >= MAILS as usize => {}
                Ok(_) => {
                    stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "mail was not sent; it is retried when its claim expires");
                    stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
                }
            }
        }
    }
}
