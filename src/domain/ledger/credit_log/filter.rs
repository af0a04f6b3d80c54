//! Filters of the credit log.

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::domain::database::select::Condition;
use crate::domain::fault::{InvalidInput, QueryError};
use crate::domain::ledger::model::EntryKind;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{ApiKeyId, MemberId, SessionId, TopUpId};

use super::period::start_of_day;
use super::search;

/// Values in one list of a filter, at most.
pub const MAX_VALUES: usize = 100;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActorRef {
    /// A member, directly or through a key that acted on the member's behalf.
    Member(MemberId),
    /// An API key.
    ApiKey(ApiKeyId),
}

/// Calendar days, both inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DateRange {
    /// The first day; unbounded when `None`.
    pub from: Option<NaiveDate>,
    /// The last day; unbounded when `None`.
    pub to: Option<NaiveDate>,
    /// The time zone of the days; the account's own when `None`.
    pub timezone: Option<Tz>,
}

/// Instants from one (inclusive) to another (exclusive).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstantRange {
    /// The earliest instant, inclusive.
    pub from: Option<Timestamp>,
    /// The end, exclusive.
    pub before: Option<Timestamp>,
}

impl InstantRange {
    /// Refuses a range that ends before it begins.
    pub(in crate::domain) fn check(&self, field: &'static str) -> Result<(), QueryError> {
        match (self.from, self.before) {
            (Some(from), Some(before)) if from > before => Err(invalid(field, "from must not be after before")),
            _ => Ok(()),
        }
    }

    /// The range as conditions on a column of instants.
    pub(in crate::domain) fn conditions(&self, column: &'static str) -> impl Iterator<Item = Condition> + use<> {
        let from = self.from.map(|from| Condition::AtLeast(column, from.millis()));
        let before = self.before.map(|before| Condition::AtMost(column, before.millis() - 1));
        from.into_iter().chain(before)
    }
}

/// Bounds on the absolute amount, both inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AmountRange {
    /// The smallest absolute amount.
    pub min: Option<Credits>,
    /// The largest absolute amount.
    pub max: Option<Credits>,
}

/// Selects the entries that meet every given condition. An empty list matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreditLogFilter {
    /// The cause is of one of these kinds.
    pub actor_kinds: Option<Vec<ActorKind>>,
    /// The cause is one of these actors.
    pub actors: Option<Vec<ActorRef>>,
    /// The entry was posted on these calendar days.
    pub dates: Option<DateRange>,
    /// The entry is of one of these kinds.
    pub kinds: Option<Vec<EntryKind>>,
    /// The amount has this sign.
    pub direction: Option<Direction>,
    /// The use belongs to one of these members.
    pub member_ids: Option<Vec<MemberId>>,
    /// The entry belongs to one of these sessions.
    pub session_ids: Option<Vec<SessionId>>,
    /// The entry belongs to one of these top-ups.
    pub top_up_ids: Option<Vec<TopUpId>>,
    /// The entry was posted between these instants.
    pub occurred_at: Option<InstantRange>,
    /// The absolute amount is within these bounds.
    pub amount: Option<AmountRange>,
    /// Each of these words begins a word of the description, the session's title or its external id.
    pub search: Option<String>,
}

impl CreditLogFilter {
    /// Returns one form of the filter: equal texts for filters with the same meaning, whatever the order of their lists. Page
    /// cursors are bound to it.
    pub fn canonical(&self) -> String {
        let sorted = Self {
            actor_kinds: self.actor_kinds.clone().map(unique),
            actors: self.actors.clone().map(unique),
            kinds: self.kinds.clone().map(unique),
            member_ids: self.member_ids.clone().map(unique),
            session_ids: self.session_ids.clone().map(unique),
            top_up_ids: self.top_up_ids.clone().map(unique),
            ..self.clone()
        };
        format!("{sorted:?}")
    }

    /// Refuses what every query by this filter would refuse.
    pub fn validate(&self) -> Result<(), QueryError> {
        self.check().map(drop)
    }

