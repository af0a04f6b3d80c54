//! The filter of the credit log in the form of the API.

use async_graphql::{Enum, ID, InputObject};
use uuid::Uuid;

use super::entry::{ActorKind, CreditEntryKind};
use crate::domain::ledger::credit_log;
use crate::graphql::context::parse_id;
use crate::graphql::errors::ApiError;
use crate::graphql::scalars::{Date, TimeZone};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, GlobalId, IdKind, MemberId, SessionId, TopUpId};
use crate::primitives::page;

/// Which items come first.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "page::SortOrder")]
pub enum SortOrder {
    /// The newest item comes first.
    NewestFirst,
    /// The oldest item comes first.
    OldestFirst,
}

/// Whether credits were added or deducted.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "credit_log::Direction")]
pub enum CreditDirection {
    /// Entries with a positive amount.
    Added,
    /// Entries with a negative amount.
    Deducted,
}

/// A range of instants.
#[derive(InputObject, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTimeRange {
    /// Inclusive. Without it the range has no beginning.
    pub from: Option<Timestamp>,
    /// Exclusive. Without it the range has no end.
    pub before: Option<Timestamp>,
}

impl From<DateTimeRange> for credit_log::InstantRange {
    fn from(range: DateTimeRange) -> Self {
        Self {
            from: range.from,
            before: range.before,
        }
    }
}

/// A range of calendar days.
#[derive(InputObject, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateRange {
    /// Inclusive. Without it the range has no beginning.
    pub from: Option<Date>,
    /// Inclusive. Without it the range has no end.
    pub to: Option<Date>,
    /// The time zone of the days; the account's time zone when left out.
    pub timezone: Option<TimeZone>,
}

/// Bounds on an amount.
#[derive(InputObject, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CreditsRange {
    /// Inclusive.
    pub min: Option<Credits>,
    /// Inclusive.
    pub max: Option<Credits>,
}

/// A filter for entries of the credit log. All conditions must match; a condition that is left out or null does not restrict.
/// An empty list matches nothing, and neither does an unknown id.
#[derive(InputObject, Clone, Debug, Default)]
pub(crate) struct CreditLogFilter {
    /// Caused by any of these kinds of actors.
    pub actor_kinds: Option<Vec<ActorKind>>,
    /// Caused by any of these members and API keys.
    pub actor_ids: Option<Vec<ID>>,
    /// Posted on these calendar days.
    pub dates: Option<DateRange>,
    /// Any of these kinds.
    pub kinds: Option<Vec<CreditEntryKind>>,
    /// Added or deducted.
    pub direction: Option<CreditDirection>,
    /// Used by any of these members.
    pub member_ids: Option<Vec<ID>>,
    /// Belonging to any of these sessions.
    pub session_ids: Option<Vec<ID>>,
    /// Belonging to any of these top-ups.
    pub top_up_ids: Option<Vec<ID>>,
    /// Posted in this range: from is inclusive, before is exclusive.
    pub occurred_at: Option<DateTimeRange>,
    /// Bounds on the absolute amount, both inclusive.
    pub amount: Option<CreditsRange>,
    /// All of these words (the first 10) must occur in the text stored with the entry: its description, session title and
    /// external ids. Each must be the beginning of a word; in scripts without spaces, any part of the text. Case-insensitive.
    pub search: Option<String>,
}

impl CreditLogFilter {
    /// Converts to the filter of the domain. Ids that are unknown, of another type or of another account match nothing.
    pub(in crate::graphql) fn for_account(
        self,
        account_id: AccountId,
    ) -> Result<credit_log::CreditLogFilter, ApiError> {
        at_most_100("filter.actorKinds", self.actor_kinds.as_deref())?;
        at_most_100("filter.kinds", self.kinds.as_deref())?;
        at_most_100("filter.actorIds", self.actor_ids.as_deref())?;
        // A platform key acts in all accounts, so its id contains the number of another account.
        let actor = |id: ID| match id.parse::<GlobalId>().ok()? {
            id if id.kind == IdKind::Member && id.account_id == account_id => {
                Some(credit_log::ActorRef::Member(MemberId::from_uuid(id.uuid)))
            }
            id if id.kind == IdKind::ApiKey && [account_id, AccountId::PLATFORM].contains(&id.account_id) => {
                Some(credit_log::ActorRef::ApiKey(ApiKeyId::from_uuid(id.uuid)))
            }
            _ => None,
        };
        Ok(credit_log::CreditLogFilter {
            actor_kinds: self
                .actor_kinds
                .map(|kinds| kinds.into_iter().map(Into::into).collect()),
            actors: self.actor_ids.map(|ids| ids.into_iter().filter_map(actor).collect()),
            dates: self.dates.map(|dates| credit_log::DateRange {
                from: dates.from.map(|date| date.0),
                to: dates.to.map(|date| date.0),
                timezone: dates.timezone.map(|zone| zone.0),
            }),
            kinds: self.kinds.map(|kinds| kinds.into_iter().map(Into::into).collect()),
            direction: self.direction.map(Into::into),
            member_ids: ids_of(
                "filter.memberIds",
                self.member_ids,
                account_id,
                IdKind::Member,
                MemberId::from_uuid,
            )?,
            session_ids: ids_of(
                "filter.sessionIds",
                self.session_ids,
                account_id,
                IdKind::Session,
                SessionId::from_uuid,
            )?,
            top_up_ids: ids_of(
                "filter.topUpIds",
                self.top_up_ids,
                account_id,
                IdKind::TopUp,
                TopUpId::from_uuid,
            )?,
            occurred_at: self.occurred_at.map(Into::into),
            amount: self.amount.map(|amount| credit_log::AmountRange {
                min: amount.min,
                max: amount.max,
            }),
            search: self.search,
        })
    }
}

/// Refuses a list that is longer than any request needs, before anything is read.
pub(in crate::graphql) fn at_most_100<T>(field: &str, list: Option<&[T]>) -> Result<(), ApiError> {
    match list {
        Some(list) if list.len() > 100 => Err(ApiError::invalid(field, "at most 100 values")),
        _ => Ok(()),
    }
}

/// Returns the ids in a list that can name something of this kind in this account.
pub(in crate::graphql) fn ids_of<I>(
    field: &str,
    ids: Option<Vec<ID>>,
    account_id: AccountId,
    kind: IdKind,
    from_uuid: fn(Uuid) -> I,
) -> Result<Option<Vec<I>>, ApiError> {
    at_most_100(field, ids.as_deref())?;
    let known = |id: ID| parse_id(&id, kind).filter(|id| id.account_id == account_id);
    Ok(ids.map(|ids| ids.into_iter().filter_map(known).map(|id| from_uuid(id.uuid)).collect()))
}
