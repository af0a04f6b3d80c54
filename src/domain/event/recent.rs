//! The events of an account that were read last.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::primitives::ids::MemberId;

use super::{Event, EventContent};

/// Events that are kept of an account with listeners. A listener that is further behind reads the table.
const MOST_KEPT: usize = 128;

/// A run of events without gaps, up to the last one that was read.
#[derive(Debug, Default)]
pub(super) struct Recent {
    events: VecDeque<Arc<Event>>,
    /// All events after this one were read here, whether they are still kept or not.
    seen_since: i64,
    /// The last event about each member among them.
    member_changes: HashMap<MemberId, i64>,
}

impl Recent {
    /// The number of the last event; `None` before the first is read.
    pub(super) fn last(&self) -> Option<i64> {
        self.events.back().map(|event| event.position.sequence)
    }

    /// Returns the events after `sequence`, at most `limit`; `None` when some of them are not kept.
    pub(super) fn after(&self, sequence: i64, limit: usize) -> Option<Vec<Arc<Event>>> {
        let first = self.events.front()?.position.sequence;
        let skipped = usize::try_from(sequence.checked_add(1)?.checked_sub(first)?).ok()?;
        Some(self.events.iter().skip(skipped).take(limit).cloned().collect())
    }

    /// Keeps the events that follow `after`. `after` is the last kept event, or a later one: then the kept
    /// events are dropped.
    pub(super) fn extend(&mut self, after: i64, events: Vec<Arc<Event>>) {
        if self.last() != Some(after) {
            self.events.clear();
            self.seen_since = after;
        }
        for event in events {
            if let EventContent::MemberUpdated {
                member_id,
                changes_rights: true,
            } = event.content
            {
                self.member_changes.insert(member_id, event.position.sequence);
            }
            self.events.push_back(event);
        }
        let surplus = self.events.len().saturating_sub(MOST_KEPT);
        self.events.drain(..surplus);
    }

    /// Whether one of the events after `since` and up to `until` was about a member; `None` where not all of them were
    /// read here.
    pub(super) fn member_changed_within(&self, member_id: MemberId, since: i64, until: i64) -> Option<bool> {
        let all_went_by = self.seen_since <= since && self.last().is_some_and(|last| last >= until);
        all_went_by.then(|| {
            self.member_changes
                .get(&member_id)
                .is_some_and(|changed_at| *changed_at > since)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::StreamPosition;
    use crate::primitives::clock::Timestamp;

    fn event(sequence: i64) -> Arc<Event> {
        Arc::new(Event {
            position: StreamPosition { sequence, nonce: 0 },
            occurred_at: Timestamp::MIN,
            content: EventContent::TroubleshootingChanged,
            balance_version: None,
        })
    }

    fn numbers(recent: &Recent, after: i64) -> Option<Vec<i64>> {
        let events = recent.after(after, 3)?;
        Some(events.iter().map(|event| event.position.sequence).collect())
    }

    #[test]
    fn what_is_kept_has_no_holes() {
        let mut recent = Recent::default();
        assert_eq!(numbers(&recent, 0), None);
        recent.extend(4, (5..=6).map(event).collect());
        assert_eq!(numbers(&recent, 3), None, "5 is kept, 4 is not");
        assert_eq!(numbers(&recent, 4), Some(vec![5, 6]));
        assert_eq!(numbers(&recent, 6), Some(vec![]));
        recent.extend(6, (7..=8).map(event).collect());
        assert_eq!(numbers(&recent, 4), Some(vec![5, 6, 7]));
        recent.extend(20, vec![event(21)]);
        assert_eq!(numbers(&recent, 8), None, "what was kept is left behind");
        assert_eq!(numbers(&recent, 20), Some(vec![21]));
    }

    #[test]
    fn only_the_last_are_kept() {
        let mut recent = Recent::default();
        recent.extend(0, (1..=500).map(event).collect());
        assert_eq!(recent.last(), Some(500));
        assert_eq!(numbers(&recent, 371), None);
        assert_eq!(numbers(&recent, 372), Some(vec![373, 374, 375]));
    }
}
