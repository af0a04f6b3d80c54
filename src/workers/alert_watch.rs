//! Raises alerts from the events of accounts.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::fault::Fault;
use crate::domain::notification::Passed;
use crate::primitives::ids::AccountId;

/// The number of accounts that are evaluated concurrently.
const AT_ONCE: usize = 4;
/// The number of accounts that are evaluated in one batch.
const TOGETHER: usize = 256;
/// The pause between searches for accounts without a notification from the bell.
const INTERVAL: Duration = Duration::from_secs(1);
/// The number of accounts that each search covers.
const ACCOUNTS: u32 = 5_000;

/// Follows the events of all accounts.
#[derive(Clone)]
pub struct AlertWatch {
    services: Services,
}

impl AlertWatch {
    /// Creates the worker for all accounts of the installation.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// Evaluates accounts that are behind.
    async fn turn(&self, passed: &mut Passed) -> Result<(), Fault> {
        self.services.alerts.write_down(passed).await?;
        let late = self.services.alerts.late(ACCOUNTS).await?;
        self.notice(late, passed).await?;
        Ok(())
    }

    /// Runs until `stop` is canceled. Started work is finished.
    pub async fn run(self, stop: CancellationToken) {
        let rung = self.services.events.hub().rung().clone();
        let mut passed = Passed::default();
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                accounts = rung.take() => match super::turn(self.notice(accounts, &mut passed)).await {
                    Ok(true) => rung.put_back(passed.take_unfinished()),
                    // A failed account is not retried at once.
                    Ok(false) => drop(passed.take_unfinished()),
                    Err(fault) => warn(&fault),
                },
                _ = ticks.tick() => match super::turn(self.turn(&mut passed)).await {
                    Ok(()) => rung.put_back(passed.take_unfinished()),
                    Err(fault) => warn(&fault),
                },
            }
        }
    }

    /// Evaluates accounts in one batch. If that fails, evaluates them one by one. Returns whether all succeeded.
    async fn notice(&self, accounts: Vec<AccountId>, passed: &mut Passed) -> Result<bool, Fault> {
        let mut were_all = true;
        for accounts in accounts.chunks(TOGETHER) {
            let alone = self.services.alerts.notice(accounts, passed).await?;
            were_all &= self.notice_each(alone).await;
        }
        Ok(were_all)
    }

    /// A failed account does not block others, and is retried later. Returns whether all succeeded.
    async fn notice_each(&self, accounts: Vec<AccountId>) -> bool {
        let notice = async |account_id: AccountId| {
            loop {
                match self.services.alerts.notice_alone(account_id).await {
                    Ok(true) => {}
                    Ok(false) => return true,
                    Err(fault) => {
                        tracing::warn!(account = account_id.number(), %fault, "an account's events were not looked at");
                        return false;
                    }
                }
            }
        };
        let noticed = stream::iter(accounts).map(notice).buffer_unordered(AT_ONCE);
        noticed.fold(true, async |all, one| all && one).await
    }
}

fn warn(fault: &Fault) {
    tracing::warn!(%fault, "accounts were not looked at; they are looked at again soon");
}