    /// Checks everything that needs no query, and sorts the lists.
    pub(super) fn check(&self) -> Result<CheckedFilter, QueryError> {
        if let Some(DateRange {
            from: Some(from),
            to: Some(to),
            ..
        }) = self.dates
            && from > to
        {
            return Err(invalid("filter.dates", "from must not be after to"));
        }
        if let Some(range) = &self.occurred_at {
            range.check("filter.occurredAt")?;
        }
        if let Some(AmountRange { min, max }) = self.amount
            && [min, max].into_iter().flatten().any(Credits::is_negative)
        {
            return Err(invalid(
                "filter.amount",
                "bounds are on the absolute amount and must not be negative",
            ));
        }
        if let Some(AmountRange {
            min: Some(min),
            max: Some(max),
        }) = self.amount
            && min > max
        {
            return Err(invalid("filter.amount", "min must not exceed max"));
        }
        Ok(CheckedFilter {
            actor_kinds: list("filter.actorKinds", self.actor_kinds.as_deref())?,
            actors: list("filter.actorIds", self.actors.as_deref())?,
            kinds: list("filter.kinds", self.kinds.as_deref())?,
            member_ids: list("filter.memberIds", self.member_ids.as_deref())?,
            session_ids: list("filter.sessionIds", self.session_ids.as_deref())?,
            top_up_ids: list("filter.topUpIds", self.top_up_ids.as_deref())?,
            direction: self.direction,
            amount: self.amount.unwrap_or_default(),
            patterns: match &self.search {
                Some(search) => search::patterns("filter.search", search)?,
                None => Vec::new(),
            },
            dates: self.dates.filter(|dates| dates.from.is_some() || dates.to.is_some()),
            occurred_at: self.occurred_at.unwrap_or_default(),
        })
    }
}

/// A valid filter: lists are sorted, without repeats and bounded; words are patterns.
#[derive(Clone, Debug)]
pub(super) struct CheckedFilter {
    pub(super) actor_kinds: Option<Vec<ActorKind>>,
    pub(super) actors: Option<Vec<ActorRef>>,
    pub(super) kinds: Option<Vec<EntryKind>>,
    pub(super) member_ids: Option<Vec<MemberId>>,
    pub(super) session_ids: Option<Vec<SessionId>>,
    pub(super) top_up_ids: Option<Vec<TopUpId>>,
    pub(super) direction: Option<Direction>,
    pub(super) amount: AmountRange,
    pub(super) patterns: Vec<String>,
    pub(super) dates: Option<DateRange>,
    pub(super) occurred_at: InstantRange,
}

impl CheckedFilter {
    /// Restricts the filter to the entries that concern one member.
    pub(super) fn restrict_to(&mut self, member_id: MemberId) {
        self.member_ids = Some(match self.member_ids.take() {
            Some(ids) => ids.into_iter().filter(|id| *id == member_id).collect(),
            None => vec![member_id],
        });
    }

    /// Whether the account's time zone is needed: days were given without one.
    pub(super) fn needs_zone(&self) -> bool {
        self.dates.is_some_and(|dates| dates.timezone.is_none())
    }

    /// Combines days and instants into one range; `zone` is the account's.
    pub(super) fn instants(&self, zone: Tz) -> InstantRange {
        let Some(dates) = self.dates else {
            return self.occurred_at;
        };
        let zone = dates.timezone.unwrap_or(zone);
        let from = dates.from.map(|day| start_of_day(zone, day));
        let before = dates
            .to
            .and_then(|day| day.succ_opt())
            .map(|next| start_of_day(zone, next));
        InstantRange {
            from: self.occurred_at.from.max(from),
            before: self.occurred_at.before.into_iter().chain(before).min(),
        }
    }

