//! Credit lots.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use super::entry::CreditEntry;
use crate::domain::ledger::{credit_log, model};
use crate::graphql::by_id::find;
use crate::graphql::connection::connection;
use crate::graphql::context::public_id;
use crate::graphql::errors::Nullable;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

/// The origin of the credits in a lot.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::LotKind")]
pub enum CreditLotKind {
    /// Bought.
    Paid,
    /// Given for free.
    Promotional,
}

#[derive(Clone, Debug)]
pub(crate) struct CreditLot {
    account_id: AccountId,
    lot: model::Lot,
}

impl CreditLot {
    pub(in crate::graphql) fn new(account_id: AccountId, lot: model::Lot) -> Self {
        Self { account_id, lot }
    }
}

/// Credits that were added together. They share an expiry. Lots are spent in the order priority, expiresAt, PROMOTIONAL first,
/// oldest first.
#[Object]
impl CreditLot {
    /// Opaque id, for `node`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.lot.id.global(self.account_id))
    }

    /// Bought or given for free.
    async fn kind(&self) -> CreditLotKind {
        self.lot.kind.into()
    }

    /// The number of credits that were added, before debt was repaid from them.
    async fn granted(&self) -> Credits {
        self.lot.granted
    }

    /// The number of credits that are left.
    async fn remaining(&self) -> Credits {
        self.lot.remaining
    }

    /// Lots with a lower priority are spent first.
    async fn priority(&self) -> i32 {
        self.lot.priority
    }

    /// When the unspent rest expires. Null when it never does.
    async fn expires_at(&self) -> Option<Timestamp> {
        self.lot.expires_at
    }

    /// When the credits were added.
    async fn created_at(&self) -> Timestamp {
        self.lot.created_at
    }

    /// The entry of the credit log that added them.
    async fn entry(&self, ctx: &Context<'_>) -> Nullable<CreditEntry> {
        find(ctx, self.account_id, self.lot.entry_id).await
    }
}

connection! {
    /// A page of credit lots.
    CreditLotConnection, CreditLotEdge of CreditLot
}

/// What an entry took from or added to one lot.
#[derive(SimpleObject, Clone, Debug)]
pub(super) struct LotDraw {
    /// The lot.
    pub lot: CreditLot,
    /// Negative when credits were taken from the lot, positive when they were added or refunded.
    pub amount: Credits,
}

impl LotDraw {
    pub(super) fn new(account_id: AccountId, draw: credit_log::LotDraw) -> Self {
        Self {
            lot: CreditLot::new(account_id, draw.lot),
            amount: draw.amount,
        }
    }
}
