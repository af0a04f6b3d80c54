//! Raises alerts from the events of accounts.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::fault::Fault;
use crate::domain::notification::Progress;
use crate::primitives::ids::AccountId;

use super::pauses::{LONGEST, SpacedRung};

/// The number of accounts that are evaluated concurrently.
const AT_ONCE: usize = 4;
/// The number of accounts that are evaluated in one batch.
const TOGETHER: usize = 256;
/// The pause before progress is stored, and before what failed or was left is looked at again.
const SOON: Duration = Duration::from_secs(1);
/// The number of accounts that each search covers.
const ACCOUNTS: u32 = 5_000;

/// Follows the events of all accounts.
#[derive(Clone)]
pub struct AlertWatch {
    services: Services,
    rung: SpacedRung,
}

impl AlertWatch {
    /// Creates the worker for all accounts of the installation.
    pub fn new(services: Services) -> Self {
        let rung = SpacedRung::new(services.events.hub().rung().clone());
        Self { services, rung }
    }

    /// Stores the progress, and evaluates accounts that are behind, which no bell has announced. Returns whether there may be more.
    async fn turn(&self, progress: &mut Progress) -> Result<bool, Fault> {
        self.services.alerts.save_progress(progress).await?;
        let late = self.services.alerts.late(ACCOUNTS).await?;
        let is_full = late.len() >= ACCOUNTS as usize;
        let were_all = self.evaluate(late, progress).await?;
        Ok(is_full || !were_all)
    }

    /// Runs until `stop` is canceled. Started work is finished.
    pub async fn run(self, stop: CancellationToken) {
        let mut rung = self.rung.clone();
        let mut progress = Progress::default();
        // The first look is at once.
        let mut looked = Instant::now().checked_sub(LONGEST).unwrap_or_else(Instant::now);
        let mut has_more = false;
        while !stop.is_cancelled() {
            let pause = if has_more || progress.is_unsaved() {
                SOON
            } else {
                LONGEST
            };
            tokio::select! {
                () = stop.cancelled() => {}
                accounts = rung.take() => match super::turn(self.evaluate(accounts, &mut progress)).await {
                    Ok(true) => rung.put_back(progress.take_unfinished()),
                    // A failed account is not retried at once.
                    Ok(false) => {
                        drop(progress.take_unfinished());
                        has_more = true;
                    }
                    Err(fault) => {
                        warn(&fault);
                        has_more = true;
                    }
                },
                () = sleep_until(looked + pause) => {
                    has_more = match super::turn(self.turn(&mut progress)).await {
                        Ok(has_more) => {
                            rung.put_back(progress.take_unfinished());
                            has_more
                        }
                        Err(fault) => {
                            warn(&fault);
                            true
                        }
                    };
                    looked = Instant::now();
                }
            }
        }
    }

    /// Evaluates accounts in one batch. If that fails, evaluates them one by one. Returns whether all succeeded.
    async fn evaluate(&self, accounts: Vec<AccountId>, progress: &mut Progress) -> Result<bool, Fault> {
        let mut were_all = true;
        for accounts in accounts.chunks(TOGETHER) {
            let alone = self.services.alerts.evaluate(accounts, progress).await?;
            were_all &= self.evaluate_each(alone).await;
        }
        Ok(were_all)
    }

    /// A failed account does not block others, and is retried later. Returns whether all succeeded.
    async fn evaluate_each(&self, accounts: Vec<AccountId>) -> bool {
        let evaluate = async |account_id: AccountId| {
            loop {
                match self.services.alerts.evaluate_alone(account_id).await {
                    Ok(true) => {}
                    Ok(false) => return true,
                    Err(fault) => {
                        tracing::warn!(account = account_id.number(), %fault, "an account's events were not evaluated");
                        return false;
                    }
                }
            }
        };
        let evaluated = stream::iter(accounts).map(evaluate).buffer_unordered(AT_ONCE);
        evaluated.fold(true, async |all, one| all && one).await
    }
}

fn warn(fault: &Fault) {
    tracing::warn!(%fault, "accounts were not evaluated; they are evaluated again soon");
}
