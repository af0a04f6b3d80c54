//! Processes scheduled changes in accounts that receive no commands.
//!
//! Every command first expires the credits of its account whose time has come, so expired credits are never spendable. The
//! sweeper does the same for accounts without commands. Their entries, events and released holds are then in time too, and the
//! end of sessions is announced.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::fault::Fault;
use crate::domain::ledger::Ledger;

/// The maximum number of accounts per round.
const ACCOUNTS: u32 = 500;
/// The pause between rounds that leave no work.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sweeps accounts whose scheduled time has come.
#[derive(Clone, Debug)]
pub struct Sweeper {
    ledger: Ledger,
}

impl Sweeper {
    /// Creates a sweeper of this ledger.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Runs one round. Returns the number of accounts that were processed.
    pub async fn turn(&self) -> Result<usize, Fault> {
        self.ledger.sweep(ACCOUNTS).await
    }

    /// Runs rounds until `stop` is canceled. A started round is finished.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match super::turn(self.turn()).await {
                // A full round leaves more work. If none of many accounts could be processed, another round at once would not
                // help.
                Ok(served) if served >= ACCOUNTS as usize => {}
                Ok(_) => {
                    stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "a run of the sweeper failed");
                    stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
                }
            }
        }
    }
}
