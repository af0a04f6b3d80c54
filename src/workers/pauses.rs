//! The rounds of a worker, and its pauses between them.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::domain::event::Rung;
use crate::domain::fault::Fault;
use crate::domain::wake::{Wake, Wakes};
use crate::primitives::ids::AccountId;

/// The longest pause of a worker that nothing wakes: work that becomes due by time alone waits for at most this long.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// The shortest time between the beginnings of two rounds that bells start.
const SPACED: Duration = Duration::from_millis(25);

/// How the rounds of a worker follow each other.
pub(super) struct Rounds {
    /// The number of items of a full round, which is followed by the next at once. `None` if each round is followed by a pause.
    pub(super) full: Option<u32>,
    /// The shortest pause.
    pub(super) interval: Duration,
    /// What the log says of a round that failed.
    pub(super) failure: &'static str,
}

impl Rounds {
    /// Runs rounds, which return the number of items that they found, until `stop` is canceled. A started round is finished.
    pub(super) async fn run<F>(self, wake: &Wake, stop: &CancellationToken, round: impl Fn() -> F)
    where
        F: Future<Output = Result<usize, Fault>>,
    {
        let mut pauses = Pauses::new(self.interval, wake, stop);
        while !stop.is_cancelled() {
            let found = super::turn(round()).await;
            match (&found, self.full) {
                (Ok(found), Some(full)) if *found >= full as usize => continue,
                (Ok(_), _) => {}
                (Err(fault), _) => tracing::warn!(%fault, "{}", self.failure),
            }
            pauses.after(&found).await;
        }
    }
}

/// Pauses between rounds: short after a round with work, and otherwise until something may have made work.
pub(super) struct Pauses {
    shortest: Duration,
    longest: Duration,
    wakes: Wakes,
    stop: CancellationToken,
}

impl Pauses {
    /// No pause is shorter than `shortest`, however often the worker is woken. `stop` ends each.
    pub(super) fn new(shortest: Duration, wake: &Wake, stop: &CancellationToken) -> Self {
        Self {
            shortest,
            longest: LONGEST,
            wakes: wake.wakes(),
            stop: stop.clone(),
        }
    }

    /// Waits after a turn that found work or failed.
    pub(super) async fn short(&mut self) {
        self.stop.run_until_cancelled(sleep(self.shortest)).await;
    }

    /// Waits after a turn that found no work.
    pub(super) async fn long(&mut self) {
        let rest = async {
            sleep(self.shortest).await;
            // Without a wake the next turn begins all the same.
            let _ = timeout(self.longest.saturating_sub(self.shortest), self.wakes.next()).await;
        };
        self.stop.run_until_cancelled(rest).await;
    }

    /// Waits after a turn that found this number of items, or failed.
    pub(super) async fn after<E>(&mut self, found: &Result<usize, E>) {
        match found {
            Ok(0) => self.long().await,
            _ => self.short().await,
        }
    }
}

/// Accounts with new events, for a worker that processes them in rounds.
///
/// A round begins at once when there was none for a while. Under constant load the rounds begin at intervals, and the events of an interval
/// are read together: otherwise each posting would be followed by the statements of a round.
#[derive(Clone)]
pub(super) struct SpacedRung {
    rung: Rung,
    next: Instant,
}

impl SpacedRung {
    /// Accounts are recorded from now on. The first look of the worker finds those with events from before.
    pub(super) fn new(rung: Rung) -> Self {
        rung.taken();
        Self {
            rung,
            next: Instant::now(),
        }
    }

    /// Waits for accounts with new events and for the time of the next round, and takes them.
    pub(super) async fn take(&mut self) -> Vec<AccountId> {
        sleep_until(self.next).await;
        let accounts = self.rung.take().await;
        self.next = Instant::now() + SPACED;
        accounts
    }

    /// Adds accounts again of which a round did not process all events. The next round then begins at once.
    pub(super) fn put_back(&mut self, accounts: Vec<AccountId>) {
        if !accounts.is_empty() {
            self.next = Instant::now();
            self.rung.put_back(accounts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that rests for a day, unless something ends its rest.
    fn pauses(wake: &Wake, stop: &CancellationToken) -> Pauses {
        Pauses {
            longest: Duration::from_hours(24),
            ..Pauses::new(Duration::ZERO, wake, stop)
        }
    }

    async fn ends(rest: impl Future<Output = ()>) -> bool {
        timeout(Duration::from_mins(1), rest).await.is_ok()
    }

    #[tokio::test]
    async fn a_worker_without_work_rests_until_something_wakes_it() {
        let (wake, stop) = (Wake::default(), CancellationToken::new());
        let mut pauses = pauses(&wake, &stop);
        let nothing = Ok::<_, ()>(0);
        // Woken during a turn.
        wake.wake();
        assert!(ends(pauses.after(&nothing)).await);
        // Woken during a rest.
        let woken = async {
            tokio::task::yield_now().await;
            wake.wake();
        };
        assert!(ends(async { tokio::join!(pauses.after(&nothing), woken).0 }).await);
        // Turns that found work or failed are followed by the next without a wake.
        assert!(ends(pauses.after(&Ok::<_, ()>(3))).await);
        assert!(ends(pauses.after(&Err(()))).await);
        // Two wakes count as one.
        wake.wake();
        wake.wake();
        assert!(ends(pauses.after(&nothing)).await);
        assert!(futures_util::poll!(Box::pin(pauses.wakes.next())).is_pending());
    }

    #[tokio::test]
    async fn the_stop_ends_a_rest() {
        let (wake, stop) = (Wake::default(), CancellationToken::new());
        let mut pauses = pauses(&wake, &stop);
        let stopped = async {
            tokio::task::yield_now().await;
            stop.cancel();
        };
        assert!(ends(async { tokio::join!(pauses.long(), stopped).0 }).await);
    }

    #[tokio::test]
    async fn rounds_that_bells_start_are_at_once_and_then_at_intervals() {
        let (all, account) = (Rung::default(), AccountId::from_number(1));
        let mut rung = SpacedRung::new(all.clone());
        all.put_back(vec![account]);
        let began = Instant::now();
        assert!(rung.next <= began, "it was quiet");
        for round in 0..3 {
            all.put_back(vec![account]);
            assert_eq!(rung.take().await, [account]);
            assert!(began.elapsed() >= SPACED * round);
        }
        rung.put_back(Vec::new());
        assert!(rung.next >= began + SPACED * 3, "all was processed");
        rung.put_back(vec![account]);
        assert!(rung.next <= Instant::now(), "there was more to process");
        assert_eq!(rung.take().await, [account]);
    }
}
