//! SQL of sessions and their holds.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, QueryResult};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::search::searchable;
use crate::domain::ledger::model::{AccountStatus, Command, HoldPart, MAX_DUE, Session, SessionRef, SessionStatus};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, MemberId, SessionId};

use super::fields::Fields;
use super::{Batch, Scope, Work, execute, query};

const NAMED: Columns = &[("account_id", Kind::BigInt), ("id", Kind::Uuid)];
const NAMED_EXTERNAL: Columns = &[
    ("account_id", Kind::BigInt),
    ("external_id", Kind::Text),
    ("closed_too", Kind::Bool),
];
const RANGES: Columns = &[
    ("account_id", Kind::BigInt),
    ("since", Kind::BigInt),
    ("until", Kind::BigInt),
];

const COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("id", Kind::Uuid),
    ("external_id", Kind::Text),
    ("member_id", Kind::Uuid),
    ("title", Kind::Text),
    ("status", Kind::Text),
    ("starts_at", Kind::BigInt),
    ("ends_at", Kind::BigInt),
    ("booked", Kind::BigInt),
    ("held", Kind::BigInt),
    ("charged", Kind::BigInt),
    ("charge_entry_id", Kind::Uuid),
    ("refunded", Kind::BigInt),
    ("booked_at", Kind::BigInt),
    ("resolved_at", Kind::BigInt),
    ("hold_expires_at", Kind::BigInt),
    ("cancel_reason", Kind::Text),
    ("metadata", Kind::Text),
    ("search_text", Kind::Text),
    ("processing_announced", Kind::Bool),
];

const PART_COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("session_id", Kind::Uuid),
    ("ordinal", Kind::Int),
    ("booked_at", Kind::BigInt),
    ("amount", Kind::BigInt),
];
const GONE_PARTS: Columns = &[
    ("account_id", Kind::BigInt),
    ("session_id", Kind::Uuid),
    ("ordinal", Kind::Int),
];

/// Loads sessions that commands name, those that are due, and those whose external id a booking uses.
pub(super) async fn load(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let (by_id, by_external_id) = named(batch.works);
    load_where(tx, batch, &by_id, |scope, backend| {
        scope.probe(backend, "session", "t.id = r.id")
    })
    .await?;
    load_where(tx, batch, &by_external_id, |scope, backend| {
        scope.probe(backend, "session", OPEN_ELSE_NEWEST)
    })
    .await?;
    load_due(tx, batch).await
}

/// The open session with an external id, else the newest, where a session that is not open is acceptable.
const OPEN_ELSE_NEWEST: &str = "t.id = COALESCE(
    (SELECT o.id FROM session AS o
      WHERE o.account_id = r.account_id AND o.external_id = r.external_id AND o.status = 'BOOKED'),
    (SELECT n.id FROM session AS n
      WHERE r.closed_too AND n.account_id = r.account_id AND n.external_id = r.external_id
      ORDER BY n.booked_at DESC, n.id DESC LIMIT 1))";

fn named(works: &[Work]) -> (Rows, Rows) {
    let mut by_id = Rows::new(NAMED);
    let mut by_external_id = Rows::new(NAMED_EXTERNAL);
    for work in works {
        let number = work.number();
        // Each id once: a session that is loaded twice would have each part of its hold twice.
        let mut ids = BTreeSet::new();
        let mut external_ids: BTreeMap<&String, bool> = BTreeMap::new();
        for request in &work.requests {
            match &request.command {
                Command::Reschedule { session, .. }
                | Command::Complete { session, .. }
                | Command::Cancel { session, .. }
                | Command::Refund { session, .. } => match session {
                    SessionRef::Id(id) => {
                        ids.insert(*id);
                    }
                    SessionRef::ExternalId(id) => {
                        external_ids.insert(id, true);
                    }
                },
                Command::Book {
                    external_id: Some(id), ..
                } => {
                    external_ids.entry(id).or_insert(false);
                }
                _ => {}
            }
        }
        for id in ids {
            by_id.push([number.into(), id.uuid().into()]);
        }
        for (id, closed_too) in external_ids {
            by_external_id.push([number.into(), id.into(), closed_too.into()]);
        }
    }
    (by_id, by_external_id)
}

