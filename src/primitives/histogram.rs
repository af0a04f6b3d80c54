//! Counts of durations and sizes by their upper bounds, for operators. Recording is two atomic additions: no lock, no allocation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of durations, in microseconds.
const DURATIONS: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000,
];
/// The upper bounds of sizes.
const SIZES: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Counts values by the smallest upper bound that each of them does not exceed.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// The number of recorded units in one unit of the totals.
    scale: f64,
    /// One count for each bound, and one for values above all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram has counted.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramTotals {
    /// Each upper bound with the number of values between the bound before and it. The last one is `f64::INFINITY`.
    pub counts: Vec<(f64, u64)>,
    /// The sum of all values.
    pub sum: f64,
}

impl HistogramTotals {
    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

impl Histogram {
    /// Creates a histogram of durations, whose totals are in seconds.
    pub fn of_durations() -> Self {
        Self::new(&DURATIONS, 1_000_000.0)
    }

    /// Creates a histogram of sizes.
    pub fn of_sizes() -> Self {
        Self::new(&SIZES, 1.0)
    }

    fn new(bounds: &'static [u64], scale: f64) -> Self {
        Self {
            bounds,
            scale,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Records a duration.
    pub fn record_time(&self, time: Duration) {
        self.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Records a size.
    pub fn record_size(&self, size: usize) {
        self.record(size as u64);
    }

    fn record(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Returns what was counted.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn totals(&self) -> HistogramTotals {
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / self.scale);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        HistogramTotals {
            counts: bounds.chain([f64::INFINITY]).zip(counts).collect(),
            sum: self.sum.load(Ordering::Relaxed) as f64 / self.scale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_counted_under_the_smallest_bound_that_it_does_not_exceed() {
        let histogram = Histogram::of_durations();
        for micros in [0, 1_000, 1_001, 31_000_000] {
            histogram.record_time(Duration::from_micros(micros));
        }
        let totals = histogram.totals();
        assert_eq!(totals.counts[..2], [(0.001, 2), (0.002_5, 1)]);
        assert_eq!(totals.counts.last(), Some(&(f64::INFINITY, 1)));
        assert_eq!(totals.count(), 4);
        assert!((totals.sum - 31.002_001).abs() < 1e-9, "{totals:?}");
    }
}
