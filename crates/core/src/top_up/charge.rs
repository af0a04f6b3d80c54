//! What the gateway says of an object that it charges.

use crate::primitives::timestamp::Timestamp;

use super::failure::FailureCode;

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeStatus {
    /// Waits for a confirmation: the first one, or another one after a failure.
    Unconfirmed,
    /// Being charged.
    Processing,
    /// The bank wants its customer to confirm.
    RequiresAction,
    /// Charged. Never anything else again.
    Succeeded,
    /// Will never be charged.
    Canceled,
}

/// The last failed try at charging an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeFailure {
    /// Why.
    pub code: FailureCode,
    /// Tells this failure from the object's other ones.
    pub mark: String,
}

crate::text_enum! {
    /// How a dispute stands. Later ones in this order win over earlier ones, in whatever order they are heard of.
    DisputeStatus {
        /// The bank decides.
        Open = "OPEN",
        /// The money went back.
        Lost = "LOST",
        /// The money stays, or has come back.
        Won = "WON",
    }
}

/// An object that is charged once, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What the gateway calls it.
    pub id: String,
    /// The public id of the top-up that it was made for, as told when it was made.
    pub reference: Option<String>,
    /// How far it is.
    pub status: ChargeStatus,
    /// In the currency's minor unit.
    pub amount_minor: i64,
    /// The last failed try.
    pub failure: Option<ChargeFailure>,
    /// Where the customer confirms.
    pub action_url: Option<String>,
    /// What went back by refunds and late failures, in all: also refunds that failed later. Never less than it was before.
    pub returned_minor: i64,
    /// What of that did not reach the customer after all, because the refund failed later. Never less than it was before.
    pub came_back_minor: i64,
    /// Those refunds among them that were asked for under a key, as far as the gateway names the key.
    pub refunds: Vec<KnownRefund>,
    /// A dispute about it: how it stands, and about how much.
    pub dispute: Option<(DisputeStatus, i64)>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A refund that the gateway made under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRefund {
    /// The key under which it was asked for.
    pub key: String,
    /// The money came back, because the refund failed later.
    pub has_failed: bool,
}
