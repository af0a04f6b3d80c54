//! The pauses of a worker between its turns.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::domain::wake::{Wake, Wakes};

/// The longest pause of a worker that nothing wakes: work that becomes due by time alone waits for at most this long.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// Pauses between turns: short after a turn with work, and otherwise until something may have made work.
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
}
