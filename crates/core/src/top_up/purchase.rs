//! A top-up with its attempts, and the rules for their changes.
//!
//! Invariants, whatever the gateway reports, in whatever order and how often:
//! - It is credited once: when a success of any of its objects is proven, from every status.
//! - At most one attempt is open, and at most one object can still be charged. Another object is created only after the gateway
//!   has reported that the previous one is canceled.
//! - Without a definite decline, an attempt fails only after its object was canceled.
//! - The stored amounts of returns and disputes only grow, so that an old report reverts nothing.

use crate::ledger::AccountStatus;
use crate::primitives::actor::Cause;
use crate::primitives::ids::{TopUpAttemptId, TopUpId};
use crate::primitives::timestamp::{MINUTE, Timestamp};

use super::attempt::{Attempt, AttemptOutcome, NextRequest};
use super::failure::FailureCode;
use super::payment_method::PaymentMethod;
use super::refund::Refund;
use super::top_up_state::{TopUp, TopUpOrigin, TopUpStatus};

/// A worker that has sent a request and does not report for this time counts as dead.
const LEASE: i64 = MINUTE;
/// The number of declines within 30 days after which a card is not charged again: card networks forbid more than 15.
pub const MAX_DECLINES: u32 = 15;

/// A top-up with its attempts and refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The top-up itself.
    pub top_up: TopUp,
    /// Its attempts, sorted by number.
    pub attempts: Vec<Attempt>,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
}

/// The data of a new attempt.
#[derive(Clone, Debug)]
pub struct NewPurchase<'a> {
    /// The id of the attempt.
    pub attempt_id: TopUpAttemptId,
    /// The card to charge.
    pub card: &'a PaymentMethod,
    /// The month whose cap includes the attempt, if the rule makes it.
    pub month: Option<String>,
    /// Who requests the attempt.
    pub actor: Cause,
}

/// A request to the gateway for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayRequest {
    /// Create the object.
    Create,
    /// Charge the object.
    Confirm,
    /// Read the state of the object.
    Read,
    /// Cancel the object.
    Cancel,
}

/// A consequence of a change outside the purchase itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The money has arrived: credit it. Contains the attempt that was paid, if known.
    Paid(Option<TopUpAttemptId>),
    /// The bank declined this attempt.
    Declined(TopUpAttemptId, FailureCode),
    /// The bank requires the customer to confirm this attempt.
    ActionRequired(TopUpAttemptId),
    /// Money was returned, disputed, or came back.
    Returned,
}

/// What a retry depends on besides the purchase. The field `canRetry` and the retry itself use the same values.
#[derive(Clone, Debug)]
pub struct RetryFacts<'a> {
    /// The status of the account.
    pub status: AccountStatus,
    /// The card to charge.
    pub card: Option<&'a PaymentMethod>,
    /// The number of declines of that card within 30 days.
    pub recent_declines: u32,
    /// The account's open automatic top-up.
    pub open_automatic: Option<TopUpId>,
}

/// Why a top-up is not retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryRefusal {
    /// This top-up, or another automatic one, is in progress.
    InProgress(TopUpId),
    /// The top-up is paid or canceled.
    Over(TopUpStatus),
    /// The account may not start new top-ups.
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
    /// The top-up is being charged, or may have been charged.
    InProgress,
    /// The top-up is paid or otherwise finished.
    Over(TopUpStatus),
}

impl Purchase {
    /// Returns a new top-up with its first attempt.
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
        let next_request = if top_up.object_id.is_some() {
            NextRequest::Confirm
        } else {
            NextRequest::Create
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
            next_request,
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

    /// Returns the attempt that can still change automatically.
    pub fn open_attempt(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.is_open())
    }

    pub(super) fn open_attempt_at(&self) -> Option<usize> {
        self.attempts.iter().position(Attempt::is_open)
    }

    /// Checks whether another attempt may be made. This is the only function that decides it.
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
        if facts.status != AccountStatus::Active {
            return Err(RetryRefusal::Halted(facts.status));
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

    /// Makes the next attempt, if [`Self::may_retry`] allows it. An attempt that waits for the customer is finished first.
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

    /// Makes the next automatic attempt. Its time has come, and the rule would start it now.
    pub fn try_again(&mut self, new: NewPurchase<'_>, now: Timestamp) {
        if self.is_due_again(now) {
            self.add_attempt(new, now);
        }
    }

    /// Postpones the next automatic attempt.
    pub fn postpone(&mut self, until: Timestamp, now: Timestamp) {
        if self.is_due_again(now) {
            self.top_up.next_attempt_at = Some(until);
            self.top_up.updated_at = now;
        }
    }

    /// Returns whether the time of the next automatic attempt has come.
    pub fn is_due_again(&self, now: Timestamp) -> bool {
        let top_up = &self.top_up;
        top_up.status == TopUpStatus::Failed && top_up.next_attempt_at.is_some_and(|at| at <= now)
    }

    /// Cancels the top-up at once if it can no longer be charged. If the customer could still confirm, the gateway is asked
    /// first.
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
                    self.attempts[at].go_on(NextRequest::Cancel, now);
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

    /// Cancels the top-up while no object at the gateway can be charged without another confirmation.
    pub fn close_uncharged(&mut self, now: Timestamp) {
        if let Some(at) = self.open_attempt_at() {
            self.attempts[at].finish(AttemptOutcome::Error, None, now);
        }
        self.top_up.status = TopUpStatus::Canceled;
        self.top_up.next_attempt_at = None;
        self.top_up.updated_at = now;
    }

    /// Claims the open attempt for a worker if its time has come, and returns the request to send. The attempt is scheduled
    /// again when the worker's lease ends. The claim is stored before the request is sent, so that a charge is never sent
    /// without a record.
    pub fn claim(&mut self, status: AccountStatus, now: Timestamp) -> Option<GatewayRequest> {
        let at = self.open_attempt_at()?;
        let attempt = &mut self.attempts[at];
        if attempt.due_at.is_none_or(|due_at| due_at > now) {
            return None;
        }
        let may_start = match status {
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
        if waits_for_customer
            && (too_late || status == AccountStatus::Closed)
            && attempt.next_request == NextRequest::Read
        {
            attempt.next_request = NextRequest::Cancel;
        }
        attempt.due_at = Some(now.plus_millis(LEASE));
        let request = match attempt.next_request {
            NextRequest::Create => GatewayRequest::Create,
            NextRequest::Confirm => {
                attempt.confirm_sent_at.get_or_insert(now);
                attempt.next_request = NextRequest::Read;
                GatewayRequest::Confirm
            }
            NextRequest::Read => GatewayRequest::Read,
            NextRequest::Cancel => GatewayRequest::Cancel,
        };
        if top_up.status == TopUpStatus::Pending {
            top_up.status = TopUpStatus::Processing;
            top_up.updated_at = now;
        }
        Some(request)
    }
}
