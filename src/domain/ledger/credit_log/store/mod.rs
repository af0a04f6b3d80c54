//! SQL of the credit log.

pub(super) mod explanation;
pub(super) mod selection;
pub(super) mod usage;

use std::collections::HashMap;
use std::hash::Hash;

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::fault::Fault;
use crate::domain::ledger::lots::store as lots;
use crate::domain::ledger::model::{ContraAccount, EntryKind};
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};

use super::model::{CreditTotals, Entry, LotDraw, NamingEntries, UsageScope};
use selection::{COLUMNS, Selection};

/// Entries of one session, top-up or reversed entry, at most.
const MOST_OF_ONE: i64 = 100;

/// Reads an entry from its row.
pub(super) fn entry(row: &Row, account_id: AccountId) -> Result<Entry, Fault> {
    let kind: String = row.try_get("", "kind")?;
    let contra: String = row.try_get("", "contra")?;
    let hash: Vec<u8> = row.try_get("", "hash")?;
    Ok(Entry {
        id: EntryId::from_uuid(row.try_get("", "id")?),
        account_id,
        sequence: row.try_get("", "sequence")?,
        occurred_at: Timestamp::from_millis(row.try_get("", "occurred_at")?),
        kind: EntryKind::from_text(&kind).ok_or_else(|| broken("kind"))?,
        contra: ContraAccount::from_text(&contra).ok_or_else(|| broken("contra"))?,
        amount: Credits::from_units(row.try_get("", "amount")?),
        balance_after: Credits::from_units(row.try_get("", "balance_after")?),
        description: row.try_get("", "description")?,
        cause: cause(row)?,
        member_id: row.try_get::<Option<Uuid>>("", "member_id")?.map(MemberId::from_uuid),
        session_id: row.try_get::<Option<Uuid>>("", "session_id")?.map(SessionId::from_uuid),
        top_up_id: row.try_get::<Option<Uuid>>("", "top_up_id")?.map(TopUpId::from_uuid),
        reverses: row
            .try_get::<Option<Uuid>>("", "reverses_entry_id")?
            .map(EntryId::from_uuid),
        taken_back: Credits::from_units(row.try_get("", "taken_back")?),
        hash: hash.try_into().map_err(|_| broken("hash"))?,
    })
}

/// Reads the cause from its three columns.
pub(in crate::domain) fn cause(row: &Row) -> Result<Cause, Fault> {
    let kind: String = row.try_get("", "actor_kind")?;
    let key: Option<Uuid> = row.try_get("", "actor_key_id")?;
    let member: Option<Uuid> = row.try_get("", "actor_member_id")?;
    Cause::from_columns(&kind, key.map(ApiKeyId::from_uuid), member.map(MemberId::from_uuid))
        .ok_or_else(|| broken("actor_kind"))
}

/// The fault of a column that contains a value which this program never writes.
pub(in crate::domain) fn broken(column: &str) -> Fault {
    Fault::Internal(format!("a row has an impossible {column}"))
}

/// Returns sums over a selection, by one statement.
pub(super) async fn totals(database: &Database, selection: &Selection) -> Result<CreditTotals, Fault> {
    let mut select = Select::of(database, selection.account_id, "SELECT ");
    select.push(SUMS).push(" FROM credit_entry WHERE account_id = $1");
    selection.and_range(&mut select);
    match select.one(database).await? {
        Some(row) => sums(&row, selection.scope),
        None => Ok(no_totals(selection.scope)),
    }
}

/// The sums as columns. [`sums`] reads them.
const SUMS: &str = "COUNT(*) AS entries, \
     CAST(COALESCE(SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END), 0) AS BIGINT) AS added, \
     CAST(COALESCE(SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END), 0) AS BIGINT) AS deducted";

/// Reads the sums from a row.
fn sums(row: &Row, scope: UsageScope) -> Result<CreditTotals, Fault> {
    Ok(CreditTotals {
        scope,
        count: row.try_get("", "entries")?,
        added: Credits::from_units(row.try_get("", "added")?),
        deducted: Credits::from_units(row.try_get("", "deducted")?),
    })
}

/// Sums over no entries.
pub(super) fn no_totals(scope: UsageScope) -> CreditTotals {
    CreditTotals {
        scope,
        count: 0,
        added: Credits::ZERO,
        deducted: Credits::ZERO,
    }
}

/// Returns which of these entries are in a selection.
pub(super) async fn selected(
    database: &Database,
    selection: &Selection,
    ids: &[EntryId],
) -> Result<Vec<EntryId>, Fault> {
    let text = "SELECT id FROM credit_entry WHERE account_id = $1";
    let mut select = Select::of(database, selection.account_id, text);
    select.and_all(&[Condition::Uuids("id", ids.iter().map(|id| id.uuid()).collect())]);
    selection.and_range(&mut select);
    let rows = select.all(database).await?;
    let id = |row: &Row| Ok(EntryId::from_uuid(row.try_get("", "id")?));
    rows.iter().map(id).collect()
}

