//! Loops with a clock: each finds scheduled work, calls one use case, and repeats.
//!
//! The commands `serve` and `worker` start them. A worker holds no important state: after a crash it finds its work in the
//! database again. Several processes may run the same worker. A worker that panics is restarted after a pause that grows, so
//! that a worker that fails at once does not use a whole processor.

mod alert_reminders;
mod alert_watch;
mod finding_watch;
mod key_use;
mod live_poll;
mod mail;
mod pauses;
mod pruning;
mod sweeper;
mod tidying;
mod top_ups;
mod webhook_messages;

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::pulse::{Pulse, TurnResult};
use pauses::LONGEST;

pub use alert_reminders::AlertReminders;
pub use alert_watch::AlertWatch;
pub use finding_watch::FindingWatch;
pub use key_use::KeyUse;
pub use live_poll::LivePoll;
pub use mail::MailRound;
pub use pruning::Pruning;
pub use sweeper::Sweeper;
pub use tidying::Tidying;
pub use top_ups::TopUpWork;
pub use webhook_messages::{WebhookCollector, WebhookSender};

/// A round that takes longer is abandoned, and its worker is restarted. Its transactions end on their own: each commits or rolls back.
const LONGEST_TURN: Duration = Duration::from_mins(10);
/// The pause between two checks of a watchdog.
const WATCH: Duration = Duration::from_secs(5);
/// The longest pause of most workers between rounds.
const WOKEN: Option<Duration> = Some(LONGEST);
const EACH_MINUTE: Option<Duration> = Some(Duration::from_mins(1));
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A worker that ran for this long before it failed restarts with the shortest pause.
const HEALTHY: Duration = Duration::from_mins(1);

tokio::task_local! {
    static OWN: (&'static str, Pulse);
}

/// Runs one round of a worker and reports it to the watchdog and the health probes.
async fn turn<T: Ended>(work: impl Future<Output = T>) -> T {
    let Ok((name, pulse)) = OWN.try_with(Clone::clone) else {
        return work.await;
    };
    let mut under_way = UnderWay {
        name,
        pulse,
        result: TurnResult::GivenUp,
    };
    under_way.pulse.begin(name);
    let done = work.await;
    under_way.result = if done.has_succeeded() {
        TurnResult::Succeeded
    } else {
        TurnResult::Failed
    };
    done
}

/// The result of a round.
trait Ended {
    fn has_succeeded(&self) -> bool;
}

impl Ended for () {
    fn has_succeeded(&self) -> bool {
        true
    }
}

impl<T, E> Ended for Result<T, E> {
    fn has_succeeded(&self) -> bool {
        self.is_ok()
    }
}

struct UnderWay {
    name: &'static str,
    pulse: Pulse,
    result: TurnResult,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.pulse.end(self.name, self.result);
    }
}

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
        let sweeper = Sweeper::new(services.ledger.clone(), services.wake.clone());
        let top_ups = TopUpWork::new(services.clone());
        let (charging, rules, webhooks) = (top_ups.clone(), top_ups.clone(), top_ups.clone());
        let alert_watch = AlertWatch::new(services.clone());
        let finding_watch = FindingWatch::new(services.clone());
        let reminders = AlertReminders::new(services.alerts.clone(), services.wake.clone());
        let mail = MailRound::new(services.outbox.clone(), services.wake.clone());
        let tidying = Tidying::new(services.clone());
        let pruning = Pruning::new(services.retention.clone());
        let rung = services.events.hub().rung_for_webhooks().clone();
        let collector = WebhookCollector::new(services.webhook_collecting.clone(), rung);
        let sender = WebhookSender::new(services.webhook_sending.clone());
        // Other processes then notify this one of their events.
        services.events.hub().want_bells();
        let keep = Keep::of(services, &stop);
        workers.keepers.extend([
            keep.running("sweeper", WOKEN, move |stop| sweeper.clone().run(stop)),
            keep.running("charging", WOKEN, move |stop| charging.clone().charge(stop)),
            keep.running("auto top-up", WOKEN, move |stop| rules.clone().evaluate(stop)),
            keep.running("webhooks", WOKEN, move |stop| webhooks.clone().listen(stop)),
            keep.running("reconciler", None, move |stop| top_ups.clone().reconcile(stop)),
            keep.running("mail", WOKEN, move |stop| mail.clone().run(stop)),
            keep.running("alert reminders", WOKEN, move |stop| reminders.clone().run(stop)),
            keep.running("alert watch", WOKEN, move |stop| alert_watch.clone().run(stop)),
            keep.running("finding watch", WOKEN, move |stop| finding_watch.clone().run(stop)),
            keep.running("webhook collector", WOKEN, move |stop| collector.clone().run(stop)),
            keep.running("webhook sender", WOKEN, move |stop| sender.clone().run(stop)),
            keep.running("tidying", None, move |stop| tidying.clone().run(stop)),
            keep.running("pruning", None, move |stop| pruning.clone().run(stop)),
        ]);
        workers
    }

    /// Starts only the workers that a serving process needs for its own clients and keys. No other process can do that work.
    pub fn start_own(services: &Services) -> Self {
        let stop = CancellationToken::new();
        let key_use = KeyUse::new(services.api_keys.clone());
        let live_poll = LivePoll::new(services.clone());
        let keep = Keep::of(services, &stop);
        let keepers = vec![
            keep.running("key use", EACH_MINUTE, move |stop| key_use.clone().run(stop)),
            // It has no work without subscribers.
            keep.running("live poll", None, move |stop| live_poll.clone().run(stop)),
        ];
        Self { stop, keepers }
    }

    /// Stops all workers. Returns when each has finished its round.
    pub async fn stop(self) {
        self.stop.cancel();
        for keeper in self.keepers {
            if let Err(error) = keeper.await {
                tracing::error!(%error, "the supervisor of a worker died");
            }
        }
    }
}

/// Restarts workers that fail.
struct Keep {
    pulse: Pulse,
    stop: CancellationToken,
}

impl Keep {
    fn of(services: &Services, stop: &CancellationToken) -> Self {
        Self {
            pulse: services.pulse.clone(),
            stop: stop.clone(),
        }
    }

    /// Starts a worker that pauses for at most `every` between its rounds.
    fn running<W, F>(&self, name: &'static str, every: Option<Duration>, worker: W) -> JoinHandle<()>
    where
        W: Fn(CancellationToken) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.pulse.announce(name, every);
        tokio::spawn(keep_running((name, self.pulse.clone()), self.stop.clone(), worker))
    }
}

/// Runs a worker until `stop` is canceled, and restarts it whenever it fails.
async fn keep_running<W, F>((name, pulse): (&'static str, Pulse), stop: CancellationToken, worker: W)
where
    W: Fn(CancellationToken) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let started = tokio::time::Instant::now();
        let mut run = tokio::spawn(OWN.scope((name, pulse.clone()), worker(stop.clone())));
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = stuck(name, &pulse) => {
                run.abort();
                run.await
            }
        };
        let Err(death) = ended else { return };
        if started.elapsed() >= HEALTHY {
            pause = FIRST_PAUSE;
        }
        tracing::error!(worker = name, %death, ?pause, "a worker died and is restarted");
        // The stop shortens a pause only, never work.
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Returns when a round of the worker takes too long.
async fn stuck(name: &str, pulse: &Pulse) {
    while pulse.busy_for(name).is_none_or(|time| time <= LONGEST_TURN) {
        tokio::time::sleep(WATCH).await;
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
            tokio::spawn(keep_running(("test", Pulse::default()), stop.clone(), move |stop| {
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
