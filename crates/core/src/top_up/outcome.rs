//! Applies the responses of the gateway to a purchase.

use super::gateway::{Charge, ChargeStatus, DisputeStatus};
use crate::primitives::credits::Credits;
use crate::primitives::ids::TopUpAttemptId;
use crate::primitives::timestamp::{DAY, HOUR, MINUTE, Timestamp};

use super::attempt::{Attempt, AttemptOutcome, NextRequest};
use super::failure::FailureCode;
use super::purchase::{Change, Purchase};
use super::top_up_state::{TopUp, TopUpStatus};

/// A confirmation without a response is sent again for this time; then the object is canceled.
const CONFIRM_FOR: i64 = HOUR;
/// The time that a customer has to confirm with the bank.
const ACTION_FOR: i64 = 23 * HOUR;
/// The period of reads meanwhile. A webhook usually arrives earlier.
const ACTION_POLL: i64 = 5 * MINUTE;
/// The time without a response after which an operator is notified.
const ESCALATE_AFTER: i64 = DAY;
/// The pauses before automatic top-ups retry after a soft decline.
pub(super) const AUTOMATIC_RETRIES: [i64; 2] = [HOUR, 6 * HOUR];

impl Purchase {
    /// Records that the gateway has created the object of this attempt. It is charged next.
    pub fn created(&mut self, attempt_id: TopUpAttemptId, object_id: &str, now: Timestamp) {
        let top_up = &mut self.top_up;
        let Some(attempt) = self
            .attempts
            .iter_mut()
            .find(|attempt| attempt.id == attempt_id && attempt.is_open() && attempt.object_id.is_none())
        else {
            return;
        };
        attempt.object_id = Some(object_id.to_owned());
        attempt.go_on(NextRequest::Confirm, now);
        top_up.object_id = Some(object_id.to_owned());
    }

    /// Records that the gateway did not respond for this attempt.
    pub fn unanswered(&mut self, attempt_id: TopUpAttemptId, now: Timestamp) {
        let Some(at) = self
            .attempts
            .iter()
            .position(|attempt| attempt.id == attempt_id && attempt.is_open())
        else {
            return;
        };
        let attempt = &mut self.attempts[at];
        let since = *attempt.unknown_since.get_or_insert(now);
        attempt.wait(now);
        if attempt.confirm_sent_at.is_some() && attempt.outcome == AttemptOutcome::Pending {
            attempt.outcome = AttemptOutcome::Unknown;
            self.top_up.updated_at = now;
        }
        // An object that was never confirmed charges no card, whether it was created or not.
        if attempt.confirm_sent_at.is_none() && now.millis() - since.millis() >= CONFIRM_FOR {
            self.fail(at, AttemptOutcome::Error, FailureCode::GatewayUnavailable, now);
        }
    }

    /// Returns whether an operator must be notified that the outcome of an attempt cannot be determined. Returns true once.
    pub fn escalate(&mut self, now: Timestamp) -> bool {
        let Some(at) = self.open_attempt_at() else {
            return false;
        };
        let attempt = &mut self.attempts[at];
        let is_old = |since: Timestamp| now.millis() - since.millis() >= ESCALATE_AFTER;
        let is_due = attempt.confirm_sent_at.is_some()
            && attempt.outcome == AttemptOutcome::Unknown
            && attempt.unknown_since.is_some_and(is_old);
        let is_new = is_due && !attempt.is_escalated;
        attempt.is_escalated |= is_new;
        is_new
    }

    /// Records a refusal without an effect. If a charge was sent before, the refusal is no decline: the object is read.
    pub fn refused(&mut self, attempt_id: TopUpAttemptId, code: FailureCode, now: Timestamp) {
        let Some(at) = self
            .attempts
            .iter()
            .position(|attempt| attempt.id == attempt_id && attempt.is_open())
        else {
            return;
        };
        if self.attempts[at].confirm_sent_at.is_some() {
            self.unanswered(attempt_id, now);
        } else {
            self.fail(at, AttemptOutcome::Error, code, now);
        }
    }

    /// Sets an outcome that cannot be read any more, as an operator reports it. If charged, the top-up is credited.
    pub fn settle_by_hand(&mut self, is_charged: bool, now: Timestamp) -> Vec<Change> {
        if is_charged {
            return self.paid(None, now);
        }
        // The object is kept: if the operator is wrong, the next attempt on it still cannot charge twice.
        if let Some(at) = self.open_attempt_at() {
            self.fail(at, AttemptOutcome::Error, FailureCode::UnknownOutcome, now);
        }
        Vec::new()
    }

