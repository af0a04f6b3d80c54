//! Cards, without their numbers.

use chrono::{Datelike, NaiveDate};

use crate::primitives::ids::{AccountId, PaymentMethodId};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
use crate::primitives::timestamp::{DAY, Timestamp};

use super::failure::FailureCode;

/// The time before its end from which a card has the status EXPIRING.
const EXPIRING_MILLIS: i64 = 30 * DAY;

crate::text_enum! {
    /// Why a card is no longer charged automatically.
    Suspension {
        /// Until a manual top-up with the card succeeds.
        UntilPaid = "UNTIL_PAID",
        /// Permanently: the bank blocked the card.
        ForGood = "FOR_GOOD",
    }
}

crate::text_enum! {
    /// The status of a card.
    PaymentMethodStatus {
        /// Can be charged.
        Active = "ACTIVE",
        /// Expires within 30 days.
        Expiring = "EXPIRING",
        /// Expired.
        Expired = "EXPIRED",
        /// The bank refused the card for a reason that is permanent.
        Suspended = "SUSPENDED",
    }
}

/// A card that the gateway stores for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct PaymentMethod {
    /// The id of the card.
    pub id: PaymentMethodId,
    /// The account that owns the card.
    pub account_id: AccountId,
    /// The gateway's id of the card.
    pub gateway_card_id: String,
    /// The card network: `visa`, `mastercard` …
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// The month, from 1 to 12.
    pub expiry_month: i32,
    /// The year, with four digits.
    pub expiry_year: i32,
    /// Identifies the physical card: it is equal each time the card is added.
    pub fingerprint: String,
    /// Why the card is no longer charged automatically.
    pub suspension: Option<Suspension>,
    /// Whether the card is charged if no other is named.
    pub is_default: bool,
    /// When the card was added.
    pub added_at: Timestamp,
    /// When the bank last declined.
    pub last_declined_at: Option<Timestamp>,
    /// When the card was removed.
    pub removed_at: Option<Timestamp>,
}

impl PaymentMethod {
    /// Returns the status at `now`.
    pub fn status(&self, now: Timestamp) -> PaymentMethodStatus {
        let ends_at = self.ends_at();
        if self.suspension.is_some() {
            PaymentMethodStatus::Suspended
        } else if now >= ends_at {
            PaymentMethodStatus::Expired
        } else if now >= self.expiring_at() {
            PaymentMethodStatus::Expiring
        } else {
            PaymentMethodStatus::Active
        }
    }

    /// Returns whether the rule and a retry may charge the card.
    pub fn may_be_charged_again(&self) -> bool {
        self.suspension.is_none() && self.removed_at.is_none()
    }

    /// Returns whether a new manual top-up may charge the card. A success ends a suspension that is not permanent.
    pub fn may_be_charged_by_hand(&self) -> bool {
        self.suspension != Some(Suspension::ForGood) && self.removed_at.is_none()
    }

    /// Records that the bank declined.
    pub fn declined(&mut self, code: FailureCode, now: Timestamp) {
        self.last_declined_at = Some(now);
        if code == FailureCode::CardBlocked {
            self.suspension = Some(Suspension::ForGood);
        } else if code.is_hard() && self.suspension.is_none() {
            self.suspension = Some(Suspension::UntilPaid);
        }
    }

    /// Records that a manual top-up was paid with the card.
    pub fn paid_by_hand(&mut self) {
        if self.suspension == Some(Suspension::UntilPaid) {
            self.suspension = None;
        }
    }

    /// Returns the last day on which the card is valid, as printed on it: the last day of its month.
    pub fn last_day(&self) -> Option<NaiveDate> {
        let month = u32::try_from(self.expiry_month).ok()?;
        let first = NaiveDate::from_ymd_opt(self.expiry_year, month, 1)?;
        first.checked_add_months(chrono::Months::new(1))?.pred_opt()
    }

    /// Returns the time from which the card has the status EXPIRING.
    pub fn expiring_at(&self) -> Timestamp {
        self.ends_at().plus_millis(-EXPIRING_MILLIS)
    }

    /// Returns the first instant at which the card is expired. A card is valid until its month has ended in every time zone.
    pub fn ends_at(&self) -> Timestamp {
        let month = u32::try_from(self.expiry_month).unwrap_or_default();
        let first = NaiveDate::from_ymd_opt(self.expiry_year, month, 1);
        let next = first.and_then(|first| first.checked_add_months(chrono::Months::new(1)));
        let next = next.filter(|day| day.year() <= 9_999);
        next.map_or(Timestamp::MAX, |day| {
            Timestamp::from_datetime(day.and_time(chrono::NaiveTime::MIN).and_utc()).plus_millis(DAY / 2)
        })
    }
}

/// Returns the card that a purchase charges if none is named: the card that was charged last, else the default card.
pub fn next_card(cards: &[PaymentMethod], last: Option<PaymentMethodId>) -> Option<&PaymentMethod> {
    let present = || cards.iter().filter(|card| card.removed_at.is_none());
    let last = last.and_then(|last| present().find(|card| card.id == last));
    last.or_else(|| present().find(|card| card.is_default))
}
