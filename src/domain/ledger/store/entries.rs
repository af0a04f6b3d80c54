//! SQL of entries and their movements.

use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::search::searchable;
use crate::domain::ledger::model::{
    Command, ContraAccount, EntryKind, HASH_VERSION, LotMovement, NewEntry, PastEntry, SessionRef,
};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, EntryId, LotId, MemberId, SessionId, TopUpId};

use super::fields::Fields;
use super::{Batch, Scope, Work, execute, query};

const NAMED: Columns = &[("account_id", Kind::BigInt), ("id", Kind::Uuid)];

const COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("sequence", Kind::BigInt),
    ("id", Kind::Uuid),
    ("occurred_at", Kind::BigInt),
    ("kind", Kind::Text),
    ("contra", Kind::Text),
    ("amount", Kind::BigInt),
    ("balance_after", Kind::BigInt),
    ("description", Kind::Text),
    ("actor_kind", Kind::Text),
    ("actor_key_id", Kind::Uuid),
    ("actor_member_id", Kind::Uuid),
    ("member_id", Kind::Uuid),
    ("session_id", Kind::Uuid),
    ("top_up_id", Kind::Uuid),
    ("reverses_entry_id", Kind::Uuid),
    ("taken_back", Kind::BigInt),
    ("search_text", Kind::Text),
    ("hash_version", Kind::Int),
    ("hash", Kind::Bytes),
];

const MOVEMENT_COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("entry_id", Kind::Uuid),
    ("ordinal", Kind::Int),
    ("lot_id", Kind::Uuid),
    ("amount", Kind::BigInt),
    ("returned", Kind::BigInt),
];

const TAKEN_BACK: Columns = &[
    ("account_id", Kind::BigInt),
    ("sequence", Kind::BigInt),
    ("taken_back", Kind::BigInt),
];

/// Loads the entries that commands refund or reverse, and those that credited the named top-ups.
pub(super) async fn load(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut named = Rows::new(NAMED);
    let mut top_ups = Rows::new(NAMED);
    for work in &*batch.works {
        let number = work.number();
        for request in &work.requests {
            let entry_id = match &request.command {
                Command::Refund { session, .. } => charge_of(work, session),
                Command::TakeBack { entry_id, .. }
                | Command::HoldTopUp { entry_id, .. }
                | Command::HoldRefund { entry_id, .. } => Some(*entry_id),
                Command::Adjust { reverses, .. } => *reverses,
                Command::CreditTopUp { top_up_id, .. } => {
                    top_ups.push([number.into(), top_up_id.uuid().into()]);
                    None
                }
                _ => None,
            };
            if let Some(entry_id) = entry_id {
                named.push([number.into(), entry_id.uuid().into()]);
            }
        }
    }
    load_named(tx, batch, &named).await?;
    load_credited(tx, batch, &top_ups).await
}

fn charge_of(work: &Work, session: &SessionRef) -> Option<EntryId> {
    let id = match session {
        SessionRef::Id(id) => id,
        SessionRef::ExternalId(id) => work.state.sessions_by_external_id.get(id)?,
    };
    work.state.sessions.get(id)?.charge_entry_id
}

async fn load_named(tx: &Transaction, batch: &mut Batch<'_>, named: &Rows) -> Result<(), Fault> {
    if named.is_empty() {
        return Ok(());
    }
    let (scope, backend) = (batch.scope(), batch.backend);
    let sql = format!(
        "SELECT t.account_id, t.id, t.sequence, t.kind, t.contra, t.amount, t.taken_back, t.member_id, t.session_id, t.top_up_id, \
         p.ordinal, p.lot_id, p.amount, p.returned FROM {} {} {} ORDER BY t.account_id, t.id, p.ordinal",
        named.relation(backend, 1),
        scope.probe(backend, "credit_entry", "t.id = r.id"),
        Scope::parts(backend, "lot_movement", "p.entry_id = t.id"),
    );
    for row in query(tx, scope.statement(backend, sql, named)).await? {
        let (account_id, entry, movement) = past_entry(&row)?;
        let entries = &mut batch.work(account_id)?.state.entries;
        let entry = entries.entry(entry.id).or_insert(entry);
        // An entry that several commands name comes once for each of them.
        if let Some((ordinal, movement)) = movement
            && ordinal == entry.movements.len()
        {
            entry.movements.push(movement);
        }
    }
    Ok(())
}

/// A row of an entry beside one of its movements, with the account's number before and the movement's ordinal in
/// it.
type EntryRow = (i64, PastEntry, Option<(usize, LotMovement)>);

fn past_entry(row: &QueryResult) -> Result<EntryRow, Fault> {
    let mut fields = Fields::of(row);
    let account_id = fields.next()?;
    let entry = PastEntry {
        id: fields.id(EntryId::from_uuid)?,
        sequence: fields.next()?,
        kind: fields.word(EntryKind::from_text)?,
        contra: fields.word(ContraAccount::from_text)?,
        amount: fields.credits()?,
        taken_back: fields.credits()?,
        member_id: fields.optional_id(MemberId::from_uuid)?,
        session_id: fields.optional_id(SessionId::from_uuid)?,
        top_up_id: fields.optional_id(TopUpId::from_uuid)?,
        movements: Vec::new(),
    };
    let ordinal: Option<i32> = fields.next()?;
    let lot_id = fields.optional_id(LotId::from_uuid)?;
    let (amount, returned): (Option<i64>, Option<i64>) = (fields.next()?, fields.next()?);
    let movement = ordinal.zip(amount).zip(returned).map(|((ordinal, amount), returned)| {
        let movement = LotMovement {
            lot_id,
            amount: Credits::from_units(amount),
            returned: Credits::from_units(returned),
        };
        (usize::try_from(ordinal).unwrap_or(usize::MAX), movement)
    });
    Ok((account_id, entry, movement))
}