    /// Applies the state of one of this top-up's objects, as read by a worker or after a webhook or a comparison.
    pub fn settle(&mut self, charge: &Charge, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        if charge.status == ChargeStatus::Succeeded {
            if self.top_up.entry_id.is_none() {
                changes.extend(self.paid(Some(&charge.id), now));
            }
            let (is_known, has_returned) = (self.note_refunds(&charge.refunds), self.note_returns(charge, now));
            if is_known || has_returned {
                changes.push(Change::Returned);
            }
            return changes;
        }
        let Some(at) = self.open_attempt_at() else {
            return changes;
        };
        let attempt = &self.attempts[at];
        if attempt.object_id.as_ref() != Some(&charge.id) {
            return changes;
        }
        match charge.status {
            ChargeStatus::Canceled => self.object_is_dead(at, now),
            ChargeStatus::RequiresAction if attempt.confirm_sent_at.is_some() => {
                changes.extend(self.wait_for_customer(at, charge, now));
            }
            ChargeStatus::Unconfirmed => match self.own_failure(at, charge) {
                Some((code, mark)) => changes.extend(self.declined(at, code, mark, now)),
                None => self.not_confirmed(at, now),
            },
            ChargeStatus::Processing => {
                let attempt = &mut self.attempts[at];
                attempt.outcome = AttemptOutcome::Pending;
                attempt.unknown_since = None;
                attempt.wait(now);
            }
            ChargeStatus::RequiresAction | ChargeStatus::Succeeded => {}
        }
        changes
    }

    /// Returns the failure of an attempt. A failure belongs to an attempt only if its charge was sent and no earlier attempt
    /// has it.
    fn own_failure(&self, at: usize, charge: &Charge) -> Option<(FailureCode, String)> {
        let failure = charge.failure.as_ref()?;
        let is_old = |attempt: &Attempt| attempt.failure_mark.as_ref() == Some(&failure.mark);
        if self.attempts[at].confirm_sent_at.is_none() || self.attempts[..at].iter().any(is_old) {
            return None;
        }
        Some((failure.code, failure.mark.clone()))
    }

    /// Handles an object without a charge of this attempt.
    fn not_confirmed(&mut self, at: usize, now: Timestamp) {
        let attempt = &mut self.attempts[at];
        match attempt.confirm_sent_at {
            None => {}
            // The gateway has not canceled the object yet: it is asked again.
            Some(_) if attempt.next_request == NextRequest::Cancel => attempt.wait(now),
            Some(sent_at) if now.millis() - sent_at.millis() < CONFIRM_FOR => {
                attempt.next_request = NextRequest::Confirm;
                attempt.unknown_since = None;
                attempt.wait(now);
            }
            Some(_) => attempt.go_on(NextRequest::Cancel, now),
        }
    }

    fn paid(&mut self, object_id: Option<&str>, now: Timestamp) -> Vec<Change> {
        let is_of = |attempt: &Attempt| {
            object_id.is_none_or(|id| attempt.object_id.as_deref() == Some(id)) && attempt.confirm_sent_at.is_some()
        };
        let open = self
            .attempts
            .iter()
            .position(|attempt| attempt.is_open() && is_of(attempt));
        let payer = open.or_else(|| self.attempts.iter().rposition(is_of));
        let payer_id = payer.map(|at| self.attempts[at].id);
        for attempt in &mut self.attempts {
            if Some(attempt.id) == payer_id {
                attempt.finish(AttemptOutcome::Succeeded, None, now);
            } else if attempt.is_open() {
                attempt.finish(AttemptOutcome::Error, None, now);
            }
        }
        let top_up = &mut self.top_up;
        top_up.status = TopUpStatus::Succeeded;
        top_up.failure_code = None;
        top_up.next_attempt_at = None;
        top_up.cancel_requested_at = None;
        top_up.action_url = None;
        top_up.action_expires_at = None;
        top_up.updated_at = now;
        vec![Change::Paid(payer_id)]
    }

    fn declined(&mut self, at: usize, code: FailureCode, mark: String, now: Timestamp) -> Vec<Change> {
        self.attempts[at].failure_mark = Some(mark);
        self.fail(at, AttemptOutcome::Declined, code, now);
        vec![Change::Declined(self.attempts[at].id, code)]
    }

    fn fail(&mut self, at: usize, outcome: AttemptOutcome, code: FailureCode, now: Timestamp) {
        let automatic = self.attempts.iter().filter(|attempt| attempt.is_automatic).count();
        let attempt = &mut self.attempts[at];
        attempt.finish(outcome, Some(code), now);
        let tries_again = attempt.is_automatic && (code.is_soft() || code == FailureCode::GatewayUnavailable);
        let top_up = &mut self.top_up;
        top_up.failure_code = Some(code);
        top_up.action_url = None;
        top_up.action_expires_at = None;
        top_up.updated_at = now;
        if top_up.cancel_requested_at.take().is_some() {
            top_up.status = TopUpStatus::Canceled;
            return;
        }
        top_up.status = TopUpStatus::Failed;
        let pause = AUTOMATIC_RETRIES
            .get(automatic.saturating_sub(1))
            .filter(|_| tries_again);
        top_up.next_attempt_at = pause.map(|millis| now.plus_millis(*millis));
    }

