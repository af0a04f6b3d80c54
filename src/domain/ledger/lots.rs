//! Reading credit lots. Called by the shells and by the loaders of what entries drew.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::keyset::{Keyset, Position};
use crate::domain::database::select::{Row, Select};
use crate::domain::fault::{Fault, QueryError};
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, LotId};
use crate::primitives::page::{Page, PageRequest};

use super::credit_log::store::broken;
use super::model::{Lot, LotKind, MAX_LOTS};

const COLUMNS: &str = "id, kind, granted, remaining, priority, expires_at, created_at, entry_id";
/// The same columns of a table with the alias `l`.
pub(super) const COLUMNS_OF_L: &str =
    "l.id, l.kind, l.granted, l.remaining, l.priority, l.expires_at, l.created_at, l.entry_id";

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
            return Ok(self.open_page(account_id, request).await?);
        }
        let mut keyset = Keyset {
            table: "credit_lot",
            key: &["created_at", "id"],
            columns: COLUMNS,
            branches: Vec::new(),
            has_repeats: false,
            residuals: Vec::new(),
            from: <(i64, Uuid)>::FIRST,
            to: <(i64, Uuid)>::LAST,
            descending: false,
        };
        keyset.turn_to(false, request, |(created_at, id)| (created_at.millis(), id.uuid()));
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let position = |(millis, id)| (Timestamp::from_millis(millis), LotId::from_uuid(id));
        Ok(scan.into_page(request, position, lot)?)
    }

    /// Returns lots by id.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[LotId],
    ) -> Result<HashMap<LotId, Lot>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        let select = Select::by_ids(
            &self.database,
            account_id,
            ("credit_lot", COLUMNS),
            ids.iter().map(|id| id.uuid()),
        );
        let mut found = HashMap::new();
        for row in select.all(&self.database).await? {
            let lot = lot(&row)?;
            found.insert(lot.id, lot);
        }
        Ok(found)
    }

    /// Few lots have a remainder at any time. So all of them are read by their own index, and the page is cut here. A scan
    /// along all lots ever made could pass any number of spent ones.
    async fn open_page(
        &self,
        account_id: AccountId,
        request: &PageRequest<(Timestamp, LotId)>,
    ) -> Result<Page<Lot, (Timestamp, LotId)>, Fault> {
        let mut select = Select::of(&self.database, account_id, "");
        select.push(&format!(
            "SELECT {COLUMNS} FROM credit_lot WHERE account_id = $1 AND remaining > 0 \
             ORDER BY priority, expires_at, created_at, id LIMIT {MAX_LOTS}"
        ));
        let mut lots = Vec::new();
        for row in select.all(&self.database).await? {
            let lot = lot(&row)?;
            let position = (lot.created_at, lot.id);
            if request.after.is_none_or(|after| position > after)
                && request.before.is_none_or(|before| position < before)
            {
                lots.push((position, lot));
            }
        }
        lots.sort_unstable_by_key(|(position, _)| *position);
        if request.backward {
            lots.reverse();
        }
        Ok(Page::from_scan(lots, request))
    }
}

/// Reads a lot from its row.
pub(super) fn lot(row: &Row) -> Result<Lot, Fault> {
    let kind: String = row.try_get("", "kind")?;
    Ok(Lot {
        id: LotId::from_uuid(row.try_get("", "id")?),
        kind: LotKind::from_text(&kind).ok_or_else(|| broken("kind"))?,
        granted: Credits::from_units(row.try_get("", "granted")?),
        remaining: Credits::from_units(row.try_get("", "remaining")?),
        priority: row.try_get("", "priority")?,
        expires_at: row
            .try_get::<Option<i64>>("", "expires_at")?
            .map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.try_get("", "created_at")?),
        entry_id: EntryId::from_uuid(row.try_get("", "entry_id")?),
    })
}
