//! SQL of the credit log.

pub(super) mod explanation;
pub(super) mod export;
pub(super) mod names;
pub(super) mod selection;
pub(super) mod servers;
pub(super) mod usage;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, Fields, FromRow, column_list, columns_of};
use crate::domain::database::select::{Condition, Select, Source};
use crate::domain::fault::Fault;
use crate::domain::ledger::model::Lot;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, MemberId};

use super::model::{CreditTotals, Entry, LotDraw, NamingEntries, UsageScope};
use selection::Selection;

/// Entries of one session, top-up or reversed entry, at most.
const MOST_OF_ONE: i64 = 100;

/// The fault of a column that contains a value which this program never writes.
pub(in crate::domain) fn broken(column: &str) -> Fault {
    Fault::Internal(format!("a row has an impossible {column}"))
}

/// Returns sums over a selection: over a range from its ends, otherwise from all its entries.
pub(super) async fn totals(source: &impl Source, selection: &Selection) -> Result<CreditTotals, Fault> {
    if selection.is_range() {
        let sums = range_sums(source, selection, &[(selection.from, selection.to)]).await?;
        let sums = sums.into_iter().flatten().next();
        return Ok(sums.unwrap_or_else(|| no_totals(selection.scope)));
    }
    let mut select = Select::of(source, selection.account_id, "SELECT ");
    select.push(SUMS).push(" FROM credit_entry WHERE account_id = $1");
    selection.and_range(&mut select);
    match select.one(source).await? {
        Some(row) => sums(&mut Fields::of(&row), selection.scope),
        None => Ok(no_totals(selection.scope)),
    }
}

/// The end of a range as a parameter of a statement.
#[derive(Record)]
struct End {
    sequence: i64,
}

/// What an entry knows of all entries before it and itself.
#[derive(Clone, Copy, FromRow, Record)]
struct RunningSums {
    sequence: i64,
    balance_after: Credits,
    added_after: Credits,
}

/// The sums before the first entry.
const NO_SUMS: RunningSums = RunningSums {
    sequence: 0,
    balance_after: Credits::ZERO,
    added_after: Credits::ZERO,
};

/// Returns sums over ranges of sequences, whose ends are inclusive; `None` for a range without entries. Only the entries at the
/// ends are read, however many are between them.
async fn range_sums(
    source: &impl Source,
    selection: &Selection,
    ranges: &[(i64, i64)],
) -> Result<Vec<Option<CreditTotals>>, Fault> {
    let ends = ranges.iter().filter(|(low, high)| low <= high);
    let ends: BTreeSet<i64> = ends.flat_map(|(low, high)| [low - 1, *high]).collect();
    let rows = Rows::of(ends.into_iter().map(|sequence| End { sequence }));
    let mut found = HashMap::new();
    if !rows.is_empty() {
        let mut select = Select::of(source, selection.account_id, "SELECT ");
        // The last range may reach beyond the log. CROSS JOIN keeps SQLite from scanning the log.
        select
            .push(&columns_of::<RunningSums>("e"))
            .push(", r.sequence FROM ")
            .relation(&rows)
            .push(
                " CROSS JOIN credit_entry AS e WHERE e.account_id = $1 AND e.sequence = (SELECT l.sequence FROM credit_entry AS l \
                 WHERE l.account_id = $1 AND l.sequence <= r.sequence ORDER BY l.sequence DESC LIMIT 1)",
            );
        for row in select.all(source).await? {
            let mut fields = Fields::of(&row);
            let sums = RunningSums::read(&mut fields)?;
            found.insert(fields.next::<i64>()?, sums);
        }
    }
    let until = |end: i64| found.get(&end).copied().unwrap_or(NO_SUMS);
    let sums = ranges.iter().map(|(low, high)| {
        let (before, after) = (until(low - 1), until(*high));
        let added = after.added_after.wrapping_sub(before.added_after);
        let net = after.balance_after.wrapping_sub(before.balance_after);
        (low <= high && before.sequence < after.sequence).then(|| CreditTotals {
            scope: selection.scope,
            count: after.sequence - before.sequence,
            added,
            deducted: added.wrapping_sub(net),
        })
    });
    Ok(sums.collect())
}