    fn wait_for_customer(&mut self, at: usize, charge: &Charge, now: Timestamp) -> Vec<Change> {
        let attempt = &mut self.attempts[at];
        let top_up = &mut self.top_up;
        if attempt.next_request == NextRequest::Cancel {
            attempt.wait(now);
            return Vec::new();
        }
        let is_new = attempt.outcome != AttemptOutcome::RequiresAction;
        attempt.outcome = AttemptOutcome::RequiresAction;
        attempt.unknown_since = None;
        attempt.next_request = NextRequest::Read;
        let expires_at = *top_up.action_expires_at.get_or_insert(now.plus_millis(ACTION_FOR));
        attempt.due_at = Some(now.plus_millis(ACTION_POLL).min(expires_at.max(now.plus_millis(1_000))));
        top_up.action_url.clone_from(&charge.action_url);
        if !is_new {
            return Vec::new();
        }
        top_up.status = TopUpStatus::RequiresAction;
        top_up.failure_code = Some(FailureCode::AuthenticationRequired);
        top_up.updated_at = now;
        vec![Change::ActionRequired(attempt.id)]
    }

    /// Handles an object that will never be charged: the next attempt creates another one.
    fn object_is_dead(&mut self, at: usize, now: Timestamp) {
        let waited = self.top_up.status == TopUpStatus::RequiresAction;
        self.top_up.object_id = None;
        self.top_up.object_number += 1;
        let code = if waited {
            FailureCode::AuthenticationRequired
        } else {
            FailureCode::GatewayUnavailable
        };
        self.fail(at, AttemptOutcome::Error, code, now);
    }

    /// Stores what was returned. Returns whether anything is new.
    fn note_returns(&mut self, charge: &Charge, now: Timestamp) -> bool {
        let top_up = &mut self.top_up;
        let noted = |top_up: &TopUp| {
            (
                (top_up.returned_minor, top_up.came_back_minor),
                (top_up.dispute, top_up.disputed_minor),
            )
        };
        let before = noted(top_up);
        // Both amounts only grow at the gateway. So the largest value is the latest one, in whatever order they arrive.
        top_up.returned_minor = top_up.returned_minor.max(charge.returned_minor);
        if charge.came_back_minor > top_up.came_back_minor {
            top_up.came_back_minor = charge.came_back_minor;
            top_up.came_back_at = Some(now);
        }
        if let Some((status, amount_minor)) = charge.dispute {
            top_up.dispute = top_up.dispute.max(Some(status));
            top_up.disputed_minor = top_up.disputed_minor.max(amount_minor);
        }
        let is_new = before != noted(top_up);
        if is_new {
            top_up.updated_at = now;
        }
        is_new
    }

    /// Sets the status of a paid top-up after `taken_back` of its credits were taken back.
    pub fn note_taken_back(&mut self, taken_back: Credits) {
        let top_up = &mut self.top_up;
        top_up.status = if top_up.dispute == Some(DisputeStatus::Open) {
            TopUpStatus::Disputed
        } else if taken_back >= top_up.credits {
            TopUpStatus::Reversed
        } else {
            TopUpStatus::Succeeded
        };
    }
}

/// Credits of a top-up that were taken back: by refunds that named them, after money was returned elsewhere, and by operators
/// who corrected the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenBack {
    named: Credits,
    by_news: Credits,
    by_hand: Credits,
    /// Both sums after each time that returned money took credits.
    takings: Vec<(Credits, Credits)>,
}

impl TakenBack {
    /// Adds credits that were taken back; negative if they were added again.
    pub fn add(&mut self, credits: Credits, is_by_hand: bool) {
        let sum = if is_by_hand {
            &mut self.by_hand
        } else {
            &mut self.by_news
        };
        *sum = Credits::from_units(sum.units() + credits.units());
        if credits.is_positive() && !is_by_hand {
            self.takings.push((self.by_news, self.by_hand));
        }
    }

    /// Adds credits that a refund with named credits took; negative if they were added again after the refund failed.
    pub fn add_named(&mut self, credits: Credits) {
        self.named = Credits::from_units(self.named.units() + credits.units());
    }

    /// Returns the credits taken by refunds that named them.
    pub fn named(&self) -> Credits {
        self.named
    }

    /// Returns the credits taken by operators.
    pub fn by_hand(&self) -> Credits {
        self.by_hand
    }

    /// Returns the total.
    pub fn in_all(&self) -> Credits {
        Credits::from_units(self.named.units() + self.by_news.units() + self.by_hand.units())
    }

    /// Returns the credits that operators and returned money must have taken, now that the money of `gone` credits was returned
    /// elsewhere.
    ///
    /// Credits that an operator took before the money was returned count, so that nothing is taken twice. Credits that an
    /// operator took later are additional, and money that comes back does not restore them. It restores only what its return
    /// had taken.
    pub fn wanted(&self, gone: Credits) -> Credits {
        let missing = gone.units() - self.by_hand.units();
        let would_be_taken = self.takings.iter().map(|(by_news, by_hand)| {
            let was_missing = gone.units() - by_hand.units();
            was_missing.min(by_news.units()).min(self.by_news.units())
        });
        // If more came back than was returned elsewhere, the difference belongs to refunds that named their credits.
        let least = missing.max(gone.units().min(0));
        let by_news = would_be_taken.fold(least, i64::max);
        Credits::from_units(self.by_hand.units() + by_news)
    }
}
