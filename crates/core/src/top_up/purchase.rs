//! A top-up with its attempts, and what becomes of it.
//!
//! Invariants, whatever is heard from the gateway, in whatever order and however often:
//! - It is credited once: when a success of any of its objects is proven, from every status.
//! - At most one attempt is open, and at most one object can still be charged: another one is made only after the gateway has
//!   said that the one before is canceled.
//! - Without a definite decline an attempt fails only after its object was canceled.
//! - What is remembered of returns and disputes only grows, so that old news takes nothing back.

use crate::ledger::AccountStatus;
use crate::primitives::actor::Cause;
use crate::primitives::ids::{TopUpAttemptId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::MINUTE;
use super::attempt::{Attempt, AttemptOutcome, Step};
use super::failure::FailureCode;
use super::payment_method::PaymentMethod;
use super::refund::Refund;
use super::top_up::{TopUp, TopUpOrigin, TopUpStatus};

/// A worker that has asked the gateway and says nothing for so long is taken for dead.
const LEASE: i64 = MINUTE;
/// Declines of one card within 30 days, after which it is not tried again: networks forbid more than 15.
pub const MAX_DECLINES: u32 = 15;

/// A top-up with its attempts and refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The top-up.
    pub top_up: TopUp,
    /// Its attempts by number.
    pub attempts: Vec<Attempt>,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
}

/// What an attempt is begun with.
#[derive(Clone, Debug)]
pub struct NewPurchase<'a> {
    /// Its id.
    pub attempt_id: TopUpAttemptId,
    /// What is charged.
    pub card: &'a PaymentMethod,
    /// The month whose cap it counts in, when the rule makes it.
    pub month: Option<String>,
    /// Who asks.
    pub actor: Cause,
}

/// What to ask the gateway for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Make the object.
    Create,
    /// Charge it.
    Confirm,
    /// Say what has become of it.
    Read,
    /// Never charge it.
    Cancel,
}

/// What follows from a change for others than the purchase itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The money is there: credit it. The attempt that brought it, if it is known.
    Paid(Option<TopUpAttemptId>),
    /// The bank said no to this attempt.
    Declined(TopUpAttemptId, FailureCode),
    /// The bank wants its customer to confirm this attempt.
    ActionRequired(TopUpAttemptId),
    /// Money went back, is disputed, or came back.
    Returned,
}

/// What a retry depends on beside the purchase. Whoever shows `canRetry` and whoever retries fill it in alike.
#[derive(Clone, Debug)]
pub struct RetryFacts<'a> {
    /// What the account may do.
    pub standing: AccountStatus,
    /// The card to charge.
    pub card: Option<&'a PaymentMethod>,
    /// Declines of that card within 30 days.
    pub recent_declines: u32,
    /// The account's open automatic top-up.
    pub open_automatic: Option<TopUpId>,
}

/// Why a top-up is not retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryRefusal {
    /// This one, or another automatic one, is under way.
    InProgress(TopUpId),
    /// It is paid, or called off.
    Over(TopUpStatus),
    /// Nothing new is started in this account.
    Halted(AccountStatus),
    /// There is no card to charge.
    CardMissing,
    /// The card is suspended.
    CardSuspended,
    /// The card was declined too often.
    TooManyDeclines,
}

/// Why a top-up is not canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelRefusal {
    /// It is being charged, or may have been.
    InProgress,
    /// It is paid or over.
    Over(TopUpStatus),
}

impl Purchase {
    /// A top-up that was just asked for, with its first attempt.
    pub fn new(top_up: TopUp, new: NewPurchase<'_>) -> Self {
        let now = top_up.created_at;
        let mut purchase = Self {
            top_up,
            attempts: Vec::new(),
            refunds: Vec::new(),
        };
        purchase.add_attempt(new, now);
        purchase
    }

    fn add_attempt(&mut self, new: NewPurchase<'_>, now: Timestamp) {
        let top_up = &mut self.top_up;
        let step = if top_up.object_id.is_some() {
            Step::Confirm
        } else {
            Step::Create
        };
        self.attempts.push(Attempt {
            id: new.attempt_id,
            account_id: top_up.account_id,
            top_up_id: top_up.id,
            number: i32::try_from(self.attempts.len()).map_or(i32::MAX, |count| count + 1),
            outcome: AttemptOutcome::Pending,
            failure_code: None,
            payment_method_id: new.card.id,
            fingerprint: new.card.fingerprint.clone(),
            object_id: top_up.object_id.clone(),
            failure_mark: None,
            is_automatic: new.month.is_some(),
            month: new.month,
            price_minor: top_up.price.minor,
            step,
            confirm_sent_at: None,
            unknown_since: None,
            is_escalated: false,
            tries: 0,
            due_at: Some(now),
            actor: new.actor,
            created_at: now,
            finished_at: None,
        });
        top_up.status = TopUpStatus::Pending;
        top_up.failure_code = None;
        top_up.next_attempt_at = None;
        top_up.cancel_requested_at = None;
        top_up.action_url = None;
        top_up.action_expires_at = None;
        top_up.updated_at = now;
    }

