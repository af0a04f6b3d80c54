//! Sends scheduled mail.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::notification::Outbox;
use crate::domain::wake::Wake;

use super::pauses::Pauses;

/// The maximum number of mails per round: one process claims this number at a time.
const MAILS: u32 = 20;
/// The shortest pause between rounds that leave no work.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sends mail from the outbox.
#[derive(Clone)]
pub struct MailRound {
    outbox: Outbox,
    wake: Wake,
}

impl MailRound {
    /// Creates the worker for this outbox.
    pub fn new(outbox: Outbox, wake: Wake) -> Self {
        Self { outbox, wake }
    }

    /// Runs rounds until `stop` is canceled. A started round is finished.
    pub async fn run(self, stop: CancellationToken) {
        let mut pauses = Pauses::new(INTERVAL, &self.wake, &stop);
        while !stop.is_cancelled() {
            let tried = super::turn(self.outbox.send_due(MAILS)).await;
            match &tried {
                Ok(tried) if *tried >= MAILS as usize => continue,
                Ok(_) => {}
                Err(fault) => tracing::warn!(%fault, "mail was not sent; it is retried when its claim expires"),
            }
            pauses.after(&tried).await;
        }
    }
}
