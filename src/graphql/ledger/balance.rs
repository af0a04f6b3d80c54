//! The balance of an account, and what it permits.

use async_graphql::{Enum, ID, Object, SimpleObject};

use crate::domain::ledger;
use crate::domain::ledger::model;
use crate::graphql::context::public_id;
use crate::graphql::scalars::Int64;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{GlobalId, IdKind};

/// What an account may do.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::AccountStatus")]
pub enum AccountStatus {
    /// Everything.
    Active,
    /// No new bookings or purchases are accepted, and no credits expire. Sessions and payments that happened are still
    /// recorded.
    Frozen,
    /// Like FROZEN, but permanent.
    Closed,
}

/// Why booking or joining is not possible.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum EligibilityReason {
    /// No credits are available.
    OutOfCredits,
    /// The account is frozen.
    AccountFrozen,
    /// The account is closed.
    AccountClosed,
}

/// canBook: ACTIVE and available above 0. canJoin: ACTIVE and posted above 0 (held credits count: they are for the session
/// being joined). reason is the cause if one of them is false.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct Eligibility {
    /// Whether a session can be booked.
    pub can_book: bool,
    /// Whether a booked session can be joined.
    pub can_join: bool,
    /// Why not. Null when both are possible.
    pub reason: Option<EligibilityReason>,
}

impl From<&ledger::Balance> for Eligibility {
    fn from(balance: &ledger::Balance) -> Self {
        let (can_book, can_join) = (balance.can_book(), balance.can_join());
        let reason = match balance.status {
            model::AccountStatus::Frozen => Some(EligibilityReason::AccountFrozen),
            model::AccountStatus::Closed => Some(EligibilityReason::AccountClosed),
            model::AccountStatus::Active => (!can_book || !can_join).then_some(EligibilityReason::OutOfCredits),
        };
        Self {
            can_book,
            can_join,
            reason,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Balance(ledger::Balance);

impl Balance {
    pub(in crate::graphql) fn new(balance: ledger::Balance) -> Self {
        Self(balance)
    }
}

/// posted is the sum of the credit log; held is reserved for booked sessions and disputed top-ups; available = posted - held;
/// incoming is in top-ups being charged.
#[Object]
impl Balance {
    /// Opaque id, for `node`. An account has one balance.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(GlobalId::new(IdKind::Balance, self.0.account_id, uuid::Uuid::nil()))
    }

    /// Increases by one with every change of posted, held or incoming. Of two balances, the one with the larger version is
    /// newer.
    async fn version(&self) -> Int64 {
        Int64(self.0.version)
    }

    /// Sum of the credit log. May be negative.
    async fn posted(&self) -> Credits {
        self.0.posted
    }

    /// Reserved for booked sessions and disputed top-ups.
    async fn held(&self) -> Credits {
        self.0.held
    }

    /// What can be booked: posted - held.
    async fn available(&self) -> Credits {
        self.0.available()
    }

    /// Credits in top-ups that are being charged.
    async fn incoming(&self) -> Credits {
        self.0.incoming
    }

    /// The position in the credit log at which these figures are true.
    async fn sequence(&self) -> Int64 {
        Int64(self.0.sequence)
    }

    /// When one of these figures last changed.
    async fn as_of(&self) -> Timestamp {
        self.0.as_of
    }
}
