//! Measures requests and live messages of this process, for operators.

use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// Begins to time a request.
    pub(super) fn time(&self) -> Timing {
        Timing {
            traffic: Some(self.clone()),
            kind: None,
            begun: Instant::now(),
        }
    }

    /// Records a request. `None` is a request of another route, or of a document that was refused before it was known.
    fn answered(&self, kind: Option<OperationKind>, took: Duration) {
        let durations = &self.0;
        let of_kind = match kind {
            Some(OperationKind::Query) => &durations.queries,
            Some(OperationKind::Mutation) => &durations.mutations,
            Some(OperationKind::Subscription) => &durations.subscriptions,
            None => &durations.others,
        };
        of_kind.record_time(took);
    }

    /// Records that the message about an event was handed to the buffer of its socket or event stream, this long after the event was
    /// committed. When the client has it is not known.
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

    /// Returns the durations from commits until messages were handed to the buffers of their connections.
    pub(super) fn live_messages(&self) -> HistogramTotals {
        self.0.live_messages.totals()
    }
}

/// The time of a request. It is recorded when this is dropped: with the answer, or earlier if the client hangs up, because that drops the
/// handler.
#[derive(Debug)]
#[must_use]
pub(super) struct Timing {
    /// `None` if nothing is recorded.
    traffic: Option<Traffic>,
    kind: Option<OperationKind>,
    begun: Instant,
}

impl Timing {
    /// The document of the request is known: it has this kind of operation.
    pub(super) fn set_kind(&mut self, kind: OperationKind) {
        self.kind = Some(kind);
    }

    /// Records nothing: an operation begins that times itself.
    pub(super) fn leave_to_operation(mut self) {
        self.traffic = None;
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        if let Some(traffic) = &self.traffic {
            traffic.answered(self.kind, self.begun.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_request_is_counted_also_if_its_client_hangs_up() {
        let traffic = Traffic::default();
        let counts = || {
            let requests = traffic.requests().into_iter();
            requests.map(|(_, totals)| totals.count()).collect::<Vec<u64>>()
        };
        let mut timing = traffic.time();
        let handler = async move {
            timing.set_kind(OperationKind::Mutation);
            std::future::pending::<()>().await;
            drop(timing);
        };
        assert!(handler.now_or_never().is_none());
        assert_eq!(counts(), [0, 1, 0, 0]);
        drop(traffic.time());
        traffic.time().leave_to_operation();
        assert_eq!(counts(), [0, 1, 0, 1]);
    }
}
