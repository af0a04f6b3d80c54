//! What an account's credits cost, and where its months begin.

use chrono::Datelike;
use chrono::TimeZone;
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::primitives::credits::Credits;
use crate::primitives::money::{CreditPrice, Currency, Money};
use crate::primitives::period::end_of_month;
use crate::primitives::timestamp::Timestamp;

/// What an account's credits cost, and where its months begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountTerms {
    /// What one credit costs.
    pub credit_price: CreditPrice,
    /// In which currency.
    pub currency: Currency,
    /// Where its months begin and end.
    pub timezone: Tz,
}

impl AccountTerms {
    /// What so many credits cost; `None` where that does not fit.
    pub fn price_of(&self, credits: Credits) -> Option<Money> {
        self.credit_price.price_of(credits, self.currency)
    }

    /// An amount of money in the account's currency.
    pub fn money(&self, minor: i64) -> Money {
        Money {
            minor,
            currency: self.currency,
        }
    }

    /// So much of the currency's major unit in its minor unit; `None` where that is no whole number.
    pub fn minor_units(&self, amount: Decimal) -> Option<i64> {
        let scale = Decimal::from(10_i64.checked_pow(self.currency.exponent())?);
        let minor = amount.checked_mul(scale)?.normalize();
        minor.is_integer().then(|| minor.to_i64()).flatten()
    }

    /// The calendar month of an instant: `2026-11`.
    pub fn month(&self, at: Timestamp) -> String {
        let local = self.timezone.from_utc_datetime(&at.to_datetime().naive_utc());
        format!("{:04}-{:02}", local.year(), local.month())
    }

    /// When that month ends, and with it what the cap has counted.
    pub fn month_ends_at(&self, at: Timestamp) -> Timestamp {
        end_of_month(self.timezone, at)
    }
}