async fn load_due(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut holds = Rows::new(RANGES);
    let mut ended = Rows::new(RANGES);
    let mut to_cancel = Rows::new(RANGES);
    for work in &mut *batch.works {
        let (header, now) = (&work.state.header, work.now);
        let is_due = |at: Option<Timestamp>| at.filter(|at| *at <= now);
        if header.halted_at.is_none()
            && let Some(at) = is_due(header.next_hold_expiry_at)
        {
            holds.push([work.number().into(), at.millis().into(), now.millis().into()]);
            work.due.expiries = true;
        }
        let sweeps = work.requests.iter().any(|request| request.command == Command::Sweep);
        if sweeps && let Some(at) = is_due(header.next_processing_at) {
            ended.push([work.number().into(), at.millis().into(), now.millis().into()]);
        }
        let closes = work
            .requests
            .iter()
            .any(|request| matches!(request.command, Command::Close { .. }));
        if closes || (sweeps && header.status == AccountStatus::Closed) {
            to_cancel.push([
                work.number().into(),
                now.millis().into(),
                Timestamp::MAX.millis().into(),
            ]);
        }
    }
    load_where(tx, batch, &holds, |scope, backend| {
        let condition = "t.status = 'BOOKED' AND t.hold_expires_at >= r.since AND t.hold_expires_at <= r.until";
        scope.probe_first(backend, "session", condition, "t.hold_expires_at", MAX_DUE)
    })
    .await?;
    let ended = load_where(tx, batch, &ended, |scope, backend| {
        let condition =
            "t.status = 'BOOKED' AND NOT t.processing_announced AND t.ends_at >= r.since AND t.ends_at <= r.until";
        scope.probe_first(backend, "session", condition, "t.ends_at", MAX_DUE)
    })
    .await?;
    let to_cancel = load_where(tx, batch, &to_cancel, |scope, backend| {
        let condition = "t.status = 'BOOKED' AND t.ends_at > r.since AND t.ends_at <= r.until";
        scope.probe_first(backend, "session", condition, "t.ends_at", MAX_DUE)
    })
    .await?;
    for account_id in full(&to_cancel) {
        let work = batch.work(account_id)?;
        work.due.goes_on_at = Some(work.now);
    }
    for account_id in full(&ended) {
        let work = batch.work(account_id)?;
        // They are ordered by their ends, so the rest has not ended before the last of them.
        let ids = ended
            .iter()
            .filter(|(account, _)| *account == account_id)
            .map(|(_, id)| id);
        work.due.goes_on_at = ids
            .filter_map(|id| work.state.sessions.get(id))
            .map(|session| session.ends_at)
            .max();
    }
    Ok(())
}

/// Accounts for which the maximum number of sessions was loaded.
fn full(loaded: &[(i64, SessionId)]) -> impl Iterator<Item = i64> {
    loaded
        .chunk_by(|one, other| one.0 == other.0)
        .filter(|chunk| chunk.len() >= MAX_DUE)
        .filter_map(|chunk| chunk.first().map(|(account_id, _)| *account_id))
}

/// Adds the sessions that `join` finds for `rows`, with their holds, and returns their ids in the order of their accounts.
async fn load_where(
    tx: &Transaction,
    batch: &mut Batch<'_>,
    rows: &Rows,
    join: impl FnOnce(Scope, sea_orm::DbBackend) -> String,
) -> Result<Vec<(i64, SessionId)>, Fault> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let (scope, backend) = (batch.scope(), batch.backend);
    let sql = format!(
        "SELECT t.account_id, t.id, t.external_id, t.member_id, t.title, t.status, t.starts_at, t.ends_at, t.booked, t.charged, \
         t.charge_entry_id, t.refunded, t.booked_at, t.resolved_at, t.hold_expires_at, t.cancel_reason, t.metadata, \
         t.processing_announced, p.booked_at, p.amount FROM {} {} {} ORDER BY t.account_id, t.id, p.ordinal",
        rows.relation(backend, 1),
        join(scope, backend),
        Scope::parts(backend, "session_hold", "p.session_id = t.id"),
    );
    let found = query(tx, scope.statement(backend, sql, rows)).await?;
    let mut loaded: Vec<(i64, SessionId)> = Vec::with_capacity(found.len());
    for row in &found {
        let (account_id, session, part) = session(row)?;
        let work = batch.work(account_id)?;
        let id = session.id;
        if loaded.last() == Some(&(account_id, id)) {
            // A further part of the hold of the previous session.
            if let (Some(known), Some(part)) = (work.state.sessions.get_mut(&id), part) {
                known.holds.push(part);
            }
        } else {
            loaded.push((account_id, id));
            add(
                work,
                Session {
                    holds: part.into_iter().collect(),
                    ..session
                },
            );
        }
        let parts = work.state.sessions.get(&id).map_or(0, |session| session.holds.len());
        work.stored_parts.insert(id, parts);
    }
    Ok(loaded)
}

fn add(work: &mut Work, session: Session) {
    let state = &mut work.state;
    if let Some(external_id) = &session.external_id {
        let known = state
            .sessions_by_external_id
            .get(external_id)
            .and_then(|id| state.sessions.get(id));
        // The open one, else the newest.
        let rank = |session: &Session| (session.is_open(), session.booked_at, session.id);
        if known.is_none_or(|known| rank(known) < rank(&session)) {
            state.sessions_by_external_id.insert(external_id.clone(), session.id);
        }
    }
    state.sessions.insert(session.id, session);
}

