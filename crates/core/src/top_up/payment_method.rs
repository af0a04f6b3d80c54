//! Cards, as far as we know them: never their numbers.

use chrono::{Datelike, NaiveDate};

use crate::primitives::ids::{AccountId, PaymentMethodId};
use crate::primitives::timestamp::Timestamp;

use super::DAY;
use super::failure::FailureCode;

/// From so long before its end a card shows as EXPIRING.
const EXPIRING_MILLIS: i64 = 30 * DAY;

crate::text_enum! {
    /// Why a card is not charged by itself any more.
    Suspension {
        /// Until a top-up by hand succeeds with it.
        UntilPaid = "UNTIL_PAID",
        /// For ever: the bank blocked it.
        ForGood = "FOR_GOOD",
    }
}

crate::text_enum! {
    /// How a card stands.
    PaymentMethodStatus {
        /// Can be charged.
        Active = "ACTIVE",
        /// Ends within 30 days.
        Expiring = "EXPIRING",
        /// Past its date.
        Expired = "EXPIRED",
        /// The bank refused it for a reason that does not pass by itself.
        Suspended = "SUSPENDED",
    }
}

/// A card that the gateway keeps for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentMethod {
    /// Its id.
    pub id: PaymentMethodId,
    /// Whose card it is.
    pub account_id: AccountId,
    /// What the gateway calls it.
    pub gateway_card_id: String,
    /// `visa`, `mastercard` …
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// 1 to 12.
    pub expiry_month: i32,
    /// Four digits.
    pub expiry_year: i32,
    /// The same for the same card however often it is added.
    pub fingerprint: String,
    /// Why it is not charged by itself any more.
    pub suspension: Option<Suspension>,
    /// Charged where no other is named.
    pub is_default: bool,
    /// When it was added.
    pub added_at: Timestamp,
    /// When the bank last said no.
    pub last_declined_at: Option<Timestamp>,
    /// When it was taken away.
    pub removed_at: Option<Timestamp>,
}

impl PaymentMethod {
    /// How it stands at `now`.
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

    /// Whether the rule may charge it, and whoever retries.
    pub fn may_be_charged_again(&self) -> bool {
        self.suspension.is_none() && self.removed_at.is_none()
    }

    /// Whether somebody may ask for a new top-up with it: one that succeeds lifts a suspension that is not for good.
    pub fn may_be_charged_by_hand(&self) -> bool {
        self.suspension != Some(Suspension::ForGood) && self.removed_at.is_none()
    }

    /// The bank said no.
    pub fn declined(&mut self, code: FailureCode, now: Timestamp) {
        self.last_declined_at = Some(now);
        if code == FailureCode::CardBlocked {
            self.suspension = Some(Suspension::ForGood);
        } else if code.is_hard() && self.suspension.is_none() {
            self.suspension = Some(Suspension::UntilPaid);
        }
    }

    /// A top-up that somebody asked for has been paid with it.
    pub fn paid_by_hand(&mut self) {
        if self.suspension == Some(Suspension::UntilPaid) {
            self.suspension = None;
        }
    }

    /// The last day on which it is good, as it is printed on it: the last of its month.
    pub fn last_day(&self) -> Option<NaiveDate> {
        let month = u32::try_from(self.expiry_month).ok()?;
        let first = NaiveDate::from_ymd_opt(self.expiry_year, month, 1)?;
        first.checked_add_months(chrono::Months::new(1))?.pred_opt()
    }

    /// From when on it shows as EXPIRING.
    pub fn expiring_at(&self) -> Timestamp {
        self.ends_at().plus_millis(-EXPIRING_MILLIS)
    }

    /// The first instant at which it is past its date: a card holds until its month ends everywhere.
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
