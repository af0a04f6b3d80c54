//! Reading credit lots. Called by the shells and by the loaders of what entries drew.

pub(super) mod store;

use std::collections::HashMap;

use crate::domain::database::{Database, records};
use crate::domain::fault::QueryError;
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, LotId};
use crate::primitives::page::{Page, PageRequest};

use super::model::Lot;

/// Reads the lots of accounts.
#[derive(Clone, Debug)]
pub struct Lots {
    database: Database,
}

impl Lots {
    /// Reads the lots from `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Returns one page of an account's lots, oldest first; only lots with a remainder unless `include_spent`.
    pub async fn page(
        &self,
        actor: &Actor,
        account_id: AccountId,
        include_spent: bool,
        request: &PageRequest<(Timestamp, LotId)>,
    ) -> Result<Page<Lot, (Timestamp, LotId)>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        if !include_spent {
            return Ok(open_page(store::open(&self.database, account_id).await?, request));
        }
        let mut keyset = store::keyset();
        keyset.turn_to(false, request, |(created_at, id)| (created_at.millis(), id.uuid()));
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let position = |(millis, id)| (Timestamp::from_millis(millis), LotId::from_uuid(id));
        Ok(scan.into_page(request, position, records::record)?)
    }

    /// Returns lots by id.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[LotId],
    ) -> Result<HashMap<LotId, Lot>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        Ok(store::by_ids(&self.database, account_id, ids).await?)
    }
}

/// Returns the page of these lots. Few lots have a remainder at any time, so all of them are read by their own index, and the page is
/// cut here. A scan along all lots ever made could pass any number of spent ones.
fn open_page(lots: Vec<Lot>, request: &PageRequest<(Timestamp, LotId)>) -> Page<Lot, (Timestamp, LotId)> {
    let mut listed: Vec<((Timestamp, LotId), Lot)> = lots
        .into_iter()
        .map(|lot| ((lot.created_at, lot.id), lot))
        .filter(|(position, _)| {
            request.after.is_none_or(|after| *position > after)
                && request.before.is_none_or(|before| *position < before)
        })
        .collect();
    listed.sort_unstable_by_key(|(position, _)| *position);
    if request.backward {
        listed.reverse();
    }
    Page::from_scan(listed, request)
}
