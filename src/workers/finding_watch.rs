//! Evaluates accounts for findings, so that subscribers are notified of changes.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::fault::Fault;
use crate::primitives::ids::AccountId;

use super::pauses::Rounds;

/// The number of accounts that are evaluated concurrently. It is low: one evaluation is some twenty statements, and no caller
/// waits for it.
const AT_ONCE: usize = 2;
/// The shortest pause between rounds. An account is evaluated at most once per round, however many events it has.
const INTERVAL: Duration = Duration::from_secs(1);
/// Accounts of which no bell came that a round looks at.
const UNCHECKED: u32 = 5_000;
/// Accounts whose time has come that a round looks at.
const DUE: u32 = 500;

/// Follows the findings of all accounts.
#[derive(Clone)]
pub struct FindingWatch {
    services: Services,
}

impl FindingWatch {
    /// Creates the worker for all accounts of the installation.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// One round: accounts of which a bell came, accounts whose time has come, and all others with events that were not checked. Then
    /// those of all accounts whose last check is the oldest. Returns the number of accounts that were checked.
    pub async fn turn(&self, rung: Vec<AccountId>) -> Result<usize, Fault> {
        let troubleshooting = &self.services.troubleshooting;
        let mut checked = self.look(troubleshooting.followed(&rung).await?).await;
        checked += self.look(troubleshooting.due(DUE).await?).await;
        checked += self.look(troubleshooting.unchecked(UNCHECKED).await?).await;
        checked += self.check_in_turn(troubleshooting.to_check_in_turn().await?).await;
        Ok(checked)
    }

    /// Runs until `stop` is canceled. Started work is finished.
    pub async fn run(self, stop: CancellationToken) {
        let rung = self.services.events.hub().rung_for_findings().clone();
        let rounds = Rounds {
            full: None,
            interval: INTERVAL,
            failure: "accounts were not evaluated; they are evaluated again soon",
        };
        rounds.run(&self.services.wake, &stop, || self.turn(rung.taken())).await;
    }

    /// A failed account does not block others, and is retried later. Returns the number of accounts.
    async fn look(&self, accounts: Vec<AccountId>) -> usize {
        let number = accounts.len();
        let look = async |account_id: AccountId| {
            if let Err(fault) = self.services.troubleshooting.look(account_id).await {
                tracing::warn!(account = account_id.number(), %fault, "an account was not evaluated");
            }
        };
        stream::iter(accounts).for_each_concurrent(AT_ONCE, look).await;
        number
    }

    /// Counts the findings of accounts that no client follows. Returns the number of accounts.
    async fn check_in_turn(&self, accounts: Vec<AccountId>) -> usize {
        let number = accounts.len();
        let check = async |account_id: AccountId| {
            if let Err(fault) = self.services.troubleshooting.check_in_turn(account_id).await {
                tracing::warn!(account = account_id.number(), %fault, "the findings of an account were not counted");
            }
        };
        stream::iter(accounts).for_each_concurrent(AT_ONCE, check).await;
        number
    }
}
