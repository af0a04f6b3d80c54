//! Processes scheduled changes in accounts that receive no commands.
//!
//! Every command first expires the credits of its account whose time has come, so expired credits are never spendable. The
//! sweeper does the same for accounts without commands. Their entries, events and released holds are then in time too, and the
//! end of sessions is announced.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::fault::Fault;
use crate::domain::ledger::Ledger;
use crate::domain::wake::Wake;

use super::pauses::Rounds;

/// The maximum number of accounts per round.
const ACCOUNTS: u32 = 500;
/// The shortest pause between rounds that leave no work.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sweeps accounts whose scheduled time has come.
#[derive(Clone, Debug)]
pub struct Sweeper {
    ledger: Ledger,
    wake: Wake,
}

impl Sweeper {
    /// Creates a sweeper of this ledger.
    pub fn new(ledger: Ledger, wake: Wake) -> Self {
        Self { ledger, wake }
    }

    /// Runs one round. Returns the number of accounts that were processed.
    pub async fn turn(&self) -> Result<usize, Fault> {
        self.ledger.sweep(ACCOUNTS).await
    }

    /// Runs rounds until `stop` is canceled. A started round is finished.
    pub async fn run(self, stop: CancellationToken) {
        // Only processed accounts count: if none of many could be processed, another round at once would not help.
        let rounds = Rounds {
            full: Some(ACCOUNTS),
            interval: INTERVAL,
            failure: "a run of the sweeper failed",
        };
        rounds.run(&self.wake, &stop, || self.turn()).await;
    }
}
