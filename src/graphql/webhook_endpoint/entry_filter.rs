//! The filter of a webhook endpoint in the form of the API: parsed as that of the credit log, and shown as it is kept.

use async_graphql::{Context, ID, Object, SimpleObject};

use crate::domain::ledger::credit_log::ActorRef;
use crate::domain::webhook_endpoint;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::ApiError;
use crate::graphql::ledger::{ActorKind, CreditDirection, CreditEntryKind, CreditLogFilter};
use crate::graphql::refusals::Failure;
use crate::graphql::scalars::{Date, TimeZone};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, GlobalId, MemberId, SessionId, TopUpId};

/// Parses the filter of an endpoint of an account or of the platform; `None` if it restricts nothing. Ids that can never match are
/// refused: otherwise the endpoint would silently get nothing.
pub(super) fn parse(
    account_id: AccountId,
    filter: CreditLogFilter,
) -> Result<Option<webhook_endpoint::EntryFilter>, Failure> {
    if let Some(field) = filter.first_foreign(account_id) {
        return Err(Failure::invalid(
            &format!("entryFilter.{field}"),
            if account_id == AccountId::PLATFORM {
                "has an id that belongs to one account: the endpoint gets the entries of all accounts"
            } else {
                "has an id that does not belong to the account of the endpoint"
            },
        ));
    }
    let search = filter.search.clone();
    let conditions = filter.for_account(account_id).map_err(|invalid| {
        let field = invalid.field.strip_prefix("filter").unwrap_or_default();
        Failure::invalid(&format!("entryFilter{field}"), invalid.message)
    })?;
    let kept = webhook_endpoint::EntryFilter::new(conditions, search);
    kept.map_err(|invalid| Failure::invalid(invalid.field, invalid.message))
}

/// A filter of an endpoint, with its account.
#[derive(Clone, Debug)]
pub(crate) struct EntryFilter {
    account_id: AccountId,
    filter: webhook_endpoint::EntryFilter,
}

impl EntryFilter {
    pub(super) const fn new(account_id: AccountId, filter: webhook_endpoint::EntryFilter) -> Self {
        Self { account_id, filter }
    }

    fn ids<T: Copy>(&self, ids: Option<&[T]>, global: impl Fn(T, AccountId) -> GlobalId) -> Option<Vec<ID>> {
        let ids = ids?.iter();
        Some(ids.map(|id| public_id(global(*id, self.account_id))).collect())
    }
}

/// The entries that a webhook endpoint gets messages about: a `CreditLogFilter` that is kept. All conditions must match; a condition that is
/// null does not restrict.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl EntryFilter {
    /// Caused by any of these kinds of actors.
    async fn actor_kinds(&self) -> Option<Vec<ActorKind>> {
        let kinds = self.filter.conditions().actor_kinds.values()?.iter();
        Some(kinds.map(|kind| (*kind).into()).collect())
    }

    /// Caused by any of these members and API keys.
    async fn actor_ids(&self, ctx: &Context<'_>) -> Result<Option<Vec<ID>>, ApiError> {
        let Some(actors) = self.filter.conditions().actors.values() else {
            return Ok(None);
        };
        let keys = actors.iter().filter_map(|actor| match actor {
            ActorRef::Member(_) => None,
            ActorRef::ApiKey(id) => Some(*id),
        });
        let keys = scope(ctx)?.loaders.api_key_names_now(&keys.collect()).await?;
        // A key of the platform may act in all accounts.
        let account_of = |id| keys.get(id).map_or(self.account_id, |key| key.account_id);
        let ids = actors.iter().map(|actor| {
            public_id(match actor {
                ActorRef::Member(id) => id.global(self.account_id),
                ActorRef::ApiKey(id) => id.global(account_of(id)),
            })
        });
        Ok(Some(ids.collect()))
    }

    /// Posted on these calendar days.
    async fn dates(&self) -> Option<EntryFilterDates> {
        let dates = self.filter.conditions().dates;
        let (from, to) = dates.days();
        (from.is_some() || to.is_some()).then(|| EntryFilterDates {
            from: from.map(Date),
            to: to.map(Date),
            timezone: dates.timezone().map(TimeZone),
        })
    }

    /// Any of these kinds.
    async fn kinds(&self) -> Option<Vec<CreditEntryKind>> {
        let kinds = self.filter.conditions().kinds.values()?.iter();
        Some(kinds.map(|kind| (*kind).into()).collect())
    }

    /// Added or deducted.
    async fn direction(&self) -> Option<CreditDirection> {
        self.filter.conditions().direction.map(Into::into)
    }

    /// Used by any of these members.
    async fn member_ids(&self) -> Option<Vec<ID>> {
        self.ids(self.filter.conditions().member_ids.values(), MemberId::global)
    }

    /// Belonging to any of these sessions.
    async fn session_ids(&self) -> Option<Vec<ID>> {
        self.ids(self.filter.conditions().session_ids.values(), SessionId::global)
    }

    /// Belonging to any of these top-ups.
    async fn top_up_ids(&self) -> Option<Vec<ID>> {
        self.ids(self.filter.conditions().top_up_ids.values(), TopUpId::global)
    }

    /// Posted in this range.
    async fn occurred_at(&self) -> Option<EntryFilterInstants> {
        let range = self.filter.conditions().occurred_at;
        let (from, before) = (range.start(), range.end());
        (from.is_some() || before.is_some()).then_some(EntryFilterInstants { from, before })
    }

    /// Bounds on the absolute amount.
    async fn amount(&self) -> Option<EntryFilterAmount> {
        let range = self.filter.conditions().amount;
        let (min, max) = (range.min(), range.max());
        (min.is_some() || max.is_some()).then_some(EntryFilterAmount { min, max })
    }

    /// Words that must all occur in the text stored with the entry, as they were given.
    async fn search(&self) -> Option<&str> {
        self.filter.search()
    }
}

/// Calendar days of a filter, both inclusive.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct EntryFilterDates {
    /// The first day. Null for no beginning.
    from: Option<Date>,
    /// The last day. Null for no end.
    to: Option<Date>,
    /// The time zone of the days. Null for that of the account of the entry.
    timezone: Option<TimeZone>,
}

/// Instants of a filter.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct EntryFilterInstants {
    /// Inclusive. Null for no beginning.
    from: Option<Timestamp>,
    /// Exclusive. Null for no end.
    before: Option<Timestamp>,
}

/// Bounds on the absolute amount, both inclusive.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct EntryFilterAmount {
    /// Null for no lower bound.
    min: Option<Credits>,
    /// Null for no upper bound.
    max: Option<Credits>,
}
