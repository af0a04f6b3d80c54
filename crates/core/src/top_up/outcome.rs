//! What becomes of a purchase by what the gateway says of it.

use super::gateway::{Charge, ChargeStatus, DisputeStatus};
use crate::primitives::credits::Credits;
use crate::primitives::ids::TopUpAttemptId;
use crate::primitives::timestamp::Timestamp;

use super::attempt::{Attempt, AttemptOutcome, Step};
use super::failure::FailureCode;
use super::purchase::{Change, Purchase};
use super::top_up::{TopUp, TopUpStatus};
use super::{DAY, HOUR, MINUTE};

/// So long an unanswered confirmation is sent again; then the object is canceled.
const CONFIRM_FOR: i64 = HOUR;
/// So long a customer may take to confirm with the bank.
const ACTION_FOR: i64 = 23 * HOUR;
/// How often is asked meanwhile: webhooks usually say it first.
const ACTION_POLL: i64 = 5 * MINUTE;
/// After so long without an answer an operator is told.
const ESCALATE_AFTER: i64 = DAY;
/// When automatic top-ups try again after a soft decline.
pub(super) const AUTOMATIC_RETRIES: [i64; 2] = [HOUR, 6 * HOUR];

impl Purchase {
    /// The gateway has made the object for this attempt. It is charged next.
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
        attempt.go_on(Step::Confirm, now);
        top_up.object_id = Some(object_id.to_owned());
    }

    /// The gateway did not answer for this attempt.
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
        // An object that was never confirmed charges nobody, made or not.
        if attempt.confirm_sent_at.is_none() && now.millis() - since.millis() >= CONFIRM_FOR {
            self.fail(at, AttemptOutcome::Error, FailureCode::GatewayUnavailable, now);
        }
    }

    /// Whether an operator has to be told that this attempt's outcome cannot be found out: said once.
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

    /// The gateway refused, with no effect. A refusal of a charge that was sent off is no decline: the object is looked at.
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

    /// An operator knows what nobody can read any more. Charged: credit it, as if the gateway had said so.
    pub fn settle_by_hand(&mut self, is_charged: bool, now: Timestamp) -> Vec<Change> {
        if is_charged {
            return self.paid(None, now);
        }
        // The object stays: should the operator be wrong, the next attempt at it still cannot charge twice.
        if let Some(at) = self.open_attempt_at() {
            self.fail(at, AttemptOutcome::Error, FailureCode::UnknownOutcome, now);
        }
        Vec::new()
    }

    /// Takes in what the gateway says of one of this top-up's objects: the worker's own reading, or one that a webhook or the
    /// reconciler asked for.
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

    /// A failure belongs to an attempt only if its charge was sent off and no earlier attempt has had it.
    fn own_failure(&self, at: usize, charge: &Charge) -> Option<(FailureCode, String)> {
        let failure = charge.failure.as_ref()?;
        let is_old = |attempt: &Attempt| attempt.failure_mark.as_ref() == Some(&failure.mark);
        if self.attempts[at].confirm_sent_at.is_none() || self.attempts[..at].iter().any(is_old) {
            return None;
        }
        Some((failure.code, failure.mark.clone()))
    }

    /// The gateway knows of no charge of this attempt.
    fn not_confirmed(&mut self, at: usize, now: Timestamp) {
        let attempt = &mut self.attempts[at];
        match attempt.confirm_sent_at {
            None => {}
            // It asked to be canceled and is not: asked again.
            Some(_) if attempt.step == Step::Cancel => attempt.wait(now),
            Some(sent_at) if now.millis() - sent_at.millis() < CONFIRM_FOR => {
                attempt.step = Step::Confirm;
                attempt.unknown_since = None;
                attempt.wait(now);
            }
            Some(_) => attempt.go_on(Step::Cancel, now),
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
        if attempt.step == Step::Cancel {
            attempt.wait(now);
            return Vec::new();
        }
        let is_new = attempt.outcome != AttemptOutcome::RequiresAction;
        attempt.outcome = AttemptOutcome::RequiresAction;
        attempt.unknown_since = None;
        attempt.step = Step::Read;
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

    /// The object will never be charged: the next attempt makes another one.
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

    /// Remembers what went back. Tells whether anything is new.
    fn note_returns(&mut self, charge: &Charge, now: Timestamp) -> bool {
        let top_up = &mut self.top_up;
        let noted = |top_up: &TopUp| {
            (
                (top_up.returned_minor, top_up.came_back_minor),
                (top_up.dispute, top_up.disputed_minor),
            )
        };
        let before = noted(top_up);
        // Both only grow at the gateway, so that the most that was heard of each is the latest, in whatever order it is heard.
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

    /// How a paid top-up stands once `taken_back` of its credits are.
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

/// Credits that were taken back of a top-up: by refunds that named them, by news that money went back elsewhere, and by operators
/// who corrected its entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenBack {
    named: Credits,
    by_news: Credits,
    by_hand: Credits,
    /// Both, as they were each time that news had taken some.
    takings: Vec<(Credits, Credits)>,
}

impl TakenBack {
    /// Adds the next that was taken back; below 0, what was given again.
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

    /// Adds what a refund that named its credits took; below 0, what was added again when its money came back.
    pub fn add_named(&mut self, credits: Credits) {
        self.named = Credits::from_units(self.named.units() + credits.units());
    }

    /// By refunds that named them.
    pub fn named(&self) -> Credits {
        self.named
    }

    /// By operators.
    pub fn by_hand(&self) -> Credits {
        self.by_hand
    }

    /// By whomever.
    pub fn in_all(&self) -> Credits {
        Credits::from_units(self.named.units() + self.by_news.units() + self.by_hand.units())
    }

    /// What is to be taken back by operators and news, now that the money of `gone` credits went back elsewhere.
    ///
    /// What an operator took before the money went counts, so that nothing is taken twice. What an operator took after that is on
    /// top, and no news gives it again: money that comes back gives again what its going took, and no more.
    pub fn wanted(&self, gone: Credits) -> Credits {
        let missing = gone.units() - self.by_hand.units();
        let would_be_taken = self.takings.iter().map(|(by_news, by_hand)| {
            let was_missing = gone.units() - by_hand.units();
            was_missing.min(by_news.units()).min(self.by_news.units())
        });
        // More may have come back than went elsewhere: then it is of refunds that named their credits.
        let least = missing.max(gone.units().min(0));
        let by_news = would_be_taken.fold(least, i64::max);
        Credits::from_units(self.by_hand.units() + by_news)
    }
}
