//! Since when this process has known of an account's last events, to measure how long messages about them take.

use std::collections::VecDeque;
use std::time::Instant;

/// Bells of an account that are kept.
const MOST_KEPT: usize = 64;

/// The last bells of an account.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The last event that each bell announced, and when it came; `None` for events that a poll has found.
    bells: VecDeque<(i64, Option<Instant>)>,
    /// The last event before them.
    before: i64,
}

impl Known {
    /// The stream now goes up to `sequence`. Later bells about the same events add nothing.
    pub(super) fn add(&mut self, sequence: i64, at: Option<Instant>) {
        match self.bells.back() {
            Some((last, _)) if *last >= sequence => return,
            Some(_) => {}
            None => self.before = sequence - 1,
        }
        if self.bells.len() == MOST_KEPT
            && let Some((first, _)) = self.bells.pop_front()
        {
            self.before = first;
        }
        self.bells.push_back((sequence, at));
    }

    /// There is no event after `sequence`: forgets the bells that announced some. Otherwise the events that get these numbers later would
    /// count as known since then.
    pub(super) fn end_at(&mut self, sequence: i64) {
        self.bells.retain(|(last, _)| *last <= sequence);
    }

    /// Returns since when the event was known.
    pub(super) fn since(&self, sequence: i64) -> Option<Instant> {
        if sequence <= self.before {
            return None;
        }
        let bell = self.bells.iter().find(|(last, _)| *last >= sequence);
        bell.and_then(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_event_is_known_since_the_first_bell_that_announced_it() {
        let mut known = Known::default();
        let (first, later) = (Instant::now(), Instant::now());
        known.add(5, Some(first));
        known.add(5, Some(later));
        known.add(7, None);
        known.add(8, Some(later));
        let since = [4, 5, 6, 7, 8, 9].map(|sequence| known.since(sequence));
        assert_eq!(since, [None, Some(first), None, None, Some(later), None]);
        for sequence in 9..9 + 64 {
            known.add(sequence, Some(later));
        }
        assert_eq!(known.since(8), None, "it is no longer kept");
        assert_eq!(known.since(9), Some(later));
    }

    #[test]
    fn a_bell_that_announced_events_which_do_not_exist_is_forgotten() {
        let first = Instant::now();
        let [wrong, later] = [1, 2].map(|seconds| first + Duration::from_secs(seconds));
        let mut known = Known::default();
        known.add(5, Some(first));
        known.add(1_000, Some(wrong));
        known.end_at(5);
        known.add(6, Some(later));
        let since = [5, 6, 7, 1_000].map(|sequence| known.since(sequence));
        assert_eq!(since, [Some(first), Some(later), None, None]);

        let mut known = Known::default();
        known.add(1_000, Some(wrong));
        known.end_at(0);
        assert_eq!(known.since(1_000), None);
        known.add(1, Some(later));
        assert_eq!([1, 2].map(|sequence| known.since(sequence)), [Some(later), None]);
    }
}
