//! Reading the credit log: pages, sums, groups, files.
//!
//! Called by the shells, which show entries, and by the loaders of entries of other nouns. This module writes nothing.
//!
//! Invariants. A member without permission to read the whole log gets only their own entries. A condition in every statement
//! ensures that; rows are never dropped afterwards. An account's time never runs backwards. So the log is ordered by `sequence`
//! alone, and instants are first turned into sequences by a look-up. The cost of a statement does not grow with the number of
//! pages already read. A page's work is bounded whatever its filter: see [`crate::domain::database::keyset`].

mod explanation;
mod export;
mod filter;
mod model;
pub mod search;
mod servers;
pub(in crate::domain) mod store;
mod usage;

use std::collections::HashMap;

use chrono_tz::Tz;
use futures_util::Stream;

use ledgerbell_core::primitives::period;

use crate::domain::database::select::Source;
use crate::domain::database::{Database, records};
use crate::domain::fault::{Fault, InvalidInput, QueryError};
use crate::primitives::actor::{AccessError, Actor, Permission};
use crate::primitives::ids::{AccountId, EntryId, MemberId, SessionId, TopUpId};
use crate::primitives::page::{Page, PageRequest, SortOrder};

pub use explanation::{BalanceAt, HoldAt, HoldPosition};
pub use filter::{ActorKind, ActorRef, AmountRange, CreditLogFilter, DateRange, Direction};
pub use model::{
    CreditTotals, Entry, ExportRow, LotDraw, Name, Names, NamingEntries, UsageGroup, UsageGrouping, UsageScope,
};
pub use servers::LogEnd;
use servers::{PageQuery, Replicated, TotalsQuery, UsageQuery};
use store::selection::{Asked, Selection, account_zone};

/// Reads the credit log of every account.
#[derive(Clone, Debug)]
pub struct CreditLog {
    database: Database,
    replicated: Option<Replicated>,
    /// The last entry that is read: see [`Self::up_to`].
    end: Option<LogEnd>,
}

/// Returns whose entries and sessions a caller may see: all where `None`, else those of one member.
pub(in crate::domain) fn own_only(actor: &Actor, account_id: AccountId) -> Result<Option<MemberId>, AccessError> {
    match actor.require(account_id, Permission::ReadCreditLog) {
        Ok(()) => Ok(None),
        Err(refused) => match actor.member_id() {
            Some(member_id) => {
                actor.require(account_id, Permission::ReadOwnUsage)?;
                Ok(Some(member_id))
            }
            None => Err(refused),
        },
    }
}

