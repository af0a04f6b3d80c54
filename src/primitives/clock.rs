//! Instants, and the clock that reads them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

pub use ledgerbell_core::primitives::timestamp::{DAY, HOUR, MINUTE, SECOND, Timestamp};

/// The source of the current time.
///
/// Clones share the clock: advancing a manual clock advances it for all holders.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// The machine's clock and the time by which it was moved ahead, in milliseconds.
    Ahead(Arc<AtomicI64>),
    Manual(Arc<watch::Sender<i64>>),
}

/// The farthest that a clock is ahead of the machine's: ten years, in milliseconds.
const FARTHEST: i64 = 3_653 * DAY;

/// The start of the system clock's elapsed time.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A step ahead of the machine's clock by more than this is not followed at once, in milliseconds.
const JUMP: i64 = 5 * MINUTE;
/// A step that has lasted this long is taken to be right unless another clock says otherwise, in milliseconds.
const LASTS: i64 = 2 * MINUTE;
/// How long the reading of another clock counts, in milliseconds.
const COUNTS: i64 = 10 * MINUTE;

/// The last reading of the machine's clock, beside a monotonic clock.
static FOLLOWED: Mutex<Option<Followed>> = Mutex::new(None);
/// What another machine's clock showed last, and the elapsed time then.
static REFERENCE: Mutex<Option<(i64, i64)>> = Mutex::new(None);
/// Steps ahead that were not followed at once.
static JUMPS: AtomicU64 = AtomicU64::new(0);

/// Follows the machine's clock, but not at once over a step ahead. An account's log never goes back. So a clock that is a
/// day ahead for two seconds would keep the log's time wrong for a day.
#[derive(Clone, Copy, Debug)]
struct Followed {
    shown: i64,
    elapsed: i64,
    /// Since when the clock is ahead.
    ahead_since: Option<i64>,
}

impl Followed {
    /// The time to go by, where the clock shows `shown` after `elapsed` and another one may show `reference`; and whether a step has just
    /// been noticed.
    fn read(&mut self, (shown, elapsed): (i64, i64), reference: Option<i64>) -> (i64, bool) {
        let expected = self.shown + (elapsed - self.elapsed);
        let is_new = self.ahead_since.is_none();
        if shown - expected > JUMP {
            let lasts = elapsed - *self.ahead_since.get_or_insert(elapsed);
            let is_refuted = reference.is_some_and(|reference| shown - reference > JUMP);
            if is_refuted || lasts < LASTS {
                return (expected, is_new);
            }
        }
        *self = Self {
            shown,
            elapsed,
            ahead_since: None,
        };
        (shown, false)
    }
}

fn elapsed_millis() -> i64 {
    i64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(i64::MAX)
}

fn follow(shown: i64) -> i64 {
    let elapsed = elapsed_millis();
    let reference = *REFERENCE.lock().unwrap_or_else(PoisonError::into_inner);
    let reference = reference.filter(|(_, at)| elapsed - at < COUNTS);
    let reference = reference.map(|(millis, at)| millis + (elapsed - at));
    let mut followed = FOLLOWED.lock().unwrap_or_else(PoisonError::into_inner);
    let first = Followed {
        shown,
        elapsed,
        ahead_since: None,
    };
    let (now, has_jumped) = followed.get_or_insert(first).read((shown, elapsed), reference);
    drop(followed);
    if has_jumped {
        JUMPS.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            ahead_seconds = (shown - now) / 1_000,
            "the machine's clock has jumped ahead; the server follows only if that lasts: check the time service"
        );
    }
    now
}

impl Clock {
    /// How often the machine's clock has stepped ahead by minutes since the process began.
    pub fn jumps() -> u64 {
        JUMPS.load(Ordering::Relaxed)
    }

    /// Notes what the database's clock shows, in milliseconds since 1970. For some minutes a step ahead of this machine's clock that it
    /// does not confirm is not followed, however long the step lasts.
    pub fn refer_to(millis: i64) {
        let mut reference = REFERENCE.lock().unwrap_or_else(PoisonError::into_inner);
        *reference = Some((millis, elapsed_millis()));
    }