/// The sums as columns. [`sums`] reads them.
const SUMS: &str = "COUNT(*) AS entries, \
     CAST(COALESCE(SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END), 0) AS BIGINT) AS added, \
     CAST(COALESCE(SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END), 0) AS BIGINT) AS deducted";

/// Reads the sums from the next columns of a row.
fn sums(fields: &mut Fields<'_>, scope: UsageScope) -> Result<CreditTotals, Fault> {
    Ok(CreditTotals {
        scope,
        count: fields.next()?,
        added: fields.next()?,
        deducted: fields.next()?,
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
    select.values(database).await
}

/// Returns entries by id, of one member alone if `own` is set.
pub(super) async fn entries_by_id(
    database: &Database,
    account_id: AccountId,
    ids: &[EntryId],
    own: Option<MemberId>,
) -> Result<HashMap<EntryId, Entry>, Fault> {
    let mut select = Select::by_ids::<Entry>(database, account_id, "credit_entry", ids);
    select.and_all(&own_condition(own));
    Ok(records::by_id(select.records(database).await?, |entry: &Entry| {
        entry.id
    }))
}

/// Returns entries that name one of `ids` in `column`, oldest first, at most [`MOST_OF_ONE`] for each.
pub(super) async fn entries_naming<K: Copy + Eq + Hash + Into<Uuid>>(
    database: &Database,
    account_id: AccountId,
    (column, ids): (&'static str, &[K]),
    key: impl Fn(&Entry) -> Option<K>,
    own: Option<MemberId>,
) -> Result<HashMap<K, NamingEntries>, Fault> {
    let mut select = Select::of(database, account_id, "");
    select.push(&format!(
        "SELECT * FROM (SELECT {}, COUNT(*) OVER (PARTITION BY {column}) AS total, \
         ROW_NUMBER() OVER (PARTITION BY {column} ORDER BY sequence) AS place FROM credit_entry WHERE account_id = $1",
        column_list::<Entry>()
    ));
    select.and_all(&[Condition::Uuids(column, ids.iter().map(|id| (*id).into()).collect())]);
    select.and_all(&own_condition(own));
    select
        .push(") AS numbered WHERE place <= ")
        .bind(MOST_OF_ONE)
        .push(" ORDER BY sequence");
    let mut found: HashMap<K, NamingEntries> = HashMap::new();
    for row in select.all(database).await? {
        let mut fields = Fields::of(&row);
        let entry = Entry::read(&mut fields)?;
        if let Some(key) = key(&entry) {
            let naming = found.entry(key).or_default();
            naming.total = fields.next()?;
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
        "SELECT m.entry_id, m.amount, {} FROM (SELECT entry_id, ordinal, lot_id, amount FROM lot_movement \
         WHERE account_id = $1",
        columns_of::<Lot>("l")
    ));
    select.and_all(&[Condition::Uuids("entry_id", ids.iter().map(|id| id.uuid()).collect())]);
    select.push(") AS m JOIN credit_lot AS l ON l.account_id = $1 AND l.id = m.lot_id ORDER BY m.entry_id, m.ordinal");
    let mut found: HashMap<EntryId, Vec<LotDraw>> = HashMap::new();
    for row in select.all(database).await? {
        let mut fields = Fields::of(&row);
        found.entry(fields.next()?).or_default().push(LotDraw {
            amount: fields.next()?,
            lot: Lot::read(&mut fields)?,
        });
    }
    Ok(found)
}

/// Returns the number of the last entry; 0 in an empty log.
pub(super) async fn last_sequence(source: &impl Source, account_id: AccountId) -> Result<i64, Fault> {
    let text = "SELECT sequence FROM credit_entry WHERE account_id = $1 ORDER BY sequence DESC LIMIT 1";
    let last = Select::of(source, account_id, text).value(source).await?;
    Ok(last.unwrap_or(0))
}

fn own_condition(own: Option<MemberId>) -> Option<Condition> {
    own.map(|member_id| Condition::Uuids("member_id", vec![member_id.uuid()]))
}
