//! Measures how long a bell takes through the bus: from a commit of this process until this process hears its own bell. Both instants are
//! of one clock. Clocks of several machines differ by more than a bell takes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::primitives::histogram::{Histogram, HistogramTotals};
use crate::primitives::ids::AccountId;

/// After this time a bell counts as lost, and the next one is awaited.
const LOST: Duration = Duration::from_secs(30);

/// Awaits one bell at a time: a sample of all bells.
#[derive(Debug)]
pub(super) struct Echo {
    awaited: Mutex<Option<Awaited>>,
    lag: Histogram,
}

#[derive(Debug)]
struct Awaited {
    account_id: AccountId,
    sequence: i64,
    since: Instant,
}

impl Default for Echo {
    fn default() -> Self {
        Self {
            awaited: Mutex::default(),
            lag: Histogram::of_durations(),
        }
    }
}

impl Echo {
    /// A bell is sent by the bus.
    pub(super) fn sent(&self, account_id: AccountId, sequence: i64) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        if awaited.as_ref().is_none_or(|awaited| awaited.since.elapsed() > LOST) {
            *awaited = Some(Awaited {
                account_id,
                sequence,
                since: Instant::now(),
            });
        }
    }

    /// A bell was heard.
    pub(super) fn heard(&self, account_id: AccountId, sequence: i64) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |awaited: &mut Awaited| awaited.account_id == account_id && awaited.sequence <= sequence;
        if let Some(awaited) = awaited.take_if(is_it) {
            self.lag.record_time(awaited.since.elapsed());
        }
    }

    /// Bells that were sent before are not heard any more.
    pub(super) fn forget(&self) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn lag(&self) -> HistogramTotals {
        self.lag.totals()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_awaited_bell_or_a_later_one_of_its_account_is_measured() {
        let echo = Echo::default();
        let account = AccountId::from_number;
        echo.heard(account(1), 5);
        echo.sent(account(1), 5);
        echo.sent(account(2), 1);
        for (number, sequence) in [(1, 4), (2, 1)] {
            echo.heard(account(number), sequence);
        }
        assert_eq!(echo.lag().count(), 0);
        echo.heard(account(1), 6);
        echo.heard(account(1), 6);
        assert_eq!(echo.lag().count(), 1);
    }
}
