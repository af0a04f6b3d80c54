//! Messages to webhook endpoints: written from the events of accounts, and sent.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::domain::event::Rung;
use crate::domain::fault::Fault;
use crate::domain::webhook_endpoint::{Collecting, Sending, Target};
use crate::primitives::ids::AccountId;
use crate::primitives::trace;

use super::pauses::{LONGEST, SpacedRung};

/// The pause between two looks at a part of the accounts.
const BETWEEN_PAGES: Duration = Duration::from_secs(1);
/// The pause after the database has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The number of accounts that each look covers.
const ACCOUNTS: u32 = 2_000;
/// The number of accounts that are processed in one batch.
const TOGETHER: usize = 256;
/// The maximum number of attempts in progress.
const MOST_ATTEMPTS: usize = 64;
/// How long attempts in progress may take when the process ends. The others are made again when their claims expire.
const LAST_ATTEMPTS: Duration = Duration::from_secs(2);

/// Writes messages about the events of all accounts.
#[derive(Clone)]
pub struct WebhookCollector {
    collecting: Collecting,
    rung: SpacedRung,
}

impl WebhookCollector {
    /// Creates the worker. `rung` are the accounts of which bells come.
    pub fn new(collecting: Collecting, rung: Rung) -> Self {
        Self {
            collecting,
            rung: SpacedRung::new(rung),
        }
    }

    /// Runs until `stop` is canceled. Started work is finished.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut reached, mut looks_at) = (AccountId::PLATFORM, Instant::now());
        while !stop.is_cancelled() {
            let result = tokio::select! {
                () = stop.cancelled() => Ok(()),
                accounts = self.rung.take() => {
                    let collected = super::turn(self.collect(&accounts)).await;
                    if collected.is_err() {
                        self.rung.put_back(accounts);
                    }
                    collected
                }
                () = sleep_until(looks_at) => {
                    let looked = super::turn(self.collect_in_turn(&mut reached)).await;
                    let has_more = looked.as_ref().is_ok_and(|has_more| *has_more);
                    looks_at = Instant::now() + if has_more { BETWEEN_PAGES } else { LONGEST };
                    looked.map(drop)
                }
            };
            if let Err(fault) = result {
                tracing::warn!(%fault, "webhook messages were not written; they are written soon");
                stop.run_until_cancelled(sleep(AFTER_FAILURE)).await;
            }
        }
    }

    /// Goes through the next accounts in turn. At the end it begins again. Returns whether this was not the end.
    async fn collect_in_turn(&mut self, reached: &mut AccountId) -> Result<bool, Fault> {
        let accounts = self.collecting.next_accounts(*reached, ACCOUNTS).await?;
        self.collect(&accounts).await?;
        *reached = accounts.last().copied().unwrap_or(AccountId::PLATFORM);
        Ok(accounts.len() >= ACCOUNTS as usize)
    }

    async fn collect(&mut self, accounts: &[AccountId]) -> Result<(), Fault> {
        for accounts in accounts.chunks(TOGETHER) {
            let unfinished = self.collecting.collect(accounts).await?;
            self.rung.put_back(unfinished);
        }
        Ok(())
    }
}

/// Sends the messages.
#[derive(Clone)]
pub struct WebhookSender {
    sending: Sending,
}

/// Attempts in progress.
#[derive(Default)]
struct InProgress {
    attempts: JoinSet<()>,
    targets: HashMap<Id, Target>,
}

impl WebhookSender {
    /// Creates the worker.
    pub fn new(sending: Sending) -> Self {
        Self { sending }
    }

    /// Runs until `stop` is canceled. An endpoint that hangs takes a few of the attempts in progress, and delays no other.
    pub async fn run(self, stop: CancellationToken) {
        let mut in_progress = InProgress::default();
        while !stop.is_cancelled() {
            let has_begun = match super::turn(self.begin(&mut in_progress)).await {
                Ok(begun) => begun > 0,
                Err(fault) => {
                    tracing::warn!(%fault, "webhook messages were not claimed; they are claimed soon");
                    false
                }
            };
            if has_begun && in_progress.attempts.len() < MOST_ATTEMPTS {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = in_progress.ended() => {}
                () = self.sending.woken() => {}
                () = sleep(LONGEST) => {}
            }
        }
        let rest = async { while in_progress.attempts.join_next().await.is_some() {} };
        // Those that take longer are dropped.
        let _ = tokio::time::timeout(LAST_ATTEMPTS, rest).await;
    }

    /// Claims messages and begins to send them. Returns their number.
    async fn begin(&self, in_progress: &mut InProgress) -> Result<usize, Fault> {
        let free = MOST_ATTEMPTS.saturating_sub(in_progress.attempts.len());
        if free == 0 {
            return Ok(0);
        }
        let begun = in_progress.targets.values().copied();
        let claimed = self.sending.claim(free, begun).await?;
        let begun = claimed.len();
        for message in claimed {
            let (sending, target) = (self.sending.clone(), message.target());
            let attempt = in_progress.attempts.spawn(async move {
                let span = trace::job("webhook message", None);
                if let Err(fault) = sending.attempt(message).instrument(span).await {
                    tracing::warn!(%fault, "an attempt of a webhook message was not recorded; it is made again");
                }
            });
            in_progress.targets.insert(attempt.id(), target);
        }
        Ok(begun)
    }
}

impl InProgress {
    /// Waits until an attempt has ended. Never, if there is none.
    async fn ended(&mut self) {
        let id = match self.attempts.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(death)) => {
                tracing::error!(%death, "an attempt of a webhook message died; it is made again when its claim expires");
                death.id()
            }
            None => return std::future::pending().await,
        };
        self.targets.remove(&id);
    }
}
