//! The price of an account's credits, and its time zone.

use chrono::Datelike;
use chrono::TimeZone;
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::ledger::credit_log::end_of_month;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::money::{CreditPrice, Currency, Money};

/// The price of an account's credits, and its time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountTerms {
    /// The price of one credit.
    pub credit_price: CreditPrice,
    /// The currency of the price.
    pub currency: Currency,
    /// The time zone in which its months begin and end.
    pub timezone: Tz,
}

impl AccountTerms {
    /// Returns the price of a number of credits; `None` if it overflows.
    pub fn price_of(&self, credits: Credits) -> Option<Money> {
        self.credit_price.price_of(credits, self.currency)
    }

    /// Returns an amount of money in the account's currency.
    pub fn money(&self, minor: i64) -> Money {
        Money {
            minor,
            currency: self.currency,
        }
    }

    /// Converts an amount from the currency's major unit to its minor unit; `None` if that is no whole number.
    pub fn minor_units(&self, amount: Decimal) -> Option<i64> {
        let scale = Decimal::from(10_i64.checked_pow(self.currency.exponent())?);
        let minor = amount.checked_mul(scale)?.normalize();
        minor.is_integer().then(|| minor.to_i64()).flatten()
    }

    /// Returns the calendar month of an instant: `2026-11`.
    pub fn month(&self, at: Timestamp) -> String {
        let local = self.timezone.from_utc_datetime(&at.to_datetime().naive_utc());
        format!("{:04}-{:02}", local.year(), local.month())
    }

    /// Returns the end of that month, when the cap starts again.
    pub fn month_ends_at(&self, at: Timestamp) -> Timestamp {
        end_of_month(self.timezone, at)
    }
}
