//! SQL of lots, as far as a batch uses them.

use sea_orm::{ConnectionTrait, QueryResult};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::domain::ledger::model::{Command, Lot, LotKind, MAX_LOTS};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, LotId};

use super::fields::Fields;
use super::{Batch, Scope, Work, execute, query};

const WANTED: Columns = &[
    ("account_id", Kind::BigInt),
    ("expiry_now", Kind::BigInt),
    ("demand", Kind::BigInt),
    ("paid_too", Kind::Bool),
];
const NAMED: Columns = &[("account_id", Kind::BigInt), ("id", Kind::Uuid)];
const EXPIRED: Columns = &[
    ("account_id", Kind::BigInt),
    ("id", Kind::Uuid),
    ("expires_at", Kind::BigInt),
];
const SHIFTS: Columns = &[
    ("account_id", Kind::BigInt),
    ("not_expired_at", Kind::BigInt),
    ("millis", Kind::BigInt),
];

const COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("id", Kind::Uuid),
    ("kind", Kind::Text),
    ("granted", Kind::BigInt),
    ("remaining", Kind::BigInt),
    ("priority", Kind::Int),
    ("expires_at", Kind::BigInt),
    ("created_at", Kind::BigInt),
    ("entry_id", Kind::Uuid),
];

const SELECTED: &str =
    "t.account_id, t.id, t.kind, t.granted, t.remaining, t.priority, t.expires_at, t.created_at, t.entry_id";

/// Leaves space for lots that a batch makes beside its additions: refunds make some too.
const NEARLY_FULL: i64 = MAX_LOTS - 600;

/// Loads lots in spending order as far as the batch can draw, those that have expired with a remainder, and those that
/// refunds return into. For expired lots, also loads the sum of holds booked before the expiry. Sessions and entries are
/// loaded before.
pub(super) async fn load(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    load_spending(tx, batch).await?;
    load_returning(tx, batch).await?;
    load_held_before(tx, batch).await
}

