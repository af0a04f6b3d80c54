//! One try at charging for a top-up.

use crate::primitives::actor::Cause;
use crate::primitives::ids::{AccountId, PaymentMethodId, TopUpAttemptId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::failure::FailureCode;
use super::{HOUR, MINUTE};

crate::text_enum! {
    /// What came of an attempt.
    AttemptOutcome {
        /// Not worked yet, or the gateway is at it.
        Pending = "PENDING",
        /// Paid.
        Succeeded = "SUCCEEDED",
        /// The bank said no.
        Declined = "DECLINED",
        /// The bank wants its customer to confirm.
        RequiresAction = "REQUIRES_ACTION",
        /// Ended without a charge and without a decline.
        Error = "ERROR",
        /// The gateway was asked and has not answered: it may have been charged.
        Unknown = "UNKNOWN",
    }
}

crate::text_enum! {
    /// What the gateway is to be asked next.
    Step {
        /// Make the object that will be charged.
        Create = "CREATE",
        /// Charge it.
        Confirm = "CONFIRM",
        /// Say what has become of it.
        Read = "READ",
        /// Never charge it.
        Cancel = "CANCEL",
    }
}

/// One try at charging for a top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its id, and the key under which the gateway confirms once.
    pub id: TopUpAttemptId,
    /// Whose.
    pub account_id: AccountId,
    /// Of which top-up.
    pub top_up_id: TopUpId,
    /// 1, 2, 3 …
    pub number: i32,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// Why it failed.
    pub failure_code: Option<FailureCode>,
    /// The card.
    pub payment_method_id: PaymentMethodId,
    /// The card's fingerprint: what networks count by.
    pub fingerprint: String,
    /// The gateway's object that it charges, once known.
    pub object_id: Option<String>,
    /// What the gateway told its failure apart by.
    pub failure_mark: Option<String>,
    /// Made by the account's rule.
    pub is_automatic: bool,
    /// The calendar month whose cap an automatic one counts in: `2026-11`, in the account's zone.
    pub month: Option<String>,
    /// What it charges, in the currency's minor unit.
    pub price_minor: i64,
    /// What the gateway is to be asked next.
    pub step: Step,
    /// When its charge was first sent off.
    pub confirm_sent_at: Option<Timestamp>,
    /// Since when the gateway has not answered.
    pub unknown_since: Option<Timestamp>,
    /// Whether an operator was told that nobody can find out what came of it.
    pub is_escalated: bool,
    /// How often the gateway was asked without getting further.
    pub tries: i32,
    /// When a worker goes on with it: also the end of the lease of the one who has it now. `None` once it is over.
    pub due_at: Option<Timestamp>,
    /// Who asked for it.
    pub actor: Cause,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
}

impl Attempt {
    /// Whether something may still come of it by itself.
    pub fn is_open(&self) -> bool {
        self.finished_at.is_none()
    }

    /// It is over.
    pub(super) fn finish(&mut self, outcome: AttemptOutcome, failure_code: Option<FailureCode>, now: Timestamp) {
        self.outcome = outcome;
        self.failure_code = failure_code;
        self.finished_at = Some(now);
        self.due_at = None;
        self.unknown_since = None;
    }

    /// The gateway has answered and something is to be asked at once.
    pub(super) fn go_on(&mut self, step: Step, now: Timestamp) {
        self.step = step;
        self.tries = 0;
        self.unknown_since = None;
        self.due_at = Some(now);
    }

    /// Asks again later: soon at first, and ever more rarely.
    pub(super) fn wait(&mut self, now: Timestamp) {
        self.tries = self.tries.saturating_add(1);
        self.due_at = Some(now.plus_millis(pause_after(self.tries)));
    }
}

/// 1, 2, 4 … seconds, then five minutes; after about a day, an hour.
fn pause_after(tries: i32) -> i64 {
    if tries > 300 {
        return HOUR;
    }
    let doubled = 1_000_i64 << tries.saturating_sub(1).clamp(0, 20);
    doubled.min(5 * MINUTE)
}