impl CreditLog {
    /// Reads the log from `database`.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            replicated: None,
            end: None,
        }
    }

    /// Whether the caller sees all entries and not only their own.
    pub fn sees_whole_log(&self, actor: &Actor, account_id: AccountId) -> Result<bool, AccessError> {
        Ok(own_only(actor, account_id)?.is_none())
    }

    /// Returns one page of the log, ordered by sequence.
    pub async fn page(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &CreditLogFilter,
        order: SortOrder,
        request: &PageRequest<i64>,
    ) -> Result<Page<Entry, i64>, QueryError> {
        let asked = self.asked(actor, account_id, filter).await?;
        self.answer(&PageQuery { asked, order, request }).await
    }

    /// Returns which of these entries the filter lists: those that [`Self::page`] would show.
    pub async fn listed(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &CreditLogFilter,
        ids: &[EntryId],
    ) -> Result<Vec<EntryId>, QueryError> {
        let asked = self.asked(actor, account_id, filter).await?;
        let selection = Selection::new(&self.database, &asked).await?;
        if ids.is_empty() || selection.matches_nothing() {
            return Ok(Vec::new());
        }
        Ok(store::selected(&self.database, &selection, ids).await?)
    }

    /// Returns sums over all entries that the filter matches.
    pub async fn totals(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &CreditLogFilter,
    ) -> Result<CreditTotals, QueryError> {
        let asked = self.asked(actor, account_id, filter).await?;
        self.answer(&TotalsQuery(asked)).await
    }

    /// Returns sums over the filter's entries by group. Periods are ordered newest first, all other groups by key. At most one
    /// grouping may be a period. Days are counted in `timezone`, else in the account's own zone.
    pub async fn usage(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &CreditLogFilter,
        group_by: &[UsageGrouping],
        timezone: Option<Tz>,
        request: &PageRequest<String>,
    ) -> Result<Page<UsageGroup, String>, QueryError> {
        let grouping = usage::Grouping::new(group_by)?;
        if request.backward || request.before.is_some() {
            return Err(InvalidInput::new("last", "groups are paged forward only").into());
        }
        let asked = self.asked(actor, account_id, filter).await?;
        let zone = match timezone {
            Some(zone) => zone,
            None if grouping.has_period() => account_zone(&self.database, account_id).await?,
            None => Tz::UTC,
        };
        let grouping = &grouping;
        self.answer(&UsageQuery {
            asked,
            grouping,
            zone,
            request,
        })
        .await
    }

    /// Streams the filter's entries as chunks of at most 1,000, oldest first. The last entry is the last one that was
    /// posted before the call.
    pub async fn export(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &CreditLogFilter,
    ) -> Result<impl Stream<Item = Result<Vec<ExportRow>, Fault>> + Send + use<>, QueryError> {
        let asked = self.asked(actor, account_id, filter).await?;
        Ok(export::stream(self.clone(), asked).await?)
    }

    /// Returns entries by id.
    pub async fn entries_by_id(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[EntryId],
    ) -> Result<HashMap<EntryId, Entry>, QueryError> {
        let own = own_only(actor, account_id)?;
        Ok(store::entries_by_id(&self.database, account_id, ids, own).await?)
    }

    /// Returns each session's entries, oldest first: the first 100, and their total number.
    pub async fn entries_of_sessions(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[SessionId],
    ) -> Result<HashMap<SessionId, NamingEntries>, QueryError> {
        let own = own_only(actor, account_id)?;
        let session = |entry: &Entry| entry.session_id;
        Ok(store::entries_naming(&self.database, account_id, ("session_id", ids), session, own).await?)
    }

    /// Returns each top-up's entries, oldest first: the first 100, and their total number.
    pub async fn entries_of_top_ups(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[TopUpId],
    ) -> Result<HashMap<TopUpId, NamingEntries>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        let top_up = |entry: &Entry| entry.top_up_id;
        Ok(store::entries_naming(&self.database, account_id, ("top_up_id", ids), top_up, None).await?)
    }

    /// Returns the entries that reverse each entry, oldest first: the first 100, and their total number.
    pub async fn reversals_of(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[EntryId],
    ) -> Result<HashMap<EntryId, NamingEntries>, QueryError> {
        let own = own_only(actor, account_id)?;
        let reversed = |entry: &Entry| entry.reverses;
        Ok(store::entries_naming(&self.database, account_id, ("reverses_entry_id", ids), reversed, own).await?)
    }

    /// Returns what each entry moved into and out of lots.
    pub async fn draws_of(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[EntryId],
    ) -> Result<HashMap<EntryId, Vec<LotDraw>>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        Ok(store::draws(&self.database, account_id, ids).await?)
    }

    /// Returns the names of members and sessions for rows that the caller may see, by one statement. Any caller of the account may
    /// see names of members.
    pub async fn names(
        &self,
        actor: &Actor,
        account_id: AccountId,
        members: &[MemberId],
        sessions: &[SessionId],
    ) -> Result<Names, QueryError> {
        let own = own_only(actor, account_id)?;
        Ok(store::names::of(&self.database, account_id, members, sessions, own).await?)
    }

    /// Returns what the filter asks for, as far as the caller may see it. Who may see what, and the account's zone, are read from the
    /// primary.
    async fn asked<'f>(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &'f CreditLogFilter,
    ) -> Result<Asked<'f>, QueryError> {
        let own = own_only(actor, account_id)?;
        let zone = if filter.needs_zone() {
            account_zone(&self.database, account_id).await?
        } else {
            Tz::UTC
        };
        Ok(Asked {
            account_id,
            filter,
            own,
            zone,
            end: self.end,
        })
    }
}

async fn page_of(
    source: &impl Source,
    selection: &Selection,
    order: SortOrder,
    request: &PageRequest<i64>,
) -> Result<Page<Entry, i64>, Fault> {
    let mut keyset = selection.keyset();
    keyset.turn_to(order == SortOrder::NewestFirst, request, |sequence| sequence);
    let scan = keyset.scan(source, selection.account_id, request.limit).await?;
    scan.into_page(request, |sequence| sequence, records::record)
}
