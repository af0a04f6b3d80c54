//! Top-ups: purchases of credits.
//!
//! Called by the shells. Invariant: a top-up is credited once, by the ledger, in the transaction that makes it SUCCEEDED.

mod model;
mod store;

use std::collections::HashMap;

use crate::domain::database::Database;
use crate::domain::database::select::Condition;
use crate::domain::fault::QueryError;
use crate::domain::ledger::credit_log::list;
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, TopUpId};
use crate::primitives::page::{Page, PageRequest, SortOrder};

pub use model::{TopUp, TopUpFilter, TopUpOrigin, TopUpStatus};

/// A top-up's place in a list: when it was asked for, and its id.
pub type TopUpPosition = (Timestamp, TopUpId);

/// The top-ups of accounts.
#[derive(Clone, Debug)]
pub struct TopUps {
    database: Database,
}

impl TopUps {
    /// The top-ups as kept in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// One page of an account's top-ups, by the time they were asked for.
    pub async fn page(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &TopUpFilter,
        order: SortOrder,
        request: &PageRequest<TopUpPosition>,
    ) -> Result<Page<TopUp, TopUpPosition>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        let statuses = list("filter.statuses", filter.statuses.as_deref())?;
        let origins = list("filter.origins", filter.origins.as_deref())?;
        if statuses.as_ref().is_some_and(Vec::is_empty) || origins.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Page::from_scan(Vec::new(), request));
        }
        let names = |names: Vec<&'static str>| names.into_iter().map(str::to_owned).collect();
        let statuses =
            statuses.map(|list| Condition::Texts("status", names(list.iter().map(|one| one.as_str()).collect())));
        let origins =
            origins.map(|list| Condition::Texts("origin", names(list.iter().map(|one| one.as_str()).collect())));
        let mut keyset = store::keyset(statuses.into_iter().chain(origins).collect());
        if let Some(range) = filter.created_at {
            range.check("filter.createdAt")?;
            keyset.narrow(range.from, range.before);
        }
        keyset.turn_to(order == SortOrder::NewestFirst, request, |(at, id)| {
            (at.millis(), id.uuid())
        });
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let position = |(millis, id)| (Timestamp::from_millis(millis), TopUpId::from_uuid(id));
        Ok(scan.into_page(request, position, |row| store::top_up(row, account_id))?)
    }

    /// Top-ups by id.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[TopUpId],
    ) -> Result<HashMap<TopUpId, TopUp>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        Ok(store::by_ids(&self.database, account_id, ids).await?)
    }
}