    /// Whether nothing can match, because a list is empty.
    pub(super) fn matches_nothing(&self) -> bool {
        let is_empty = [
            self.actor_kinds.as_ref().map(Vec::len),
            self.actors.as_ref().map(Vec::len),
            self.kinds.as_ref().map(Vec::len),
            self.member_ids.as_ref().map(Vec::len),
            self.session_ids.as_ref().map(Vec::len),
            self.top_up_ids.as_ref().map(Vec::len),
        ];
        is_empty.contains(&Some(0))
    }
}

pub(in crate::domain) fn invalid(field: &'static str, message: &str) -> QueryError {
    InvalidInput::new(field, message).into()
}

/// Sorts a list of a filter and removes repeats.
pub(in crate::domain) fn list<T: Copy + Ord>(
    field: &'static str,
    values: Option<&[T]>,
) -> Result<Option<Vec<T>>, QueryError> {
    let values = values.map(|values| unique(values.to_vec()));
    if values.as_ref().is_some_and(|values| values.len() > MAX_VALUES) {
        return Err(invalid(field, "must have at most 100 values"));
    }
    Ok(values)
}

pub(in crate::domain) fn unique<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn field(filter: &CreditLogFilter) -> &'static str {
        match filter.check() {
            Err(QueryError::Invalid(InvalidInput { field, .. })) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranges_that_end_before_they_begin_are_refused() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day);
        let at = |millis| Some(Timestamp::from_millis(millis));
        let filter = CreditLogFilter {
            dates: Some(DateRange {
                from: day(2),
                to: day(1),
                timezone: None,
            }),
            ..CreditLogFilter::default()
        };
        assert_eq!(field(&filter), "filter.dates");
        let filter = CreditLogFilter {
            occurred_at: Some(InstantRange {
                from: at(2),
                before: at(1),
            }),
            ..CreditLogFilter::default()
        };
        assert_eq!(field(&filter), "filter.occurredAt");
        let filter = CreditLogFilter {
            amount: Some(AmountRange {
                min: Some(Credits::whole(2)),
                max: Some(Credits::whole(1)),
            }),
            ..CreditLogFilter::default()
        };
        assert_eq!(field(&filter), "filter.amount");
    }

    #[test]
    fn lists_have_at_most_a_hundred_different_values() {
        let ids = |count: u128| (0..count).map(|id| MemberId::from_uuid(Uuid::from_u128(id)));
        let filter = |member_ids: Vec<MemberId>| CreditLogFilter {
            member_ids: Some(member_ids),
            ..CreditLogFilter::default()
        };
        assert!(filter(ids(100).chain(ids(100)).collect()).check().is_ok());
        assert_eq!(field(&filter(ids(101).collect())), "filter.memberIds");
    }

    #[test]
    fn days_and_instants_are_intersected() {
        let filter = CreditLogFilter {
            dates: Some(DateRange {
                from: NaiveDate::from_ymd_opt(1970, 1, 2),
                to: NaiveDate::from_ymd_opt(1970, 1, 3),
                timezone: Some(chrono_tz::Europe::Berlin),
            }),
            occurred_at: Some(InstantRange {
                from: None,
                before: Some(Timestamp::from_millis(100_000_000)),
            }),
            ..CreditLogFilter::default()
        };
        let instants = filter.check().expect("valid").instants(chrono_tz::UTC);
        assert_eq!(instants.from, Some(Timestamp::from_millis(23 * 3_600_000)));
        assert_eq!(instants.before, Some(Timestamp::from_millis(100_000_000)));
    }

    #[test]
    fn the_order_of_lists_means_nothing() {
        let kinds = |kinds: Vec<EntryKind>| CreditLogFilter {
            kinds: Some(kinds),
            ..CreditLogFilter::default()
        };
        let one = kinds(vec![EntryKind::Grant, EntryKind::Expiry, EntryKind::Grant]);
        assert_eq!(
            one.canonical(),
            kinds(vec![EntryKind::Expiry, EntryKind::Grant]).canonical()
        );
        assert_ne!(one.canonical(), kinds(vec![]).canonical());
    }
}
