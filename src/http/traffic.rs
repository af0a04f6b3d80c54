//! Measures requests and live messages of this process, for operators.

use std::sync::Arc;
use std::time::Duration;

use crate::graphql::OperationKind;
use crate::primitives::histogram::{Histogram, HistogramTotals};

/// How long requests and live messages took. Clones share the counts.
#[derive(Clone, Debug)]
pub struct Traffic(Arc<Durations>);

#[derive(Debug)]
struct Durations {
    queries: Histogram,
    mutations: Histogram,
    subscriptions: Histogram,
    others: Histogram,
    live_messages: Histogram,
}

impl Default for Traffic {
    fn default() -> Self {
        Self(Arc::new(Durations {
            queries: Histogram::of_durations(),
            mutations: Histogram::of_durations(),
            subscriptions: Histogram::of_durations(),
            others: Histogram::of_durations(),
            live_messages: Histogram::of_durations(),
        }))
    }
}

impl Traffic {
    /// Records a request. `None` is a request of another route, or of a document that was refused before it was known.
    pub(super) fn answered(&self, kind: Option<OperationKind>, took: Duration) {
        let durations = &self.0;
        let of_kind = match kind {
            Some(OperationKind::Query) => &durations.queries,
            Some(OperationKind::Mutation) => &durations.mutations,
            Some(OperationKind::Subscription) => &durations.subscriptions,
            None => &durations.others,
        };
        of_kind.record_time(took);
    }

    /// Records that the message about an event was written, this long after the event was committed.
    pub(super) fn delivered(&self, after: Duration) {
        self.0.live_messages.record_time(after);
    }

    /// Returns the durations of requests by the name of their kind.
    pub(super) fn requests(&self) -> Vec<(&'static str, HistogramTotals)> {
        let durations = &self.0;
        let kinds = [
            ("query", &durations.queries),
            ("mutation", &durations.mutations),
            ("subscription", &durations.subscriptions),
            ("other", &durations.others),
        ];
        kinds.map(|(name, durations)| (name, durations.totals())).into()
    }

    /// Returns the durations from commits to written messages.
    pub(super) fn live_messages(&self) -> HistogramTotals {
        self.0.live_messages.totals()
    }
}
