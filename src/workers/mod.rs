//! Loops that own a clock: find what is due, call one use case, repeat.
//!
//! Started by the commands `serve` and `worker`. A worker holds no state that matters: what it works on is found in the
//! database again after a crash, and several processes may run the same one. A worker that panics is started again after a
//! pause that grows, so that one that dies at once does not spin.

mod alert_reminders;
mod alert_watch;
mod finding_watch;
mod key_use;
mod live_poll;
mod mail;
mod sweeper;
mod top_ups;

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::domain::Services;

pub use alert_reminders::AlertReminders;
pub use alert_watch::AlertWatch;
pub use finding_watch::FindingWatch;
pub use key_use::KeyUse;
pub use live_poll::LivePoll;
pub use mail::MailRound;
pub use sweeper::Sweeper;
pub use top_ups::TopUpWork;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A worker that ran for so long before it died starts over with the shortest pause.
const HEALTHY: Duration = Duration::from_mins(1);

/// The workers of this process.
#[derive(Debug)]
pub struct Workers {
    stop: CancellationToken,
    keepers: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts all workers.
    pub fn start(services: &Services) -> Self {
        let mut workers = Self::start_own(services);
        let stop = workers.stop.clone();
        let sweeper = Sweeper::new(services.ledger.clone());
        let top_ups = TopUpWork::new(services.clone());
        let (charging, rules, webhooks) = (top_ups.clone(), top_ups.clone(), top_ups.clone());
        let alert_watch = AlertWatch::new(services.clone());
        let finding_watch = FindingWatch::new(services.clone());
        let reminders = AlertReminders::new(services.alerts.clone());
        let mail = MailRound::new(services.outbox.clone());
        workers.keepers.extend([
            tokio::spawn(keep_running("sweeper", stop.clone(), move |stop| {
                sweeper.clone().run(stop)
            })),
            tokio::spawn(keep_running("charging", stop.clone(), move |stop| {
                charging.clone().charge(stop)
            })),
            tokio::spawn(keep_running("auto top-up", stop.clone(), move |stop| {
                rules.clone().evaluate(stop)
            })),
            tokio::spawn(keep_running("webhooks", stop.clone(), move |stop| {
                webhooks.clone().listen(stop)
            })),
            tokio::spawn(keep_running("reconciler", stop.clone(), move |stop| {
                top_ups.clone().reconcile(stop)
            })),
            tokio::spawn(keep_running("mail", stop.clone(), move |stop| mail.clone().run(stop))),
            tokio::spawn(keep_running("alert reminders", stop.clone(), move |stop| {
                reminders.clone().run(stop)
            })),
            tokio::spawn(keep_running("alert watch", stop.clone(), move |stop| {
                alert_watch.clone().run(stop)
            })),
            tokio::spawn(keep_running("finding watch", stop.clone(), move |stop| {
                finding_watch.clone().run(stop)
            })),
        ]);
        workers
    }

    /// Starts those alone that a serving process needs for its own clients and keys, and that no other process can do for it.
    pub fn start_own(services: &Services) -> Self {
        let stop = CancellationToken::new();
        let key_use = KeyUse::new(services.api_keys.clone());
        let live_poll = LivePoll::new(services.clone());
        let keepers = vec![
            tokio::spawn(keep_running("key use", stop.clone(), move |stop| {
                key_use.clone().run(stop)
            })),
            tokio::spawn(keep_running("live poll", stop.clone(), move |stop| {
                live_poll.clone().run(stop)
            })),
        ];
        Self { stop, keepers }
    }

    /// Tells all workers to stop, and returns when each has finished its turn.
    pub async fn stop(self) {
        self.stop.cancel();
        for keeper in self.keepers {
            if let Err(error) = keeper.await {
                tracing::error!(%error, "the keeper of a worker died");
            }
        }
    }
}

/// Runs a worker until it is told to stop, starting it again whenever it dies.
async fn keep_running<W, F>(name: &'static str, stop: CancellationToken, worker: W)
where
    W: Fn(CancellationToken) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let started = tokio::time::Instant::now();
        let Err(death) = tokio::spawn(worker(stop.clone())).await else {
            return;
        };
        if started.elapsed() >= HEALTHY {
            pause = FIRST_PAUSE;
        }
        tracing::error!(worker = name, %death, ?pause, "a worker died and is started again");
        // Only a pause is cut short by the stop; work never is.
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_worker_that_dies_is_started_again_until_it_is_told_to_stop() {
        let stop = CancellationToken::new();
        let starts = Arc::new(AtomicUsize::new(0));
        let keeper = {
            let starts = Arc::clone(&starts);
            tokio::spawn(keep_running("test", stop.clone(), move |stop| {
                let start = starts.fetch_add(1, Ordering::SeqCst);
                async move {
                    assert!(start > 0, "the first one dies");
                    stop.cancelled().await;
                }
            }))
        };
        while starts.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        keeper.await.expect("ends");
        assert_eq!(starts.load(Ordering::SeqCst), 2);
    }
}
