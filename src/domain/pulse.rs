//! Signs of life of the loops of this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What each loop is doing, by its name. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<BTreeMap<&'static str, Beat>>>);

/// Of one loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beat {
    /// Since when its turn is under way; `None` between turns.
    pub busy_since: Option<Instant>,
    /// When a turn of it last ended, whatever it came to.
    pub last_turn: Option<Instant>,
}

impl Pulse {
    /// A turn begins.
    pub fn begin(&self, name: &'static str) {
        self.beats().entry(name).or_default().busy_since = Some(Instant::now());
    }

    /// A turn has ended, or was given up.
    pub fn end(&self, name: &'static str, was_finished: bool) {
        let mut beats = self.beats();
        let beat = beats.entry(name).or_default();
        beat.busy_since = None;
        if was_finished {
            beat.last_turn = Some(Instant::now());
        }
    }

    /// For how long its turn has been under way.
    pub fn busy_for(&self, name: &str) -> Option<Duration> {
        Some(self.beats().get(name)?.busy_since?.elapsed())
    }

    /// Loops whose turn has been under way for longer than this.
    pub fn stuck(&self, longer_than: Duration) -> Vec<&'static str> {
        let beats = self.beats();
        let is_stuck = |beat: &Beat| beat.busy_since.is_some_and(|since| since.elapsed() > longer_than);
        beats
            .iter()
            .filter(|(_, beat)| is_stuck(beat))
            .map(|(name, _)| *name)
            .collect()
    }

    /// All loops that have begun a turn.
    pub fn all(&self) -> Vec<(&'static str, Beat)> {
        self.beats().iter().map(|(name, beat)| (*name, *beat)).collect()
    }

    fn beats(&self) -> MutexGuard<'_, BTreeMap<&'static str, Beat>> {
        // Each change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
