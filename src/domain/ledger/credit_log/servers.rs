//! Which server answers a query of the log: a replica, if it has the account's last entry, otherwise the primary.
//!
//! Each entry has a hash over itself and all entries before it. So the log up to an entry with a known number and hash is the same on
//! each server that has this entry: on a replica that is behind in other accounts, on one that is ahead, and also on one that
//! continues a history which a restored primary does not have. The number and the hash are read from the primary with the account,
//! in the same statement, in each request. Therefore an answer contains every change that was acknowledged before the request,
//! through any process, and pages that come from different servers fit together.
//!
//! What the hash covers is proven ([`Entry::hash_after`]): account, number, id, kind, contra account, amount, balance, instant,
//! session, top-up, the reversed entry, cause, member and description. `added_after` follows from the amounts. `search_text` is
//! written with the entry, and again only for another form of search, whose number is compared. `taken_back` changes later and is
//! not proven, so nothing that is shown may come from it.
//!
//! A file also has the title and the external id of each entry's session. They are in the session's row from its booking on and never
//! change. The row is committed before the entry that names it, or with it. So a server that has the entry has them.
//!
//! *Invariant:* such an answer has no entry beyond the known end: everything after it may differ between servers.

use uuid::Uuid;

use crate::domain::database::select::Source;
use crate::domain::database::{Proof, Replica, ReplicaResult, ServerRead};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::credit_log::usage::{self, Grouping};
use crate::primitives::ids::AccountId;
use crate::primitives::page::{Page, PageRequest, SortOrder};
use crate::primitives::record::{FromRow, Record};

use super::CreditLog;
use super::model::{CreditTotals, Entry, ExportRow, UsageGroup};
use super::search::FORM;
use super::store::selection::{Asked, Selection};
use super::store::{self, servers::At};

/// The last entry of an account's log at an instant, as the primary had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow, Record)]
pub struct LogEnd {
    /// The number of the entry; 0 for an empty log.
    #[record(name = "entry_sequence")]
    pub sequence: i64,
    /// The hash of the entry.
    #[record(name = "last_hash", bytes)]
    pub hash: [u8; 32],
}

/// A replica of this installation's database.
#[derive(Clone, Debug)]
pub(super) struct Replicated {
    replica: Replica,
    epoch: Uuid,
}

/// A query of the log.
pub(super) trait LogQuery: Sync {
    /// The answer.
    type Found: Send;

    /// The account whose log it reads.
    fn account_id(&self) -> AccountId;

    /// Reads the answer. All statements of a replica are of one transaction.
    fn run(&self, source: &impl Source) -> impl Future<Output = Result<Self::Found, QueryError>> + Send;
}

impl CreditLog {
    /// Adds a replica, if there is one; `epoch` is the identity of the installation.
    #[must_use]
    pub fn with_replica(self, replica: Option<Replica>, epoch: Uuid) -> Self {
        Self {
            replicated: replica.map(|replica| Replicated { replica, epoch }),
            ..self
        }
    }

    /// Returns the log up to this entry, which the caller has just read with the account. Only such a log is read from a replica.
    #[must_use]
    pub fn up_to(&self, end: Option<LogEnd>) -> Self {
        Self {
            end: end.filter(|_| self.replicated.is_some()),
            ..self.clone()
        }
    }

    /// How often the replica answered, and how often it did not; always 0 without a replica.
    pub fn replica_reads(&self) -> [(ReplicaResult, u64); ReplicaResult::ALL.len()] {
        let replica = self.replicated.as_ref().map(|replicated| &replicated.replica);
        ReplicaResult::ALL.map(|result| (result, replica.map_or(0, |replica| replica.count_of(result))))
    }

    pub(super) async fn answer<Q: LogQuery>(&self, query: &Q) -> Result<Q::Found, QueryError> {
        // The primary answers as fast where nothing is to read.
        if let (Some(Replicated { replica, epoch }), Some(end @ LogEnd { sequence: 1.., .. })) =
            (&self.replicated, self.end)
            && let Some(found) = replica
                .answer(&OfReplica {
                    query,
                    end,
                    epoch: *epoch,
                })
                .await
        {
            return found;
        }
        query.run(&self.database).await
    }
}

/// A query for a replica, and what that must have.
struct OfReplica<'q, Q> {
    query: &'q Q,
    end: LogEnd,
    epoch: Uuid,
}

impl<Q: LogQuery> ServerRead for OfReplica<'_, Q> {
    type Found = Q::Found;

    async fn prove(&self, source: &impl Source) -> Result<Proof, Fault> {
        let at = store::servers::at(source, self.query.account_id(), self.end).await?;
        Ok(match at {
            Some(At { epoch, .. }) if epoch != self.epoch => Proof::Foreign,
            // A search reads text in the form of this version.
            Some(At {
                has_entry: true,
                search_form: FORM,
                ..
            }) => Proof::Has,
            _ => Proof::Behind,
        })
    }

    async fn run(&self, source: &impl Source) -> Result<Q::Found, QueryError> {
        self.query.run(source).await
    }
}

/// One page of the log.
pub(super) struct PageQuery<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) order: SortOrder,
    pub(super) request: &'a PageRequest<i64>,
}

impl LogQuery for PageQuery<'_> {
    type Found = Page<Entry, i64>;

    fn account_id(&self) -> AccountId {
        self.asked.account_id
    }

    async fn run(&self, source: &impl Source) -> Result<Self::Found, QueryError> {
        let selection = Selection::new(source, &self.asked).await?;
        Ok(super::page_of(source, &selection, self.order, self.request).await?)
    }
}

/// A part of an export, oldest entries first.
pub(super) struct ChunkQuery<'a> {
    pub(super) selection: &'a Selection,
    pub(super) request: &'a PageRequest<i64>,
}

impl LogQuery for ChunkQuery<'_> {
    type Found = Page<ExportRow, i64>;

    fn account_id(&self) -> AccountId {
        self.selection.account_id
    }

    async fn run(&self, source: &impl Source) -> Result<Self::Found, QueryError> {
        Ok(store::export::chunk(source, self.selection, self.request).await?)
    }
}

/// Sums over the log.
pub(super) struct TotalsQuery<'a>(pub(super) Asked<'a>);

impl LogQuery for TotalsQuery<'_> {
    type Found = CreditTotals;

    fn account_id(&self) -> AccountId {
        self.0.account_id
    }

    async fn run(&self, source: &impl Source) -> Result<Self::Found, QueryError> {
        let selection = Selection::new(source, &self.0).await?;
        if selection.matches_nothing() {
            return Ok(store::no_totals(selection.scope));
        }
        Ok(store::totals(source, &selection).await?)
    }
}

/// Sums over the log by group.
pub(super) struct UsageQuery<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) grouping: &'a Grouping,
    pub(super) zone: chrono_tz::Tz,
    pub(super) request: &'a PageRequest<String>,
}

impl LogQuery for UsageQuery<'_> {
    type Found = Page<UsageGroup, String>;

    fn account_id(&self) -> AccountId {
        self.asked.account_id
    }

    async fn run(&self, source: &impl Source) -> Result<Self::Found, QueryError> {
        let selection = Selection::new(source, &self.asked).await?;
        usage::page(source, &selection, self.grouping, self.zone, self.request).await
    }
}
