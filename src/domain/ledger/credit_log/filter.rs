//! Filters of the credit log.

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Serialize, Serializer};

use crate::domain::fault::InvalidInput;
use crate::domain::filter::{AnyOf, InstantRange};
use crate::domain::ledger::model::EntryKind;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{ApiKeyId, MemberId, SessionId, TopUpId};

use super::period::start_of_day;
use super::search::Search;

crate::text_enum! {
    /// The kind of actor that caused an entry.
    ActorKind {
        /// A member of the team.
        Member = "MEMBER",
        /// An API key.
        ApiKey = "API_KEY",
        /// Ledgerbell, without a request.
        System = "SYSTEM",
        /// The payment gateway.
        PaymentGateway = "PAYMENT_GATEWAY",
    }
}

crate::text_enum! {
    /// Whether an entry increases or decreases the balance.
    Direction {
        /// The amount is positive.
        Added = "ADDED",
        /// The amount is negative.
        Deducted = "DEDUCTED",
    }
}

/// An actor that may have caused an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ActorRef {
    /// A member, directly or through a key that acted on the member's behalf.
    Member(MemberId),
    /// An API key.
    ApiKey(ApiKeyId),
}

/// Calendar days, both inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DateRange {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    #[serde(serialize_with = "by_name")]
    timezone: Option<Tz>,
}

#[allow(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field"
)]
fn by_name<S: Serializer>(timezone: &Option<Tz>, serializer: S) -> Result<S::Ok, S::Error> {
    timezone.map(Tz::name).serialize(serializer)
}

impl DateRange {
    /// Refuses a range that ends before it begins. The days are those of `timezone`; of the account's own when `None`.
    pub fn new(
        field: &'static str,
        (from, to): (Option<NaiveDate>, Option<NaiveDate>),
        timezone: Option<Tz>,
    ) -> Result<Self, InvalidInput> {
        match (from, to) {
            (None, None) => Ok(Self::default()),
            (Some(from), Some(to)) if from > to => Err(InvalidInput::new(field, "from must not be after to")),
            _ => Ok(Self { from, to, timezone }),
        }
    }

    /// The first day and the last one, both inclusive; unbounded when `None`.
    pub const fn days(&self) -> (Option<NaiveDate>, Option<NaiveDate>) {
        (self.from, self.to)
    }

    /// The time zone of the days; the account's own when `None`.
    pub const fn timezone(&self) -> Option<Tz> {
        self.timezone
    }

    /// The beginning of the first day, and the end of the last one.
    fn instants(&self, zone: Tz) -> (Option<Timestamp>, Option<Timestamp>) {
        let zone = self.timezone.unwrap_or(zone);
        let from = self.from.map(|day| start_of_day(zone, day));
        let next = self.to.and_then(|day| day.succ_opt());
        (from, next.map(|next| start_of_day(zone, next)))
    }
}

/// Bounds on the absolute amount, both inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AmountRange {
    min: Option<Credits>,
    max: Option<Credits>,
}

impl AmountRange {
    /// Refuses negative bounds, and a range that contains no amount.
    pub fn new(field: &'static str, min: Option<Credits>, max: Option<Credits>) -> Result<Self, InvalidInput> {
        let refused = |message: &str| Err(InvalidInput::new(field, message));
        match (min, max) {
            (min, max) if [min, max].into_iter().flatten().any(Credits::is_negative) => {
                refused("bounds are on the absolute amount and must not be negative")
            }
            (Some(min), Some(max)) if min > max => refused("min must not exceed max"),
            _ => Ok(Self { min, max }),
        }
    }

    /// The smallest absolute amount.
    pub const fn min(&self) -> Option<Credits> {
        self.min
    }

    /// The largest absolute amount.
    pub const fn max(&self) -> Option<Credits> {
        self.max
    }
}

/// Selects the entries that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CreditLogFilter {
    /// The cause is of one of these kinds.
    pub actor_kinds: AnyOf<ActorKind>,
    /// The cause is one of these actors.
    pub actors: AnyOf<ActorRef>,
    /// The entry was posted on these calendar days.
    pub dates: DateRange,
    /// The entry is of one of these kinds.
    pub kinds: AnyOf<EntryKind>,
    /// The amount has this sign.
    pub direction: Option<Direction>,
    /// The use belongs to one of these members.
    pub member_ids: AnyOf<MemberId>,
    /// The entry belongs to one of these sessions.
    pub session_ids: AnyOf<SessionId>,
    /// The entry belongs to one of these top-ups.
    pub top_up_ids: AnyOf<TopUpId>,
    /// The entry was posted between these instants.
    pub occurred_at: InstantRange,
    /// The absolute amount is within these bounds.
    pub amount: AmountRange,
    /// Each of these words begins a word of the description, the session's title or its external id.
    pub search: Search,
}

impl CreditLogFilter {
    /// Whether the account's time zone is needed: days were given without one.
    pub(super) fn needs_zone(&self) -> bool {
        self.dates != DateRange::default() && self.dates.timezone.is_none()
    }

    /// Combines days and instants into one range, which may be empty; `zone` is the account's.
    pub(super) fn instants(&self, zone: Tz) -> (Option<Timestamp>, Option<Timestamp>) {
        let (from, before) = self.dates.instants(zone);
        let before = self.occurred_at.end().into_iter().chain(before).min();
        (self.occurred_at.start().max(from), before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_end_before_they_begin_are_refused() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day);
        let dates = DateRange::new("filter.dates", (day(2), day(1)), None);
        assert_eq!(
            dates,
            Err(InvalidInput::new("filter.dates", "from must not be after to"))
        );
        let amount = |min, max| AmountRange::new("filter.amount", Some(Credits::whole(min)), Some(Credits::whole(max)));
        assert_eq!(
            amount(2, 1),
            Err(InvalidInput::new("filter.amount", "min must not exceed max"))
        );
        assert!(amount(-1, 1).is_err());
    }

    #[test]
    fn days_and_instants_are_intersected() {
        let days = (NaiveDate::from_ymd_opt(1970, 1, 2), NaiveDate::from_ymd_opt(1970, 1, 3));
        let until = Some(Timestamp::from_millis(100_000_000));
        let filter = CreditLogFilter {
            dates: DateRange::new("filter.dates", days, Some(chrono_tz::Europe::Berlin)).expect("valid"),
            occurred_at: InstantRange::new("filter.occurredAt", None, until).expect("valid"),
            ..CreditLogFilter::default()
        };
        let (from, before) = filter.instants(chrono_tz::UTC);
        assert_eq!(from, Some(Timestamp::from_millis(23 * 3_600_000)));
        assert_eq!(before, Some(Timestamp::from_millis(100_000_000)));
    }
}
