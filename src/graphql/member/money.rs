//! Money in the API.

use async_graphql::SimpleObject;

use crate::graphql::scalars::Decimal;
use crate::primitives::money::{self, Currency};

/// An amount of money. It has exactly the digits of its currency (JPY 0, EUR 2), except for creditPrice.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct Money {
    /// The amount in the currency's major unit.
    pub(super) amount: Decimal,
    /// The currency of the amount.
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