fn session(row: &QueryResult) -> Result<(i64, Session, Option<HoldPart>), Fault> {
    let mut fields = Fields::of(row);
    let account_id = fields.next()?;
    let session = Session {
        id: fields.id(SessionId::from_uuid)?,
        external_id: fields.next()?,
        member_id: fields.id(MemberId::from_uuid)?,
        title: fields.next()?,
        status: fields.word(SessionStatus::from_text)?,
        starts_at: fields.timestamp()?,
        ends_at: fields.timestamp()?,
        booked: fields.credits()?,
        holds: Vec::new(),
        charged: fields.next::<Option<i64>>()?.map(Credits::from_units),
        charge_entry_id: fields.optional_id(EntryId::from_uuid)?,
        refunded: fields.credits()?,
        booked_at: fields.timestamp()?,
        resolved_at: fields.optional_timestamp()?,
        hold_expires_at: fields.timestamp()?,
        cancel_reason: fields.next()?,
        metadata: fields.next()?,
        processing_announced: fields.next()?,
    };
    let (booked_at, amount) = (fields.optional_timestamp()?, fields.next::<Option<i64>>()?);
    let part = booked_at.zip(amount).map(|(booked_at, amount)| HoldPart {
        booked_at,
        amount: Credits::from_units(amount),
    });
    Ok((account_id, session, part))
}

/// Writes sessions that were made or changed, and their holds.
pub(super) async fn save(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let backend = tx.get_database_backend();
    let sessions = session_rows(works);
    if !sessions.is_empty() {
        let conflict = "ON CONFLICT (account_id, id) DO UPDATE SET title = excluded.title, status = excluded.status, \
            starts_at = excluded.starts_at, ends_at = excluded.ends_at, booked = excluded.booked, held = excluded.held, \
            charged = excluded.charged, charge_entry_id = excluded.charge_entry_id, refunded = excluded.refunded, \
            resolved_at = excluded.resolved_at, hold_expires_at = excluded.hold_expires_at, \
            cancel_reason = excluded.cancel_reason, search_text = excluded.search_text, \
            processing_announced = excluded.processing_announced";
        execute(tx, sessions.insert(backend, "session", conflict)).await?;
    }
    let (parts, gone) = part_rows(works);
    if !gone.is_empty() {
        let scope = Scope::of(works);
        let probe = scope.probe(
            backend,
            "session_hold",
            "t.session_id = r.session_id AND t.ordinal = r.ordinal",
        );
        let sql = format!(
            "DELETE FROM session_hold WHERE (account_id, session_id, ordinal) IN \
             (SELECT t.account_id, t.session_id, t.ordinal FROM {} {probe})",
            gone.relation(backend, 1),
        );
        execute(tx, scope.statement(backend, sql, &gone)).await?;
    }
    if !parts.is_empty() {
        let conflict = "ON CONFLICT (account_id, session_id, ordinal) DO UPDATE SET booked_at = excluded.booked_at, \
            amount = excluded.amount";
        execute(tx, parts.insert(backend, "session_hold", conflict)).await?;
    }
    Ok(())
}

/// Sessions that are no longer open come first: one may release its external id for another one within the
/// batch.
fn session_rows(works: &[Work]) -> Rows {
    let mut rows = Rows::new(COLUMNS);
    for open in [false, true] {
        for work in works {
            let changed = work
                .changes
                .sessions
                .iter()
                .filter_map(|id| work.state.sessions.get(id));
            for session in changed.filter(|session| session.is_open() == open) {
                push(&mut rows, work.number(), session);
            }
        }
    }
    rows
}

fn push(rows: &mut Rows, number: i64, session: &Session) {
    let external_id = session.external_id.as_deref();
    let search_text = searchable(&format!("{} {}", session.title, external_id.unwrap_or_default()));
    rows.push([
        number.into(),
        session.id.uuid().into(),
        external_id.into(),
        session.member_id.uuid().into(),
        (&session.title).into(),
        session.status.as_str().into(),
        session.starts_at.millis().into(),
        session.ends_at.millis().into(),
        session.booked.units().into(),
        session.held().units().into(),
        session.charged.map(Credits::units).into(),
        session.charge_entry_id.map(EntryId::uuid).into(),
        session.refunded.units().into(),
        session.booked_at.millis().into(),
        session.resolved_at.map(Timestamp::millis).into(),
        session.hold_expires_at.millis().into(),
        session.cancel_reason.as_deref().into(),
        session.metadata.as_deref().into(),
        (&search_text).into(),
        session.processing_announced.into(),
    ]);
}

/// Returns the parts that changed sessions hold now, and the stored parts that are gone.
fn part_rows(works: &[Work]) -> (Rows, Rows) {
    let mut parts = Rows::new(PART_COLUMNS);
    let mut gone = Rows::new(GONE_PARTS);
    for work in works {
        for session in work
            .changes
            .sessions
            .iter()
            .filter_map(|id| work.state.sessions.get(id))
        {
            let (number, id) = (work.number(), session.id.uuid());
            for (ordinal, part) in (0_i64..).zip(&session.holds) {
                let (booked_at, amount) = (part.booked_at.millis(), part.amount.units());
                parts.push([
                    number.into(),
                    id.into(),
                    ordinal.into(),
                    booked_at.into(),
                    amount.into(),
                ]);
            }
            let stored = work.stored_parts.get(&session.id).copied().unwrap_or(0);
            for (ordinal, _) in (0_i64..).zip(0..stored).skip(session.holds.len()) {
                gone.push([number.into(), id.into(), ordinal.into()]);
            }
        }
    }
    (parts, gone)
}
