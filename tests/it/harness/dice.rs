//! Random choices by a seed: the same in every run, so that a failure can be reproduced.

use fastrand::Rng;

/// A generator of random choices.
#[derive(Clone)]
pub(crate) struct Dice(Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// Returns a number from 0 up to, not including, `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.usize(..bound)
    }

    /// Like [`Self::below`], with a sign.
    pub(crate) fn number(&mut self, bound: i64) -> i64 {
        self.0.i64(0..bound)
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Returns some of the items, at least one.
    pub(crate) fn some<T: Copy>(&mut self, items: &[T], at_most: usize) -> Vec<T> {
        (0..=self.below(at_most)).map(|_| self.pick(items)).collect()
    }
}
