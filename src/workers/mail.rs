//! Sends scheduled mail.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::notification::Outbox;
use crate::domain::wake::Wake;

use super::pauses::Rounds;

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
        let rounds = Rounds {
            full: Some(MAILS),
            interval: INTERVAL,
            failure: "mail was not sent; it is retried when its claim expires",
        };
        rounds.run(&self.wake, &stop, || self.outbox.send_due(MAILS)).await;
    }
}
