//! Attempts to charge for a top-up.

use crate::primitives::actor::Cause;
use crate::primitives::ids::{AccountId, PaymentMethodId, TopUpAttemptId, TopUpId};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
use crate::primitives::timestamp::{HOUR, MINUTE, Timestamp};

use super::failure::FailureCode;

crate::text_enum! {
    /// The outcome of an attempt.
    AttemptOutcome {
        /// Not started, or in progress at the gateway.
        Pending = "PENDING",
        /// Paid.
        Succeeded = "SUCCEEDED",
        /// The bank declined.
        Declined = "DECLINED",
        /// The bank requires the customer to confirm.
        RequiresAction = "REQUIRES_ACTION",
        /// Ended without a charge and without a decline.
        Error = "ERROR",
        /// The gateway did not respond: the attempt may have been charged.
        Unknown = "UNKNOWN",
    }
}

crate::text_enum! {
    /// The next request to the gateway.
    NextRequest {
        /// Create the object.
        Create = "CREATE",
        /// Charge the object.
        Confirm = "CONFIRM",
        /// Read the state of the object.
        Read = "READ",
        /// Cancel the object.
        Cancel = "CANCEL",
    }
}

/// One attempt to charge for a top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Attempt {
    /// The id; also the idempotency key of the confirmation.
    pub id: TopUpAttemptId,
    /// The account of the top-up.
    pub account_id: AccountId,
    /// The top-up that is paid for.
    pub top_up_id: TopUpId,
    /// Counts the attempts of a top-up, from 1.
    pub number: i32,
    /// The outcome.
    pub outcome: AttemptOutcome,
    /// The reason of a failure.
    pub failure_code: Option<FailureCode>,
    /// The card that is charged.
    pub payment_method_id: PaymentMethodId,
    /// The card's fingerprint, by which card networks count declines.
    pub fingerprint: String,
    /// The gateway's object that is charged, once it is known.
    pub object_id: Option<String>,
    /// The mark by which the gateway identifies the failure.
    pub failure_mark: Option<String>,
    /// Whether the auto top-up rule made the attempt.
    pub is_automatic: bool,
    /// The calendar month whose cap includes an automatic attempt: `2026-11`, in the account's time zone.
    pub month: Option<String>,
    /// The price in the currency's minor unit.
    pub price_minor: i64,
    /// The next request to the gateway.
    #[cfg_attr(feature = "sea-orm", record(name = "step"))]
    pub next_request: NextRequest,
    /// When the charge was first sent.
    pub confirm_sent_at: Option<Timestamp>,
    /// Since when the gateway has not responded.
    pub unknown_since: Option<Timestamp>,
    /// Whether an operator was notified that the outcome cannot be determined.
    pub is_escalated: bool,
    /// The number of requests since the last progress.
    pub tries: i32,
    /// When a worker continues, or when the lease of the current worker ends. `None` once the attempt is finished.
    pub due_at: Option<Timestamp>,
    /// Who requested the attempt.
    #[cfg_attr(feature = "sea-orm", record(flatten, prefix = "actor_"))]
    pub actor: Cause,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it finished.
    pub finished_at: Option<Timestamp>,
}

impl Attempt {
    /// Returns whether the attempt can still change automatically.
    pub fn is_open(&self) -> bool {
        self.finished_at.is_none()
    }

    pub(super) fn finish(&mut self, outcome: AttemptOutcome, failure_code: Option<FailureCode>, now: Timestamp) {
        self.outcome = outcome;
        self.failure_code = failure_code;
        self.finished_at = Some(now);
        self.due_at = None;
        self.unknown_since = None;
    }

    /// Sets the next request after a response; it is sent at once.
    pub(super) fn go_on(&mut self, next_request: NextRequest, now: Timestamp) {
        self.next_request = next_request;
        self.tries = 0;
        self.unknown_since = None;
        self.due_at = Some(now);
    }

    /// Schedules another request, with a pause that grows.
    pub(super) fn wait(&mut self, now: Timestamp) {
        self.tries = self.tries.saturating_add(1);
        self.due_at = Some(now.plus_millis(pause_after(self.tries)));
    }
}

/// Returns the pause: 1, 2, 4 … seconds, then five minutes; after about a day, an hour.
fn pause_after(tries: i32) -> i64 {
    if tries > 300 {
        return HOUR;
    }
    let doubled = 1_000_i64 << tries.saturating_sub(1).clamp(0, 20);
    doubled.min(5 * MINUTE)
}