    /// The machine's own clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Creates a clock that stands still until it is advanced: for tests and for the demo's history.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(start.millis()))))
    }

    /// Creates a clock that goes as the machine's and can be moved ahead by [`Self::move_ahead`]. It begins `millis` ahead; a negative
    /// number counts as zero. Only for the demo: no other process may write to its database with another time.
    pub fn ahead(millis: i64) -> Self {
        Self(Source::Ahead(Arc::new(AtomicI64::new(millis.clamp(0, FARTHEST)))))
    }

    /// Moves a clock made by [`Self::ahead`] forward. Returns how far it is ahead of the machine's, in milliseconds, at most ten years.
    /// `None` for all other clocks, which it does not move.
    pub fn move_ahead(&self, by: Duration) -> Option<i64> {
        let Source::Ahead(ahead) = &self.0 else {
            return None;
        };
        let by = i64::try_from(by.as_millis()).unwrap_or(FARTHEST);
        let moved = |ahead: i64| ahead.saturating_add(by).min(FARTHEST);
        let before = ahead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |ahead| Some(moved(ahead)));
        before.ok().map(moved)
    }

    /// The current instant.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::from_millis(follow(Utc::now().timestamp_millis())),
            Source::Ahead(ahead) => {
                let now = follow(Utc::now().timestamp_millis());
                Timestamp::from_millis(now).plus_millis(ahead.load(Ordering::Relaxed))
            }
            Source::Manual(millis) => Timestamp::from_millis(*millis.borrow()),
        }
    }

    /// The time since the start, for timeouts. Unlike the current instant it never jumps when the machine's clock is set.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System | Source::Ahead(_) => BEGUN.elapsed(),
            Source::Manual(millis) => since_1970(*millis.borrow()),
        }
    }

    /// Creates an alarm that rings when [`Self::elapsed`] reaches `at`.
    pub fn alarm(&self, at: Duration) -> Alarm {
        Alarm(match &self.0 {
            Source::System | Source::Ahead(_) => Bell::System(Box::pin(sleep_until(*BEGUN + at))),
            Source::Manual(millis) => {
                let mut millis = millis.subscribe();
                Bell::Manual(Box::pin(async move {
                    // All other handles are dropped, so this clock can no longer be moved.
                    if millis.wait_for(|millis| since_1970(*millis) >= at).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }))
            }
        })
    }

    /// Moves a manual clock forward; no effect on the system clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(millis) = &self.0 {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            millis.send_modify(|millis| *millis = millis.saturating_add(by));
        }
    }

    /// Sets a manual clock, never backwards.
    pub fn advance_to(&self, instant: Timestamp) {
        if let Source::Manual(millis) = &self.0 {
            millis.send_modify(|millis| *millis = (*millis).max(instant.millis()));
        }
    }
}

fn since_1970(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

/// Resolves once, at its time. Made by [`Clock::alarm`].
pub struct Alarm(Bell);

enum Bell {
    System(Pin<Box<Sleep>>),
    Manual(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").finish_non_exhaustive()
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Bell::System(sleep) => sleep.as_mut().poll(context),
            Bell::Manual(moved) => moved.as_mut().poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_for_two_seconds_is_not_followed_and_one_that_stays_is() {
        let mut followed = Followed {
            shown: 1_000_000,
            elapsed: 0,
            ahead_since: None,
        };
        let day = 26 * 3_600_000;
        let mut read = |shown: i64, elapsed: i64| followed.read((shown, elapsed), None);
        assert_eq!(read(1_001_000, 1_000), (1_001_000, false));
        assert_eq!(read(1_002_000 + day, 2_000), (1_002_000, true));
        assert_eq!(read(1_004_000 + day, 4_000), (1_004_000, false));
        assert_eq!(read(1_005_000, 5_000), (1_005_000, false), "it is right again");
        // Steps of seconds, and steps back, are followed.
        assert_eq!(read(1_036_000, 6_000), (1_036_000, false));
        assert_eq!(read(37_000, 7_000), (37_000, false));
        // A step that lasts is right.
        assert_eq!(read(38_000 + day, 8_000), (38_000, true));
        let later = 8_000 + LASTS;
        assert_eq!(read(38_000 + day + LASTS, later), (38_000 + day + LASTS, false));
        assert_eq!(read(39_000 + day + LASTS, later + 1_000).0, 39_000 + day + LASTS);
    }

    #[test]
    fn a_step_that_the_database_does_not_confirm_is_not_followed_however_long_it_lasts() {
        let mut followed = Followed {
            shown: 1_000_000,
            elapsed: 0,
            ahead_since: None,
        };
        let day = 26 * 3_600_000;
        assert_eq!(
            followed.read((1_001_000 + day, 1_000), Some(1_001_000)),
            (1_001_000, true)
        );
        let later = 1_000 + LASTS * 10;
        let right = 1_000_000 + later;
        assert_eq!(followed.read((right + day, later), Some(right)), (right, false));
        assert_eq!(
            followed.read((right + day, later), Some(right + day)),
            (right + day, false),
            "it shows the same"
        );
    }

    #[test]
    fn a_clock_that_is_moved_ahead_goes_forward_only_and_no_other_is_moved() {
        let clock = Clock::ahead(-5);
        let (day, machine) = (Duration::from_hours(24), Clock::system());
        assert_eq!(clock.move_ahead(day), Some(86_400_000));
        assert_eq!(clock.clone().move_ahead(day), Some(2 * 86_400_000), "clones share it");
        let ahead = clock.now().millis() - machine.now().millis();
        assert!((ahead - 2 * 86_400_000).abs() < 10_000, "{ahead}");
        assert_eq!(clock.move_ahead(Duration::MAX), Some(FARTHEST));
        assert_eq!(machine.move_ahead(day), None);
        assert_eq!(Clock::manual(Timestamp::from_millis(1)).move_ahead(day), None);
    }

    #[tokio::test]
    async fn an_alarm_of_a_manual_clock_rings_when_the_clock_is_moved_so_far() {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        let mut alarm = Box::pin(clock.alarm(clock.elapsed() + Duration::from_secs(5)));
        clock.advance(Duration::from_millis(4_999));
        assert!(futures_util::poll!(&mut alarm).is_pending());
        clock.advance(Duration::from_millis(1));
        alarm.await;
        assert_eq!(clock.now().millis(), 6_000);
    }
}
