//! A purchase of credits.

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, TopUpId};
use crate::primitives::money::Money;
use crate::primitives::timestamp::Timestamp;

use super::failure::FailureCode;
use super::gateway::DisputeStatus;

crate::text_enum! {
    /// How far a top-up got.
    TopUpStatus {
        /// Asked for, not begun.
        Pending = "PENDING",
        /// Being charged.
        Processing = "PROCESSING",
        /// The bank wants the customer to authenticate.
        RequiresAction = "REQUIRES_ACTION",
        /// Paid and credited.
        Succeeded = "SUCCEEDED",
        /// Declined.
        Failed = "FAILED",
        /// Called off.
        Canceled = "CANCELED",
        /// Taken back.
        Reversed = "REVERSED",
        /// Disputed at the bank.
        Disputed = "DISPUTED",
    }
}

crate::text_enum! {
    /// Who started a top-up.
    TopUpOrigin {
        /// A person or an integration.
        Manual = "MANUAL",
        /// The account's rule.
        Auto = "AUTO",
    }
}

/// A purchase of credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Its id.
    pub id: TopUpId,
    /// Whose purchase it is.
    pub account_id: AccountId,
    /// How far it got.
    pub status: TopUpStatus,
    /// Who started it.
    pub origin: TopUpOrigin,
    /// How many credits.
    pub credits: Credits,
    /// What they cost, as reckoned when they were asked for.
    pub price: Money,
    /// Who asked for it.
    pub requested_by: Cause,
    /// The entry that credited it.
    pub entry_id: Option<EntryId>,
    /// How many of its credits were taken back.
    pub credits_reversed: Credits,
    /// Why the last attempt failed.
    pub failure_code: Option<FailureCode>,
    /// When the next automatic attempt is due.
    pub next_attempt_at: Option<Timestamp>,
    /// When somebody wished it canceled, while the gateway still has to be asked.
    pub cancel_requested_at: Option<Timestamp>,
    /// Where the customer confirms with the bank.
    pub action_url: Option<String>,
    /// Until when that is waited for.
    pub action_expires_at: Option<Timestamp>,
    /// The gateway's object that is charged for it, while there is one.
    pub object_id: Option<String>,
    /// How many objects were made for it before the next one: all of them canceled.
    pub object_number: i32,
    /// What went back by refunds and late failures, in the minor unit: the most that was ever heard.
    pub returned_minor: i64,
    /// What of that came back, because refunds failed later: the most that was ever heard.
    pub came_back_minor: i64,
    /// When it was last heard that a refund had failed.
    pub came_back_at: Option<Timestamp>,
    /// How a dispute stands: the last word that was ever heard.
    pub dispute: Option<DisputeStatus>,
    /// What the dispute is about, in the minor unit.
    pub disputed_minor: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl TopUp {
    /// One that has been asked for, and nothing done.
    pub fn new(
        (account_id, id): (AccountId, TopUpId),
        origin: TopUpOrigin,
        (credits, price): (Credits, Money),
        requested_by: Cause,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            account_id,
            status: TopUpStatus::Pending,
            origin,
            credits,
            price,
            requested_by,
            entry_id: None,
            credits_reversed: Credits::ZERO,
            failure_code: None,
            next_attempt_at: None,
            cancel_requested_at: None,
            action_url: None,
            action_expires_at: None,
            object_id: None,
            object_number: 0,
            returned_minor: 0,
            came_back_minor: 0,
            came_back_at: None,
            dispute: None,
            disputed_minor: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// The money that has gone back and stayed there, in the minor unit.
    pub fn gone_minor(&self) -> i64 {
        (self.returned_minor - self.came_back_minor).max(0)
    }

    /// What it adds to the account's incoming figure: its credits while they are being charged.
    pub fn incoming(&self) -> Credits {
        match self.status {
            TopUpStatus::Pending | TopUpStatus::Processing => self.credits,
            _ => Credits::ZERO,
        }
    }

    /// Whether the account's rule may not start another one: automatic, and something may still come of it by itself.
    pub fn is_open_automatic(&self) -> bool {
        self.origin == TopUpOrigin::Auto
            && match self.status {
                TopUpStatus::Pending | TopUpStatus::Processing | TopUpStatus::RequiresAction => true,
                TopUpStatus::Failed => self.next_attempt_at.is_some(),
                TopUpStatus::Succeeded | TopUpStatus::Canceled | TopUpStatus::Reversed | TopUpStatus::Disputed => false,
            }
    }
}
