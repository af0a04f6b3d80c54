//! Sends the mail that is due.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::notification::Outbox;

/// Mails in one turn: what one process claims at a time.
const MAILS: u32 = 20;
/// Between turns that leave nothing to do.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sends mail.
#[derive(Clone)]
pub struct MailRound {
    outbox: Outbox,
}

impl MailRound {
    /// Of this outbox.
    pub fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }

    /// Turn after turn until told to stop. A turn that is under way is finished.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match super::turn(self.outbox.send_due(MAILS)).await {
                Ok(tried) if tried >= MAILS as usize => {}
                Ok(_) => {
                    stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "mail was not sent; it is tried again when its claim has run out");
                    stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
                }
            }
        }
    }
}
