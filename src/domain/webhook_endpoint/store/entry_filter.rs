//! The form in which the filter of an endpoint is stored: JSON, with names that are never renamed.
//!
//! A row with a name or version that this program does not know is not read. A condition that were left out would send an endpoint more
//! than was asked for.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::entry_filter::EntryFilter;
use super::unreadable;
use crate::domain::fault::Fault;
use crate::domain::filter::{AnyOf, InstantRange};
use crate::domain::ledger::credit_log::search::Search;
use crate::domain::ledger::credit_log::{ActorKind, ActorRef, AmountRange, CreditLogFilter, DateRange, Direction};
use crate::domain::ledger::model::EntryKind;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{ApiKeyId, MemberId, SessionId, TopUpId};

const VERSION: u32 = 1;

/// Conditions that are absent do not restrict.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredFilter {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_kinds: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actors: Option<Vec<StoredActor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dates: Option<StoredDates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kinds: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_up_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<StoredInstants>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<StoredAmount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredActor {
    Member(String),
    ApiKey(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDates {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    timezone: Option<String>,
}

/// Milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredInstants {
    from: Option<i64>,
    before: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAmount {
    min: Option<Credits>,
    max: Option<Credits>,
}

/// Returns the text of a filter.
pub(super) fn text_of(filter: &EntryFilter) -> Result<String, Fault> {
    serde_json::to_string(&StoredFilter::of(filter)).map_err(|error| Fault::Internal(error.to_string()))
}

/// Reads a filter.
pub(super) fn filter_of(text: &str) -> Result<EntryFilter, Fault> {
    let stored: Option<StoredFilter> = serde_json::from_str(text).ok();
    let stored = stored.filter(|stored| stored.version == VERSION);
    let filter = stored.and_then(StoredFilter::filter);
    filter.ok_or_else(|| unreadable("filter of entries", text))
}

impl StoredFilter {
    fn of(filter: &EntryFilter) -> Self {
        let conditions = filter.conditions();
        let (dates, amount, instants) = (conditions.dates, conditions.amount, conditions.occurred_at);
        let (from, to) = dates.days();
        Self {
            version: VERSION,
            actor_kinds: names(&conditions.actor_kinds, |kind| kind.as_str().to_owned()),
            actors: names(&conditions.actors, |actor| match actor {
                ActorRef::Member(id) => StoredActor::Member(id_text(id)),
                ActorRef::ApiKey(id) => StoredActor::ApiKey(id_text(id)),
            }),
            dates: (dates != DateRange::default()).then(|| StoredDates {
                from,
                to,
                timezone: dates.timezone().map(|zone| zone.name().to_owned()),
            }),
            kinds: names(&conditions.kinds, |kind| kind.as_str().to_owned()),
            direction: conditions.direction.map(|direction| direction.as_str().to_owned()),
            member_ids: names(&conditions.member_ids, id_text),
            session_ids: names(&conditions.session_ids, id_text),
            top_up_ids: names(&conditions.top_up_ids, id_text),
            occurred_at: (instants != InstantRange::default()).then(|| StoredInstants {
                from: instants.start().map(Timestamp::millis),
                before: instants.end().map(Timestamp::millis),
            }),
            amount: (amount != AmountRange::default()).then(|| StoredAmount {
                min: amount.min(),
                max: amount.max(),
            }),
            search: filter.search().map(str::to_owned),
        }
    }

    /// Returns the filter; `None` if one of its values is unknown or not valid.
    fn filter(self) -> Option<EntryFilter> {
        let direction = match self.direction {
            Some(name) => Some(Direction::from_text(&name)?),
            None => None,
        };
        let conditions = CreditLogFilter {
            actor_kinds: any_of(self.actor_kinds, |name| ActorKind::from_text(&name))?,
            actors: any_of(self.actors, |actor| match actor {
                StoredActor::Member(id) => Some(ActorRef::Member(MemberId::from_uuid(uuid(&id)?))),
                StoredActor::ApiKey(id) => Some(ActorRef::ApiKey(ApiKeyId::from_uuid(uuid(&id)?))),
            })?,
            dates: self.dates.map_or(Some(DateRange::default()), StoredDates::range)?,
            kinds: any_of(self.kinds, |name| EntryKind::from_text(&name))?,
            direction,
            member_ids: any_of(self.member_ids, |id| Some(MemberId::from_uuid(uuid(&id)?)))?,
            session_ids: any_of(self.session_ids, |id| Some(SessionId::from_uuid(uuid(&id)?)))?,
            top_up_ids: any_of(self.top_up_ids, |id| Some(TopUpId::from_uuid(uuid(&id)?)))?,
            occurred_at: self
                .occurred_at
                .map_or(Some(InstantRange::default()), StoredInstants::range)?,
            amount: self.amount.map_or(Some(AmountRange::default()), StoredAmount::range)?,
            search: Search::parse("search", self.search.as_deref()).ok()?,
        };
        EntryFilter::new(conditions, self.search).ok()?
    }
}

impl StoredDates {
    fn range(self) -> Option<DateRange> {
        let timezone = match self.timezone {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        DateRange::new("dates", (self.from, self.to), timezone).ok()
    }
}

impl StoredInstants {
    fn range(self) -> Option<InstantRange> {
        let instant = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        InstantRange::new("occurredAt", instant(self.from), instant(self.before)).ok()
    }
}

impl StoredAmount {
    fn range(self) -> Option<AmountRange> {
        AmountRange::new("amount", self.min, self.max).ok()
    }
}

fn id_text(id: impl Into<Uuid>) -> String {
    id.into().as_simple().to_string()
}

fn uuid(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok()
}

fn names<T: Copy + Ord, U>(list: &AnyOf<T>, name: impl Fn(T) -> U) -> Option<Vec<U>> {
    Some(list.values()?.iter().map(|value| name(*value)).collect())
}

/// Returns the list; `None` if one of its values is unknown.
fn any_of<U, T: Ord>(list: Option<Vec<U>>, parse: impl Fn(U) -> Option<T>) -> Option<AnyOf<T>> {
    let Some(list) = list else {
        return Some(AnyOf::default());
    };
    let values: Option<Vec<T>> = list.into_iter().map(parse).collect();
    AnyOf::new("list", values).ok().filter(|list| list.values().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn full() -> EntryFilter {
        let days = (NaiveDate::from_ymd_opt(2026, 3, 1), None);
        let conditions = CreditLogFilter {
            actor_kinds: [ActorKind::System].into(),
            actors: [
                ActorRef::Member(MemberId::from_uuid(id(1))),
                ActorRef::ApiKey(ApiKeyId::from_uuid(id(2))),
            ]
            .into(),
            dates: DateRange::new("dates", days, Some(chrono_tz::Europe::Berlin)).expect("valid"),
            kinds: [EntryKind::Expiry].into(),
            direction: Some(Direction::Deducted),
            member_ids: [MemberId::from_uuid(id(3))].into(),
            session_ids: [SessionId::from_uuid(id(4))].into(),
            top_up_ids: [TopUpId::from_uuid(id(5))].into(),
            occurred_at: InstantRange::new("occurredAt", Some(at(1_000)), Some(at(2_000))).expect("valid"),
            amount: AmountRange::new("amount", Some(Credits::whole(2)), None).expect("valid"),
            search: Search::parse("search", Some("Größe co-op")).expect("valid"),
        };
        let filter = EntryFilter::new(conditions, Some("Größe co-op".to_owned()));
        filter.expect("valid").expect("it restricts")
    }

    /// What earlier versions have written must be readable: this text does not change.
    const FULL: &str = r#"{"version":1,"actorKinds":["SYSTEM"],"actors":[{"member":"00000000000000000000000000000001"},{"apiKey":"00000000000000000000000000000002"}],"dates":{"from":"2026-03-01","to":null,"timezone":"Europe/Berlin"},"kinds":["EXPIRY"],"direction":"DEDUCTED","memberIds":["00000000000000000000000000000003"],"sessionIds":["00000000000000000000000000000004"],"topUpIds":["00000000000000000000000000000005"],"occurredAt":{"from":1000,"before":2000},"amount":{"min":"2","max":null},"search":"Größe co-op"}"#;

    #[test]
    fn a_filter_is_read_as_it_was_written() {
        assert_eq!(text_of(&full()).as_deref(), Ok(FULL));
        assert_eq!(filter_of(FULL), Ok(full()));
        let small = r#"{"version":1,"direction":"ADDED"}"#;
        let read = filter_of(small).expect("readable");
        assert_eq!(read.conditions().direction, Some(Direction::Added));
        assert_eq!(text_of(&read).as_deref(), Ok(small));
    }

    #[test]
    fn what_this_version_does_not_know_is_not_left_out() {
        for text in [
            r#"{"version":2,"direction":"ADDED"}"#,
            r#"{"version":1,"direction":"ADDED","later":1}"#,
            r#"{"version":1,"direction":"SIDEWAYS"}"#,
            r#"{"version":1,"kinds":["GRANT","LATER"]}"#,
            r#"{"version":1,"memberIds":["x"]}"#,
            r#"{"version":1,"dates":{"from":"2026-03-01","to":null,"timezone":"Mars/Base"}}"#,
            r#"{"version":1}"#,
            "{}",
            "",
        ] {
            assert!(filter_of(text).is_err(), "{text}");
        }
    }
}