/// The statement contains the demand of each account: live lots are taken in spending order until they cover
/// it.
async fn load_spending(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut wanted = Rows::new(WANTED);
    for work in &mut *batch.works {
        let expiry_now = work.expiry_now();
        work.due.expiries |= work.state.header.next_lot_expiry_at.is_some_and(|at| at <= expiry_now);
        let demand = demand(work);
        let paid_too = work.state.header.lot_count >= NEARLY_FULL;
        if work.due.expiries || paid_too || work.requests.iter().any(|request| reaches_lots(&request.command)) {
            let (expiry_now, demand) = (expiry_now.millis(), demand.units());
            wanted.push([work.number().into(), expiry_now.into(), demand.into(), paid_too.into()]);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let (scope, backend) = (batch.scope(), batch.backend);
    let sql = format!(
        "SELECT {SELECTED} FROM (
           SELECT {SELECTED}, r.demand, r.paid_too, CASE WHEN t.expires_at <= r.expiry_now THEN 1 ELSE 0 END AS expired,
             SUM(CASE WHEN t.expires_at <= r.expiry_now THEN 0 ELSE t.remaining END) OVER (
               PARTITION BY t.account_id
               ORDER BY t.priority, COALESCE(t.expires_at, 9223372036854775807),
                 CASE t.kind WHEN 'PROMOTIONAL' THEN 0 ELSE 1 END, t.created_at, t.id
               ROWS UNBOUNDED PRECEDING) AS reached
           FROM {} {}) AS t
         WHERE t.expired = 1 OR t.reached - t.remaining < t.demand
           OR (t.paid_too AND t.kind = 'PAID' AND t.expires_at IS NULL AND t.priority = 0)",
        wanted.relation(backend, 1),
        scope.probe(backend, "credit_lot", "t.remaining > 0"),
    );
    for row in query(tx, scope.statement(backend, sql, &wanted)).await? {
        add(batch, &row)?;
    }
    Ok(())
}

/// Whether a command draws from lots, or changes what expired lots keep for holds.
fn reaches_lots(command: &Command) -> bool {
    match command {
        Command::Reschedule { .. }
        | Command::Complete { .. }
        | Command::Cancel { .. }
        | Command::Refund { .. }
        | Command::TakeBack { .. }
        | Command::Adjust { .. }
        | Command::Freeze { .. }
        | Command::Unfreeze
        | Command::Close { .. }
        | Command::Sweep => true,
        Command::Grant { .. }
        | Command::CreditTopUp { .. }
        | Command::HoldTopUp { .. }
        | Command::HoldRefund { .. }
        | Command::Book { .. } => false,
    }
}

/// An upper bound of what the batch can draw: the amounts in its commands, the holds of loaded sessions, and what the
/// batch itself holds, since it may be charged in the same batch.
fn demand(work: &Work) -> Credits {
    let of_commands = work.requests.iter().map(|request| request.command.may_draw());
    let of_sessions = work
        .state
        .sessions
        .values()
        .map(|session| session.held().max(session.booked));
    // A negative amount will be refused. It must not reduce the demand of the other commands.
    of_commands
        .chain(of_sessions)
        .map(|credits| credits.max(Credits::ZERO))
        .sum()
}

/// Loads the lots that the loaded entries moved something into or out of, also those with nothing left.
async fn load_returning(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut named = Rows::new(NAMED);
    for work in &*batch.works {
        let moved = work.state.entries.values().flat_map(|entry| &entry.movements);
        for lot_id in moved.filter_map(|movement| movement.lot_id) {
            if !work.state.lots.contains_key(&lot_id) {
                named.push([work.number().into(), lot_id.uuid().into()]);
            }
        }
    }
    if named.is_empty() {
        return Ok(());
    }
    let (scope, backend) = (batch.scope(), batch.backend);
    let sql = format!(
        "SELECT {SELECTED} FROM {} {}",
        named.relation(backend, 1),
        scope.probe(backend, "credit_lot", "t.id = r.id"),
    );
    for row in query(tx, scope.statement(backend, sql, &named)).await? {
        add(batch, &row)?;
    }
    Ok(())
}

fn add(batch: &mut Batch<'_>, row: &QueryResult) -> Result<(), Fault> {
    let mut fields = Fields::of(row);
    let state = &mut batch.work(fields.next()?)?.state;
    let lot = Lot {
        id: fields.id(LotId::from_uuid)?,
        kind: fields.word(LotKind::from_text)?,
        granted: fields.credits()?,
        remaining: fields.credits()?,
        priority: fields.next()?,
        expires_at: fields.optional_timestamp()?,
        created_at: fields.timestamp()?,
        entry_id: fields.id(EntryId::from_uuid)?,
    };
    state.lots.insert(lot.id, lot);
    Ok(())
}

async fn load_held_before(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut expired = Rows::new(EXPIRED);
    for work in &*batch.works {
        let expiry_now = work.expiry_now();
        for lot in work.state.lots.values().filter(|lot| lot.remaining.is_positive()) {
            if let Some(expires_at) = lot.expires_at.filter(|_| lot.is_expired(expiry_now)) {
                expired.push([work.number().into(), lot.id.uuid().into(), expires_at.millis().into()]);
            }
        }
    }
    if expired.is_empty() {
        return Ok(());
    }
    let (scope, backend) = (batch.scope(), batch.backend);
    let sql = format!(
        "SELECT r.account_id, r.id, (SELECT CAST(COALESCE(SUM(h.amount), 0) AS BIGINT) FROM session_hold AS h \
         WHERE h.account_id = r.account_id{} AND h.booked_at < r.expires_at) FROM {}",
        scope.condition("h"),
        expired.relation(backend, 1),
    );
    for row in query(tx, scope.statement(backend, sql, &expired)).await? {
        let mut fields = Fields::of(&row);
        let state = &mut batch.work(fields.next()?)?.state;
        let lot_id = fields.id(LotId::from_uuid)?;
        state.held_before.insert(lot_id, fields.credits()?);
    }
    Ok(())
}

/// Writes lots that were made or changed.
pub(super) async fn save(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let mut rows = Rows::new(COLUMNS);
    for work in works {
        for lot in work.changes.lots.iter().filter_map(|id| work.state.lots.get(id)) {
            rows.push([
                work.number().into(),
                lot.id.uuid().into(),
                lot.kind.as_str().into(),
                lot.granted.units().into(),
                lot.remaining.units().into(),
                lot.priority.into(),
                lot.expires_at.map(Timestamp::millis).into(),
                lot.created_at.millis().into(),
                lot.entry_id.uuid().into(),
            ]);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let conflict = "ON CONFLICT (account_id, id) DO UPDATE SET granted = excluded.granted, remaining = excluded.remaining, \
        expires_at = excluded.expires_at";
    execute(tx, rows.insert(tx.get_database_backend(), "credit_lot", conflict)).await
}

/// Moves what expires by the length of a freeze: all lots that had not expired when it began, and all holds.
pub(super) async fn shift_expiries(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let mut rows = Rows::new(SHIFTS);
    for work in works {
        if let Some(shift) = work.changes.shift_expiries_by {
            let not_expired_at = shift.not_expired_at.millis();
            rows.push([work.number().into(), not_expired_at.into(), shift.millis.into()]);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let (scope, backend) = (Scope::of(works), tx.get_database_backend());
    let relation = rows.relation(backend, 1);
    for (table, column, condition) in [
        (
            "credit_lot",
            "expires_at",
            "remaining > 0 AND expires_at > r.not_expired_at",
        ),
        ("session", "hold_expires_at", "status = 'BOOKED'"),
    ] {
        let sql = format!(
            "UPDATE {table} SET {column} = {column} + r.millis FROM {relation} \
             WHERE {table}.account_id = r.account_id{} AND {condition}",
            scope.condition(table),
        );
        execute(tx, scope.statement(backend, sql, &rows)).await?;
    }
    Ok(())
}
