//! Purchases of credits, and the filter for them.

use crate::event::EventContent;
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, TopUpId};
use crate::primitives::money::Money;
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
pub use crate::primitives::status::TopUpStatus;
use crate::primitives::timestamp::Timestamp;

use super::failure::FailureCode;
use super::gateway::DisputeStatus;

crate::text_enum! {
    /// What started a top-up.
    TopUpOrigin {
        /// A member or an integration.
        Manual = "MANUAL",
        /// The auto top-up rule of the account.
        Auto = "AUTO",
    }
}

/// A purchase of credits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct TopUp {
    /// The id of the top-up.
    pub id: TopUpId,
    /// The account that buys.
    pub account_id: AccountId,
    /// The current status.
    pub status: TopUpStatus,
    /// What started it.
    pub origin: TopUpOrigin,
    /// The credits that are bought.
    pub credits: Credits,
    /// Their price at the time of the request.
    #[cfg_attr(feature = "sea-orm", record(flatten))]
    pub price: Money,
    /// Who requested it.
    #[cfg_attr(feature = "sea-orm", record(flatten, prefix = "actor_"))]
    pub requested_by: Cause,
    /// The entry that credited it.
    pub entry_id: Option<EntryId>,
    /// The credits that were taken back.
    pub credits_reversed: Credits,
    /// Why the last attempt failed.
    pub failure_code: Option<FailureCode>,
    /// When the next automatic attempt is scheduled.
    pub next_attempt_at: Option<Timestamp>,
    /// When a cancellation was requested that the gateway has not confirmed yet.
    pub cancel_requested_at: Option<Timestamp>,
    /// The address where the customer confirms with the bank.
    pub action_url: Option<String>,
    /// Until when the confirmation is possible.
    pub action_expires_at: Option<Timestamp>,
    /// The gateway's object that is charged for it, if one exists.
    pub object_id: Option<String>,
    /// The number of earlier objects. All of them are canceled.
    pub object_number: i32,
    /// The money returned by refunds and late failures, in minor units: the largest value that was ever reported.
    pub returned_minor: i64,
    /// The part of it that came back because refunds failed later: the largest value that was ever reported.
    pub came_back_minor: i64,
    /// When a failed refund was last reported.
    pub came_back_at: Option<Timestamp>,
    /// The status of a dispute: the last one that was ever reported.
    pub dispute: Option<DisputeStatus>,
    /// The disputed amount, in minor units.
    pub disputed_minor: i64,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl TopUp {
    /// Returns the event that this top-up was changed.
    pub const fn updated(&self) -> EventContent {
        EventContent::TopUpUpdated {
            top_up_id: self.id,
            status: Some(self.status),
        }
    }

    /// Returns a new top-up that is requested and not started.
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

    /// Returns the money that was returned and did not come back, in minor units.
    pub fn gone_minor(&self) -> i64 {
        (self.returned_minor - self.came_back_minor).max(0)
    }

    /// Returns its part of the account's incoming figure: its credits while they are being charged.
    pub fn incoming(&self) -> Credits {
        match self.status {
            TopUpStatus::Pending | TopUpStatus::Processing => self.credits,
            _ => Credits::ZERO,
        }
    }

    /// Returns whether it is automatic and can still change automatically. Then the rule may not start another one.
    pub fn is_open_automatic(&self) -> bool {
        self.origin == TopUpOrigin::Auto
            && match self.status {
                TopUpStatus::Pending | TopUpStatus::Processing | TopUpStatus::RequiresAction => true,
                TopUpStatus::Failed => self.next_attempt_at.is_some(),
                TopUpStatus::Succeeded | TopUpStatus::Canceled | TopUpStatus::Reversed | TopUpStatus::Disputed => false,
            }
    }
}
