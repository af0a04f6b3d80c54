//! A purchase of credits, and which of them are meant.

use crate::domain::ledger::credit_log::{InstantRange, unique};
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, TopUpId};
use crate::primitives::money::Money;

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
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Which top-ups are meant: those that meet every condition given. An empty list matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopUpFilter {
    /// In one of these statuses.
    pub statuses: Option<Vec<TopUpStatus>>,
    /// Of one of these origins.
    pub origins: Option<Vec<TopUpOrigin>>,
    /// Asked for at these times.
    pub created_at: Option<InstantRange>,
}

impl TopUpFilter {
    /// The filter in one form: equal texts for filters that mean the same. Page cursors are bound to it.
    pub fn canonical(&self) -> String {
        let sorted = Self {
            statuses: self.statuses.clone().map(unique),
            origins: self.origins.clone().map(unique),
            created_at: self.created_at,
        };
        format!("{sorted:?}")
    }
}
