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
    wakes: Wakes,
    stop: CancellationToken,
}

impl Pauses {
    /// No pause is shorter than `shortest`, however often the worker is woken. `stop` ends each.
    pub(super) fn new(shortest: Duration, wake: &Wake, stop: &CancellationToken) -> Self {
        Self {
            shortest,
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
            let _ = timeout(LONGEST.saturating_sub(self.shortest), self.wakes.next()).await;
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
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_worker_without_work_rests_until_something_wakes_it() {
        let (wake, stop) = (Wake::default(), CancellationToken::new());
        let mut pauses = Pauses::new(Duration::ZERO, &wake, &stop);
        // Woken during a turn, twice: that counts as one.
        wake.wake();
        wake.wake();
        pauses.after(&Ok::<_, ()>(0)).await;
        let nothing = Ok::<_, ()>(0);
        {
            let mut rest = pin!(pauses.after(&nothing));
            assert!(poll!(&mut rest).is_pending());
            wake.wake();
            rest.await;
        }
        // Turns that found work or failed are followed by the next without a wake.
        pauses.after(&Ok::<_, ()>(3)).await;
        pauses.after(&Err(())).await;
    }

    #[tokio::test]
    async fn the_stop_ends_a_rest() {
        let (wake, stop) = (Wake::default(), CancellationToken::new());
        let mut pauses = Pauses::new(LONGEST, &wake, &stop);
        let mut rest = pin!(pauses.long());
        assert!(poll!(&mut rest).is_pending());
        stop.cancel();
        rest.await;
    }
}