async fn load_credited(tx: &Transaction, batch: &mut Batch<'_>, top_ups: &Rows) -> Result<(), Fault> {
    if top_ups.is_empty() {
        return Ok(());
    }
    let (scope, backend) = (batch.scope(), batch.backend);
    let condition = "t.top_up_id = r.id AND t.kind IN ('TOP_UP', 'AUTO_TOP_UP')";
    let sql = format!(
        "SELECT t.account_id, t.top_up_id, t.id FROM {} {}",
        top_ups.relation(backend, 1),
        scope.probe(backend, "credit_entry", condition),
    );
    for row in query(tx, scope.statement(backend, sql, top_ups)).await? {
        let mut fields = Fields::of(&row);
        let state = &mut batch.work(fields.next()?)?.state;
        let top_up_id = fields.id(TopUpId::from_uuid)?;
        let entry_id = fields.id(EntryId::from_uuid)?;
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
    let values = [Value::from(account_id.number()), entry_id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    match tx.query_one_raw(statement).await? {
        Some(row) => Fields::of(&row).credits(),
        None => Err(Fault::Internal(
            "an entry that a top-up names does not exist".to_owned(),
        )),
    }
}

/// Writes new entries with their movements, and the reversed parts of old ones.
pub(super) async fn save(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let backend = tx.get_database_backend();
    let (entries, movements) = new_rows(works);
    if !entries.is_empty() {
        execute(tx, entries.insert(backend, "credit_entry", "")).await?;
    }
    if !movements.is_empty() {
        execute(tx, movements.insert(backend, "lot_movement", "")).await?;
    }
    let (taken_back, returned) = past_rows(works);
    let scope = Scope::of(works);
    if !taken_back.is_empty() {
        let sql = format!(
            "UPDATE credit_entry SET taken_back = r.taken_back FROM {} WHERE credit_entry.account_id = r.account_id{} \
             AND credit_entry.sequence = r.sequence",
            taken_back.relation(backend, 1),
            scope.condition("credit_entry"),
        );
        execute(tx, scope.statement(backend, sql, &taken_back)).await?;
    }
    if !returned.is_empty() {
        let conflict = "ON CONFLICT (account_id, entry_id, ordinal) DO UPDATE SET returned = excluded.returned";
        execute(tx, returned.insert(backend, "lot_movement", conflict)).await?;
    }
    Ok(())
}

fn new_rows(works: &[Work]) -> (Rows, Rows) {
    let mut entries = Rows::new(COLUMNS);
    let mut movements = Rows::new(MOVEMENT_COLUMNS);
    for work in works {
        for entry in &work.changes.entries {
            // A later command of the batch may have reversed some of it already.
            let now = work.state.entries.get(&entry.id);
            let taken_back = now.map_or(Credits::ZERO, |entry| entry.taken_back);
            push(&mut entries, work.number(), entry, taken_back);
            let moved = now.map_or(&entry.movements, |entry| &entry.movements);
            push_movements(&mut movements, work.number(), entry.id, moved);
        }
    }
    (entries, movements)
}

/// Returns old entries alone: new ones are written in their final state.
fn past_rows(works: &[Work]) -> (Rows, Rows) {
    let mut taken_back = Rows::new(TAKEN_BACK);
    let mut returned = Rows::new(MOVEMENT_COLUMNS);
    for work in works {
        let first_new = work.changes.entries.first().map_or(i64::MAX, |entry| entry.sequence);
        let changed = work
            .changes
            .past_entries
            .iter()
            .filter_map(|id| work.state.entries.get(id));
        for entry in changed.filter(|entry| entry.sequence < first_new) {
            taken_back.push([
                work.number().into(),
                entry.sequence.into(),
                entry.taken_back.units().into(),
            ]);
            push_movements(&mut returned, work.number(), entry.id, &entry.movements);
        }
    }
    (taken_back, returned)
}

fn push(rows: &mut Rows, number: i64, entry: &NewEntry, taken_back: Credits) {
    let (actor_kind, key_id, actor_id) = entry.cause.columns();
    rows.push([
        number.into(),
        entry.sequence.into(),
        entry.id.uuid().into(),
        entry.occurred_at.millis().into(),
        entry.kind.as_str().into(),
        entry.contra.as_str().into(),
        entry.amount.units().into(),
        entry.balance_after.units().into(),
        (&entry.description).into(),
        actor_kind.into(),
        key_id.map(ApiKeyId::uuid).into(),
        actor_id.map(MemberId::uuid).into(),
        entry.member_id.map(MemberId::uuid).into(),
        entry.session_id.map(SessionId::uuid).into(),
        entry.top_up_id.map(TopUpId::uuid).into(),
        entry.reverses.map(EntryId::uuid).into(),
        taken_back.units().into(),
        (&searchable(&entry.search_text)).into(),
        HASH_VERSION.into(),
        (&entry.hash).into(),
    ]);
}

fn push_movements(rows: &mut Rows, number: i64, entry_id: EntryId, movements: &[LotMovement]) {
    for (ordinal, movement) in (0_i64..).zip(movements) {
        rows.push([
            number.into(),
            entry_id.uuid().into(),
            ordinal.into(),
            movement.lot_id.map(LotId::uuid).into(),
            movement.amount.units().into(),
            movement.returned.units().into(),
        ]);
    }
}