    /// The attempt of which something may still come by itself.
    pub fn open_attempt(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.is_open())
    }

    pub(super) fn open_attempt_at(&self) -> Option<usize> {
        self.attempts.iter().position(Attempt::is_open)
    }

    /// Whether another attempt may be made: the only place that says so.
    pub fn may_retry(&self, facts: &RetryFacts<'_>) -> Result<(), RetryRefusal> {
        let top_up = &self.top_up;
        match top_up.status {
            TopUpStatus::Pending | TopUpStatus::Processing => return Err(RetryRefusal::InProgress(top_up.id)),
            TopUpStatus::Succeeded | TopUpStatus::Canceled | TopUpStatus::Reversed | TopUpStatus::Disputed => {
                return Err(RetryRefusal::Over(top_up.status));
            }
            TopUpStatus::Failed | TopUpStatus::RequiresAction => {}
        }
        if top_up.cancel_requested_at.is_some() {
            return Err(RetryRefusal::InProgress(top_up.id));
        }
        if facts.standing != AccountStatus::Active {
            return Err(RetryRefusal::Halted(facts.standing));
        }
        if let Some(other) = facts.open_automatic.filter(|other| *other != top_up.id)
            && top_up.origin == TopUpOrigin::Auto
        {
            return Err(RetryRefusal::InProgress(other));
        }
        let card = facts.card.ok_or(RetryRefusal::CardMissing)?;
        if !card.may_be_charged_again() {
            return Err(RetryRefusal::CardSuspended);
        }
        if facts.recent_declines >= MAX_DECLINES {
            return Err(RetryRefusal::TooManyDeclines);
        }
        Ok(())
    }

    /// Makes the next attempt, if [`Self::may_retry`]. One that waits for its customer is over then.
    pub fn retry(&mut self, facts: &RetryFacts<'_>, new: NewPurchase<'_>, now: Timestamp) -> Result<(), RetryRefusal> {
        self.may_retry(facts)?;
        if let Some(at) = self.open_attempt_at() {
            let attempt = &mut self.attempts[at];
            attempt.finish(
                AttemptOutcome::RequiresAction,
                Some(FailureCode::AuthenticationRequired),
                now,
            );
        }
        self.add_attempt(new, now);
        Ok(())
    }

    /// The next automatic attempt, whose time has come and which the rule would start now.
    pub fn try_again(&mut self, new: NewPurchase<'_>, now: Timestamp) {
        if self.is_due_again(now) {
            self.add_attempt(new, now);
        }
    }

    /// The next automatic attempt is made later.
    pub fn postpone(&mut self, until: Timestamp, now: Timestamp) {
        if self.is_due_again(now) {
            self.top_up.next_attempt_at = Some(until);
            self.top_up.updated_at = now;
        }
    }

    /// Whether the next automatic attempt is due.
    pub fn is_due_again(&self, now: Timestamp) -> bool {
        let top_up = &self.top_up;
        top_up.status == TopUpStatus::Failed && top_up.next_attempt_at.is_some_and(|at| at <= now)
    }

    /// Somebody wishes it canceled. Canceled at once where nothing can be charged any more; where the customer could still
    /// confirm, the gateway is asked first.
    pub fn cancel(&mut self, now: Timestamp) -> Result<(), CancelRefusal> {
        match self.top_up.status {
            TopUpStatus::Pending | TopUpStatus::Failed => {
                self.close_uncharged(now);
                Ok(())
            }
            TopUpStatus::RequiresAction => {
                self.top_up.cancel_requested_at.get_or_insert(now);
                self.top_up.updated_at = now;
                if let Some(at) = self.open_attempt_at() {
                    self.attempts[at].go_on(Step::Cancel, now);
                }
                Ok(())
            }
            TopUpStatus::Canceled => Ok(()),
            TopUpStatus::Processing => Err(CancelRefusal::InProgress),
            TopUpStatus::Succeeded | TopUpStatus::Reversed | TopUpStatus::Disputed => {
                Err(CancelRefusal::Over(self.top_up.status))
            }
        }
    }

    /// Calls it off while nothing of it is at the gateway that could be charged without another confirmation.
    pub fn close_uncharged(&mut self, now: Timestamp) {
        if let Some(at) = self.open_attempt_at() {
            self.attempts[at].finish(AttemptOutcome::Error, None, now);
        }
        self.top_up.status = TopUpStatus::Canceled;
        self.top_up.next_attempt_at = None;
        self.top_up.updated_at = now;
    }

    /// Takes the open attempt for a worker, if it is due, and says what to ask the gateway. It is due again when the worker's
    /// lease ends. What is stored by this is stored before the gateway is asked: a charge that was sent off is known to have been.
    pub fn claim(&mut self, standing: AccountStatus, now: Timestamp) -> Option<Errand> {
        let at = self.open_attempt_at()?;
        let attempt = &mut self.attempts[at];
        if attempt.due_at.is_none_or(|due_at| due_at > now) {
            return None;
        }
        let may_start = match standing {
            AccountStatus::Active => true,
            AccountStatus::Frozen => !attempt.is_automatic,
            AccountStatus::Closed => false,
        };
        if attempt.confirm_sent_at.is_none() && !may_start {
            self.close_uncharged(now);
            return None;
        }
        let top_up = &mut self.top_up;
        let waits_for_customer = top_up.status == TopUpStatus::RequiresAction;
        let too_late = top_up.action_expires_at.is_some_and(|expires_at| expires_at <= now);
        if waits_for_customer && (too_late || standing == AccountStatus::Closed) && attempt.step == Step::Read {
            attempt.step = Step::Cancel;
        }
        attempt.due_at = Some(now.plus_millis(LEASE));
        let errand = match attempt.step {
            Step::Create => Errand::Create,
            Step::Confirm => {
                attempt.confirm_sent_at.get_or_insert(now);
                attempt.step = Step::Read;
                Errand::Confirm
            }
            Step::Read => Errand::Read,
            Step::Cancel => Errand::Cancel,
        };
        if top_up.status == TopUpStatus::Pending {
            top_up.status = TopUpStatus::Processing;
            top_up.updated_at = now;
        }
        Some(errand)
    }
}
