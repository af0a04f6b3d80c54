//! SQL of entries and their movements.

use std::collections::BTreeSet;

use entity::{credit_entry, lot_movement};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, Fields, FromRow, columns_of};
use crate::domain::database::scope::AccountScope;
use crate::domain::database::writes::Writes;
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::search::searchable;
use crate::domain::ledger::model::{Entry, HASH_VERSION, LotMovement, PastEntry, SessionRef};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, TopUpId};

use super::{Batch, Named, Work};

/// A new line of the log, as it is inserted.
#[derive(Record)]
struct EntryRow {
    #[record(flatten)]
    entry: Entry,
    search_text: String,
    hash_version: i32,
}

#[derive(Record)]
struct MovementRow {
    account_id: AccountId,
    entry_id: EntryId,
    ordinal: i32,
    #[record(flatten)]
    movement: LotMovement,
}

/// How much of an old entry is reversed.
#[derive(Record)]
struct ReversedPart {
    account_id: AccountId,
    sequence: i64,
    taken_back: Credits,
}

/// Loads the entries that commands refund or reverse, and those that credited the named top-ups.
pub(super) async fn load(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let (mut named, mut top_ups) = (Vec::new(), Vec::new());
    for work in &*batch.works {
        let account_id = work.account_id();
        let charges = work.needs.charges.iter().filter_map(|session| charge_of(work, session));
        // Each once: an entry that comes twice would come with twice its movements.
        let ids: BTreeSet<EntryId> = work.needs.entries.iter().copied().chain(charges).collect();
        named.extend(ids.into_iter().map(|id| Named { account_id, id }));
        let credited = work.needs.credited_top_ups.iter();
        top_ups.extend(credited.map(|id| Named { account_id, id: *id }));
    }
    load_named(tx, batch, &Rows::of(named)).await?;
    load_credited(tx, batch, &Rows::of(top_ups)).await
}

fn charge_of(work: &Work, session: &SessionRef) -> Option<EntryId> {
    let id = match session {
        SessionRef::Id(id) => id,
        SessionRef::ExternalId(id) => work.state.sessions_by_external_id.get(id)?,
    };
    work.state.sessions.get(id)?.charge_entry_id
}

async fn load_named(tx: &Transaction, batch: &mut Batch<'_>, named: &Rows) -> Result<(), Fault> {
    let sql = |scope: AccountScope, relation| {
        format!(
            "SELECT {}, {} FROM {relation} {} {} ORDER BY t.account_id, t.id, p.ordinal",
            columns_of::<PastEntry>("t"),
            columns_of::<LotMovement>("p"),
            scope.probe("credit_entry", "t.id = r.id"),
            scope.parts("lot_movement", "p.entry_id = t.id"),
        )
    };
    for row in AccountScope::select(tx, named, sql).await? {
        let mut fields = Fields::of(&row);
        let past = PastEntry::read(&mut fields)?;
        let movement = Option::<LotMovement>::read(&mut fields)?;
        let entries = &mut batch.work(past.entry.account_id)?.state.entries;
        entries.entry(past.entry.id).or_insert(past).movements.extend(movement);
    }
    Ok(())
}

async fn load_credited(tx: &Transaction, batch: &mut Batch<'_>, top_ups: &Rows) -> Result<(), Fault> {
    let sql = |scope: AccountScope, relation| {
        let condition = "t.top_up_id = r.id AND t.kind IN ('TOP_UP', 'AUTO_TOP_UP')";
        let credited = scope.probe("credit_entry", condition);
        format!("SELECT t.account_id, t.top_up_id, t.id FROM {relation} {credited}")
    };
    for row in AccountScope::select(tx, top_ups, sql).await? {
        let (account_id, top_up_id, entry_id): (_, TopUpId, EntryId) = row.try_get_many_by_index()?;
        let state = &mut batch.work(account_id)?.state;
        state.credited_top_ups.insert(top_up_id, entry_id);
    }
    Ok(())
}

/// Returns how much of an entry was reversed, as the transaction sees it.
pub(in crate::domain::ledger) async fn taken_back(
    tx: &Transaction,
    account_id: AccountId,
    entry_id: EntryId,
) -> Result<Credits, Fault> {
    let sql = "SELECT taken_back FROM credit_entry WHERE account_id = $1 AND id = $2";
    let found = records::value(tx, sql, [account_id.into(), entry_id.into()]).await?;
    found.ok_or_else(|| Fault::Internal("an entry that a top-up names does not exist".to_owned()))
}

/// Adds new entries with their movements, and what was returned of old ones. The reversed parts of old ones are written at once.
pub(super) async fn save(tx: &Transaction, writes: &mut Writes<'_>, works: &[Work]) -> Result<(), Fault> {
    let (entries, movements) = new_rows(works);
    writes.insert_all::<credit_entry::Entity>(&entries);
    writes.insert_all::<lot_movement::Entity>(&movements);
    let (taken_back, returned) = past_rows(works);
    writes.save_all::<lot_movement::Entity>(&returned);
    let sql = |scope: AccountScope, relation| {
        let account = scope.condition("credit_entry");
        format!(
            "UPDATE credit_entry SET taken_back = r.taken_back FROM {relation} \
             WHERE credit_entry.account_id = r.account_id{account} AND credit_entry.sequence = r.sequence"
        )
    };
    AccountScope::execute(tx, &taken_back, sql).await
}

fn new_rows(works: &[Work]) -> (Rows, Rows) {
    let (mut entries, mut movements) = (Vec::new(), Vec::new());
    for work in works {
        for new in &work.changes.entries {
            let mut entry = new.entry.clone();
            // A later command of the batch may have reversed some of it already.
            let now = work.state.entries.get(&entry.id);
            entry.taken_back = now.map_or(Credits::ZERO, |now| now.entry.taken_back);
            let moved = now.map_or(&new.movements, |now| &now.movements);
            movements.extend(movement_rows(entry.account_id, entry.id, moved));
            entries.push(EntryRow {
                entry,
                search_text: searchable(&new.search_text),
                hash_version: HASH_VERSION,
            });
        }
    }
    (Rows::of(entries), Rows::of(movements))
}

/// Returns old entries alone: new ones are written in their final state.
fn past_rows(works: &[Work]) -> (Rows, Rows) {
    let (mut taken_back, mut returned) = (Vec::new(), Vec::new());
    for work in works {
        let account_id = work.account_id();
        let first_new = work.changes.entries.first().map_or(i64::MAX, |new| new.entry.sequence);
        let changed = work.changes.past_entries.iter();
        let changed = changed.filter_map(|id| work.state.entries.get(id));
        for PastEntry { entry, movements } in changed.filter(|past| past.entry.sequence < first_new) {
            taken_back.push(ReversedPart {
                account_id,
                sequence: entry.sequence,
                taken_back: entry.taken_back,
            });
            returned.extend(movement_rows(account_id, entry.id, movements));
        }
    }
    (Rows::of(taken_back), Rows::of(returned))
}

fn movement_rows(
    account_id: AccountId,
    entry_id: EntryId,
    movements: &[LotMovement],
) -> impl Iterator<Item = MovementRow> {
    (0_i32..).zip(movements).map(move |(ordinal, movement)| MovementRow {
        account_id,
        entry_id,
        ordinal,
        movement: *movement,
    })
}
