//! The filter of the credit log in the form of the API.

use async_graphql::{Enum, ID, InputObject};
use uuid::Uuid;

use super::entry::{ActorKind, CreditEntryKind};
use crate::domain::fault::InvalidInput;
use crate::domain::filter::{self, AnyOf, InstantRange};
use crate::domain::ledger::credit_log;
use crate::domain::ledger::credit_log::search::Search;
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
pub(crate) struct DateTimeRange {
    /// Inclusive. Without it the range has no beginning.
    pub from: Option<Timestamp>,
    /// Exclusive. Without it the range has no end.
    pub before: Option<Timestamp>,
}

/// Parses a range of instants; without one, all instants.
pub(in crate::graphql) fn instants(
    field: &'static str,
    range: Option<DateTimeRange>,
) -> Result<InstantRange, InvalidInput> {
    let (from, before) = range.map_or((None, None), |range| (range.from, range.before));
    InstantRange::new(field, from, before)
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
    /// Returns the first field with an id that can never match in this account.
    pub(in crate::graphql) fn first_foreign(&self, account_id: AccountId) -> Option<&'static str> {
        let own = |ids: Option<&[ID]>, kind| {
            let is_own = |id| parse_id(id, kind).is_some_and(|id| id.account_id == account_id);
            ids.unwrap_or_default().iter().all(is_own)
        };
        let mut actors = self.actor_ids.iter().flatten();
        let fields = [
            ("actorIds", actors.all(|id| actor_in(account_id, id).is_some())),
            ("memberIds", own(self.member_ids.as_deref(), IdKind::Member)),
            ("sessionIds", own(self.session_ids.as_deref(), IdKind::Session)),
            ("topUpIds", own(self.top_up_ids.as_deref(), IdKind::TopUp)),
        ];
        fields.into_iter().find(|(_, is_own)| !is_own).map(|(field, _)| field)
    }

    /// Parses the filter of the domain. Ids that are unknown, of another type or of another account match nothing.
    pub(in crate::graphql) fn for_account(
        self,
        account_id: AccountId,
    ) -> Result<credit_log::CreditLogFilter, InvalidInput> {
        let actor = |id: ID| actor_in(account_id, &id);
        let (dates, amount) = (self.dates, self.amount);
        let days = dates.map(|dates| (dates.from.map(|date| date.0), dates.to.map(|date| date.0)));
        let timezone = dates.and_then(|dates| dates.timezone).map(|zone| zone.0);
        let (min, max) = amount.map_or((None, None), |amount| (amount.min, amount.max));
        let member = known(account_id, IdKind::Member, MemberId::from_uuid);
        let session = known(account_id, IdKind::Session, SessionId::from_uuid);
        let top_up = known(account_id, IdKind::TopUp, TopUpId::from_uuid);
        Ok(credit_log::CreditLogFilter {
            actor_kinds: AnyOf::new("filter.actorKinds", self.actor_kinds)?,
            actors: AnyOf::parse("filter.actorIds", self.actor_ids, actor)?,
            dates: credit_log::DateRange::new("filter.dates", days.unwrap_or_default(), timezone)?,
            kinds: AnyOf::new("filter.kinds", self.kinds)?,
            direction: self.direction.map(Into::into),
            member_ids: AnyOf::parse("filter.memberIds", self.member_ids, member)?,
            session_ids: AnyOf::parse("filter.sessionIds", self.session_ids, session)?,
            top_up_ids: AnyOf::parse("filter.topUpIds", self.top_up_ids, top_up)?,
            occurred_at: instants("filter.occurredAt", self.occurred_at)?,
            amount: credit_log::AmountRange::new("filter.amount", min, max)?,
            search: Search::parse("filter.search", self.search.as_deref())?,
        })
    }
}

/// Parses the id of an actor that may have caused an entry of this account. A platform key acts in all accounts, so its id contains the
/// number of another account.
fn actor_in(account_id: AccountId, id: &ID) -> Option<credit_log::ActorRef> {
    match id.parse::<GlobalId>().ok()? {
        id if id.kind == IdKind::Member && id.account_id == account_id => {
            Some(credit_log::ActorRef::Member(MemberId::from_uuid(id.uuid)))
        }
        id if id.kind == IdKind::ApiKey && [account_id, AccountId::PLATFORM].contains(&id.account_id) => {
            Some(credit_log::ActorRef::ApiKey(ApiKeyId::from_uuid(id.uuid)))
        }
        _ => None,
    }
}

/// Refuses a list that is longer than any request needs, before anything is read.
pub(in crate::graphql) fn at_most_100<T>(field: &'static str, list: Option<&[T]>) -> Result<(), ApiError> {
    Ok(filter::check_count(field, list.map_or(0, <[T]>::len))?)
}

/// Parses an id that can name something of this kind in this account.
pub(in crate::graphql) fn known<I>(
    account_id: AccountId,
    kind: IdKind,
    from_uuid: fn(Uuid) -> I,
) -> impl Fn(ID) -> Option<I> {
    move |id| {
        let id = parse_id(&id, kind).filter(|id| id.account_id == account_id)?;
        Some(from_uuid(id.uuid))
    }
}
