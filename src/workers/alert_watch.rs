//! Raises alerts from what happens in accounts.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::fault::Fault;
use crate::domain::notification::Passed;
use crate::primitives::ids::AccountId;

/// Accounts that are looked at side by side.
const AT_ONCE: usize = 4;
/// Accounts that are looked at together.
const TOGETHER: usize = 256;
/// Between looks for accounts that no bell told of…
const INTERVAL: Duration = Duration::from_secs(1);
/// …and how many accounts each goes through. After the last it begins anew.
const ACCOUNTS: u32 = 5_000;

/// Follows the events of all accounts.
#[derive(Clone)]
pub struct AlertWatch {
    services: Services,
}

impl AlertWatch {
    /// For all accounts of the installation.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// Looks for accounts that are behind among those after `after`: gives where to go on, the beginning after the end.
    async fn turn(&self, after: AccountId, passed: &mut Passed) -> Result<AccountId, Fault> {
        self.services.alerts.write_down(passed).await?;
        let (behind, last) = self.services.alerts.behind(after, ACCOUNTS).await?;
        self.notice(behind, passed).await;
        Ok(last.unwrap_or(AccountId::PLATFORM))
    }

    /// Until told to stop. What is under way is finished.
    pub async fn run(self, stop: CancellationToken) {
        let rung = self.services.events.hub().rung().clone();
        let mut after = AccountId::PLATFORM;
        let mut passed = Passed::default();
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                accounts = rung.take() => super::turn(self.notice(accounts, &mut passed)).await,
                _ = ticks.tick() => match super::turn(self.turn(after, &mut passed)).await {
                    Ok(next) => after = next,
                    Err(fault) => tracing::warn!(%fault, "accounts were not looked at; they are looked at again soon"),
                },
            }
        }
    }

    /// Looks at accounts together, and at those for which that does not do one by one.
    async fn notice(&self, accounts: Vec<AccountId>, passed: &mut Passed) {
        for accounts in accounts.chunks(TOGETHER) {
            match self.services.alerts.notice(accounts, passed).await {
                Ok(alone) => self.notice_each(alone).await,
                Err(fault) => tracing::warn!(%fault, "accounts were not looked at; they are looked at again soon"),
            }
        }
    }

    /// An account that cannot be looked at holds up no other, and is come back to.
    async fn notice_each(&self, accounts: Vec<AccountId>) {
        let notice = async |account_id: AccountId| {
            loop {
                match self.services.alerts.notice_alone(account_id).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(fault) => {
                        tracing::warn!(account = account_id.number(), %fault, "an account's events were not looked at");
                        return;
                    }
                }
            }
        };
        stream::iter(accounts).for_each_concurrent(AT_ONCE, notice).await;
    }
}
