//! Money in the public language.

use async_graphql::SimpleObject;

use crate::graphql::scalars::Decimal;
use crate::primitives::money::{self, Currency};

/// An amount of money. It has exactly its currency's own digits (JPY 0, EUR 2), but for creditPrice.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct Money {
    /// How much, in the currency's major unit.
    pub(super) amount: Decimal,
    /// Of what.
    pub(super) currency: Currency,
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self {
            amount: Decimal(money.to_decimal()),
            currency: money.currency,
        }
    }
}
