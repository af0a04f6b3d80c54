//! When the loops of this process last ran, and with what result.
//!
//! Called by the loops themselves, by the probes of health and by the figures for operators. Invariant: a loop that works reports it
//! within the time that it was announced with, even if there is nothing to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What each loop is doing, by its name. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<BTreeMap<&'static str, Beat>>>);

/// The state of one loop.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    /// How long it is idle between turns at most; `None` where nothing can be said.
    pub every: Option<Duration>,
    /// Since when its turn is under way; `None` between turns.
    pub busy_since: Option<Instant>,
    /// When a turn of it last ended, with any result.
    pub last_turn: Option<Instant>,
    /// When a turn of it last succeeded.
    pub last_success: Option<Instant>,
    /// Since when its turns have failed, one after the other.
    pub fails_since: Option<Instant>,
    /// When the last of these turns failed.
    failed_at: Option<Instant>,
    /// When it was announced.
    begun: Instant,
}

/// The result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnResult {
    /// It did its work.
    Succeeded,
    /// It reported an error.
    Failed,
    /// It was canceled, or panicked.
    GivenUp,
}

/// How long a loop may go on without success before it counts as late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For one turn.
    pub turn: Duration,
    /// From the first to the last of turns that fail, one after the other.
    pub failing: Duration,
    /// Without a turn, beyond ten times what was announced.
    pub idle: Duration,
}

impl Beat {
    fn new(every: Option<Duration>) -> Self {
        Self {
            every,
            busy_since: None,
            last_turn: None,
            last_success: None,
            fails_since: None,
            failed_at: None,
            begun: Instant::now(),
        }
    }

    /// From the first of the turns that failed one after the other to the last. Zero after a single one: that a loop with long pauses
    /// has failed once does not mean that it goes on failing.
    fn has_failed_for(&self) -> Duration {
        match (self.fails_since, self.failed_at) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            _ => Duration::ZERO,
        }
    }

    fn is_late(&self, limits: Limits) -> bool {
        let exceeds = |since: Option<Instant>, limit: Duration| since.is_some_and(|since| since.elapsed() > limit);
        let is_idle = || match self.every {
            Some(every) if self.busy_since.is_none() => {
                exceeds(Some(self.last_turn.unwrap_or(self.begun)), limits.idle + every * 10)
            }
            _ => false,
        };
        exceeds(self.busy_since, limits.turn) || self.has_failed_for() > limits.failing || is_idle()
    }
}

impl Pulse {
    /// A loop begins, which is idle for at most `every` between its turns; `None` where nothing can be said.
    pub fn announce(&self, name: &'static str, every: Option<Duration>) {
        self.beats().entry(name).or_insert_with(|| Beat::new(every)).every = every;
    }

    /// A turn begins.
    pub fn begin(&self, name: &'static str) {
        self.beat(name, |beat| beat.busy_since = Some(Instant::now()));
    }

    /// A turn has ended.
    pub fn end(&self, name: &'static str, result: TurnResult) {
        let now = Instant::now();
        self.beat(name, |beat| {
            beat.busy_since = None;
            match result {
                TurnResult::Succeeded => {
                    beat.last_success = Some(now);
                    beat.fails_since = None;
                }
                TurnResult::Failed | TurnResult::GivenUp => {
                    beat.fails_since.get_or_insert(now);
                    beat.failed_at = Some(now);
                }
            }
            if result != TurnResult::GivenUp {
                beat.last_turn = Some(now);
            }
        });
    }

    /// For how long its turn has been under way.
    pub fn busy_for(&self, name: &str) -> Option<Duration> {
        Some(self.beats().get(name)?.busy_since?.elapsed())
    }

    /// Loops that have not succeeded for longer than they may.
    pub fn late(&self, limits: Limits) -> Vec<&'static str> {
        let beats = self.beats();
        let late = beats.iter().filter(|(_, beat)| beat.is_late(limits));
        late.map(|(name, _)| *name).collect()
    }

    /// All loops of this process.
    pub fn all(&self) -> Vec<(&'static str, Beat)> {
        self.beats().iter().map(|(name, beat)| (*name, *beat)).collect()
    }

    fn beat(&self, name: &'static str, change: impl FnOnce(&mut Beat)) {
        change(self.beats().entry(name).or_insert_with(|| Beat::new(None)));
    }

    fn beats(&self) -> MutexGuard<'_, BTreeMap<&'static str, Beat>> {
        // A change that dies half-way leaves a beat that is true in each of its parts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_hours(1);

    fn limits(turn: Duration, failing: Duration, idle: Duration) -> Limits {
        Limits { turn, failing, idle }
    }

    #[test]
    fn a_loop_is_late_when_its_turn_hangs_or_fails_or_none_comes() {
        let pulse = Pulse::default();
        let late = |limits: Limits| pulse.late(limits) == ["loop"];
        pulse.announce("loop", Some(NONE));
        assert!(late(limits(LONG, LONG, NONE)), "no turn has come");
        assert!(!late(limits(NONE, NONE, LONG)));
        pulse.begin("loop");
        assert!(late(limits(NONE, LONG, LONG)), "its turn hangs");
        assert!(!late(limits(LONG, NONE, NONE)));
        pulse.end("loop", TurnResult::Failed);
        assert!(!late(limits(LONG, NONE, LONG)), "it failed once");
        pulse.begin("loop");
        pulse.end("loop", TurnResult::Failed);
        assert!(late(limits(LONG, NONE, LONG)), "it goes on failing");
        pulse.begin("loop");
        assert!(late(limits(LONG, NONE, LONG)), "the next turn has not ended yet");
        pulse.end("loop", TurnResult::Succeeded);
        assert!(!late(limits(NONE, NONE, LONG)));
        for _ in 0..2 {
            pulse.begin("loop");
            pulse.end("loop", TurnResult::GivenUp);
        }
        assert!(late(limits(LONG, NONE, LONG)), "it dies again and again");
    }

    #[test]
    fn a_loop_of_which_nothing_can_be_said_may_be_idle() {
        let pulse = Pulse::default();
        pulse.announce("loop", None);
        assert!(pulse.late(limits(NONE, NONE, NONE)).is_empty());
    }
}