/// Returns entries by id, of one member alone if `own` is set.
pub(super) async fn entries_by_id(
    database: &Database,
    account_id: AccountId,
    ids: &[EntryId],
    own: Option<MemberId>,
) -> Result<HashMap<EntryId, Entry>, Fault> {
    let mut select = Select::of(
        database,
        account_id,
        &format!("SELECT {COLUMNS} FROM credit_entry WHERE account_id = $1"),
    );
    select.and_all(&[Condition::Uuids("id", ids.iter().map(|id| id.uuid()).collect())]);
    select.and_all(&own_condition(own));
    let mut found = HashMap::new();
    for row in select.all(database).await? {
        let entry = entry(&row, account_id)?;
        found.insert(entry.id, entry);
    }
    Ok(found)
}

/// Returns entries that name one of `ids` in `column`, oldest first, at most [`MOST_OF_ONE`] for each.
pub(super) async fn entries_naming<K: Copy + Eq + Hash>(
    database: &Database,
    account_id: AccountId,
    (column, ids): (&'static str, &[K]),
    (uuid, key): (impl Fn(K) -> Uuid, impl Fn(&Entry) -> Option<K>),
    own: Option<MemberId>,
) -> Result<HashMap<K, NamingEntries>, Fault> {
    let mut select = Select::of(database, account_id, "");
    select.push(&format!(
        "SELECT * FROM (SELECT {COLUMNS}, ROW_NUMBER() OVER (PARTITION BY {column} ORDER BY sequence) AS place, \
         COUNT(*) OVER (PARTITION BY {column}) AS total \
         FROM credit_entry WHERE account_id = $1"
    ));
    select.and_all(&[Condition::Uuids(column, ids.iter().map(|id| uuid(*id)).collect())]);
    select.and_all(&own_condition(own));
    select
        .push(") AS numbered WHERE place <= ")
        .bind(MOST_OF_ONE)
        .push(" ORDER BY sequence");
    let mut found: HashMap<K, NamingEntries> = HashMap::new();
    for row in select.all(database).await? {
        let entry = entry(&row, account_id)?;
        if let Some(key) = key(&entry) {
            let naming = found.entry(key).or_default();
            naming.total = row.try_get("", "total")?;
            naming.entries.push(entry);
        }
    }
    Ok(found)
}

/// Returns what entries moved into and out of lots, in order.
pub(super) async fn draws(
    database: &Database,
    account_id: AccountId,
    ids: &[EntryId],
) -> Result<HashMap<EntryId, Vec<LotDraw>>, Fault> {
    let mut select = Select::of(database, account_id, "");
    select.push(&format!(
        "SELECT m.entry_id AS of_entry_id, m.amount, {} FROM (SELECT entry_id, ordinal, lot_id, amount FROM lot_movement \
         WHERE account_id = $1",
        lots::COLUMNS_OF_L
    ));
    select.and_all(&[Condition::Uuids("entry_id", ids.iter().map(|id| id.uuid()).collect())]);
    select.push(") AS m JOIN credit_lot AS l ON l.account_id = $1 AND l.id = m.lot_id ORDER BY m.entry_id, m.ordinal");
    let mut found: HashMap<EntryId, Vec<LotDraw>> = HashMap::new();
    for row in select.all(database).await? {
        let entry_id = EntryId::from_uuid(row.try_get("", "of_entry_id")?);
        found.entry(entry_id).or_default().push(LotDraw {
            lot: lots::lot(&row)?,
            amount: Credits::from_units(row.try_get("", "amount")?),
        });
    }
    Ok(found)
}

/// Returns titles and external ids of sessions.
pub(super) async fn session_names(
    database: &Database,
    account_id: AccountId,
    ids: Vec<Uuid>,
) -> Result<HashMap<SessionId, (String, Option<String>)>, Fault> {
    let mut found = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let mut select = Select::of(
        database,
        account_id,
        "SELECT id, title, external_id FROM session WHERE account_id = $1",
    );
    select.and_all(&[Condition::Uuids("id", ids)]);
    for row in select.all(database).await? {
        let id = SessionId::from_uuid(row.try_get("", "id")?);
        found.insert(id, (row.try_get("", "title")?, row.try_get("", "external_id")?));
    }
    Ok(found)
}

/// Returns the number of the last entry; 0 in an empty log.
pub(super) async fn last_sequence(database: &Database, account_id: AccountId) -> Result<i64, Fault> {
    let text = "SELECT sequence FROM credit_entry WHERE account_id = $1 ORDER BY sequence DESC LIMIT 1";
    match Select::of(database, account_id, text).one(database).await? {
        Some(row) => Ok(row.try_get("", "sequence")?),
        None => Ok(0),
    }
}

fn own_condition(own: Option<MemberId>) -> Option<Condition> {
    own.map(|member_id| Condition::Uuids("member_id", vec![member_id.uuid()]))
}
