//! Deals with what is due in accounts that nobody asks for anything.
//!
//! Every command expires what is due in its account, so nobody ever sees expired credits as spendable. The sweeper sees to
//! accounts without commands: their entries, events and released holds come in time too, and sessions that end are announced.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::fault::Fault;
use crate::domain::ledger::Ledger;

/// Accounts in one turn.
const ACCOUNTS: u32 = 500;
/// Between turns that leave nothing to do.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sweeps accounts whose time has come.
#[derive(Clone, Debug)]
pub struct Sweeper {
    ledger: Ledger,
}

impl Sweeper {
    /// A sweeper of this ledger.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// One turn: how many accounts were served.
    pub async fn turn(&self) -> Result<usize, Fault> {
        self.ledger.sweep(ACCOUNTS).await
    }

    /// Turn after turn until told to stop. A turn that is under way is finished.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match super::turn(self.turn()).await {
                // A full turn leaves more to do. Where none of many could be served, another try at once would not help.
                Ok(served) if served >= ACCOUNTS as usize => {}
                Ok(_) => {
                    stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "a turn of the sweeper failed");
                    stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
                }
            }
        }
    }
}
