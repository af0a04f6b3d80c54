//! SQL of sessions and their holds.

use std::collections::BTreeMap;

use entity::{session, session_hold};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{Fields, FromRow, columns_of};
use crate::domain::database::scope::AccountScope;
use crate::domain::database::writes::Writes;
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::search::searchable;
use crate::domain::ledger::model::{AccountStatus, HoldPart, MAX_DUE, Session, SessionRef};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, SessionId};

use super::{Batch, Named, Work};

#[derive(Record)]
struct NamedExternally<'a> {
    account_id: AccountId,
    #[record(text)]
    external_id: &'a str,
    closed_too: bool,
}

/// A time within which sessions are due.
#[derive(Record)]
struct Range {
    account_id: AccountId,
    since: Timestamp,
    until: Timestamp,
}

/// A session as it is stored.
#[derive(Record)]
struct SessionRow<'a> {
    account_id: AccountId,
    #[record(flatten)]
    session: &'a Session,
    held: Credits,
    search_text: String,
}

/// The key of a part of a hold.
#[derive(Clone, Copy, Record)]
struct PartKey {
    account_id: AccountId,
    session_id: SessionId,
    ordinal: i32,
}

#[derive(Record)]
struct PartRow {
    #[record(flatten)]
    key: PartKey,
    #[record(flatten)]
    part: HoldPart,
}

/// Loads sessions that commands name, those that are due, and those whose external id a booking uses.
pub(super) async fn load(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let (by_id, by_external_id) = named(batch.works);
    load_where(tx, batch, &by_id, |scope| scope.probe("session", "t.id = r.id")).await?;
    load_where(tx, batch, &by_external_id, |scope| {
        scope.probe("session", &open_else_newest(scope))
    })
    .await?;
    load_due(tx, batch).await
}

/// The open session with an external id, else the newest, where a session that is not open is acceptable.
fn open_else_newest(scope: AccountScope) -> String {
    let (of_open, of_newest) = (scope.condition("o"), scope.condition("n"));
    format!(
        "t.id = COALESCE(
          (SELECT o.id FROM session AS o
            WHERE o.account_id = r.account_id{of_open} AND o.external_id = r.external_id AND o.status = 'BOOKED'),
          (SELECT n.id FROM session AS n
            WHERE r.closed_too AND n.account_id = r.account_id{of_newest} AND n.external_id = r.external_id
            ORDER BY n.booked_at DESC, n.id DESC LIMIT 1))"
    )
}

fn named(works: &[Work]) -> (Rows, Rows) {
    let (mut by_id, mut by_external_id) = (Vec::new(), Vec::new());
    for work in works {
        let account_id = work.account_id();
        let mut external_ids: BTreeMap<&String, bool> = BTreeMap::new();
        for id in &work.needs.free_external_ids {
            external_ids.insert(id, false);
        }
        for session in &work.needs.sessions {
            match session {
                SessionRef::Id(id) => by_id.push(Named { account_id, id: *id }),
                SessionRef::ExternalId(id) => {
                    external_ids.insert(id, true);
                }
            }
        }
        let external_ids = external_ids.into_iter();
        by_external_id.extend(external_ids.map(|(external_id, closed_too)| NamedExternally {
            account_id,
            external_id,
            closed_too,
        }));
    }
    (Rows::of(by_id), Rows::of(by_external_id))
}

async fn load_due(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let (mut holds, mut ended, mut to_cancel) = (Vec::new(), Vec::new(), Vec::new());
    for work in &mut *batch.works {
        let account_id = work.account_id();
        let range = |since, until| Range {
            account_id,
            since,
            until,
        };
        let (header, now) = (&work.state.header, work.now);
        let is_due = |at: Option<Timestamp>| at.filter(|at| *at <= now);
        if header.halted_at.is_none()
            && let Some(at) = is_due(header.next_hold_expiry_at)
        {
            holds.push(range(at, now));
            work.due.expiries = true;
        }
        if work.needs.ended_sessions
            && let Some(at) = is_due(header.next_processing_at)
        {
            ended.push(range(at, now));
        }
        if work.needs.booked_sessions || (work.needs.ended_sessions && header.status == AccountStatus::Closed) {
            to_cancel.push(range(now, Timestamp::MAX));
        }
    }
    load_where(tx, batch, &Rows::of(holds), |scope| {
        let condition = "t.status = 'BOOKED' AND t.hold_expires_at >= r.since AND t.hold_expires_at <= r.until";
        scope.probe_first("session", condition, "t.hold_expires_at", MAX_DUE)
    })
    .await?;
    let ended = load_where(tx, batch, &Rows::of(ended), |scope| {
        let condition =
            "t.status = 'BOOKED' AND NOT t.processing_announced AND t.ends_at >= r.since AND t.ends_at <= r.until";
        scope.probe_first("session", condition, "t.ends_at", MAX_DUE)
    })
    .await?;
    let to_cancel = load_where(tx, batch, &Rows::of(to_cancel), |scope| {
        let condition = "t.status = 'BOOKED' AND t.ends_at > r.since AND t.ends_at <= r.until";
        scope.probe_first("session", condition, "t.ends_at", MAX_DUE)
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
fn full(loaded: &[(AccountId, SessionId)]) -> impl Iterator<Item = AccountId> {
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
    join: impl FnOnce(AccountScope) -> String,
) -> Result<Vec<(AccountId, SessionId)>, Fault> {
    let sql = |scope: AccountScope, relation| {
        format!(
            "SELECT {}, {} FROM {relation} {} {} ORDER BY t.account_id, t.id, p.ordinal",
            columns_of::<(AccountId, Session)>("t"),
            columns_of::<HoldPart>("p"),
            join(scope),
            scope.parts("session_hold", "p.session_id = t.id"),
        )
    };
    let found = AccountScope::select(tx, rows, sql).await?;
    let mut loaded: Vec<(AccountId, SessionId)> = Vec::with_capacity(found.len());
    for row in &found {
        let mut fields = Fields::of(row);
        let (account_id, session) = <(AccountId, Session)>::read(&mut fields)?;
        let part = Option::<HoldPart>::read(&mut fields)?;
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

/// Adds sessions that were made or changed, and their holds. Parts of holds that are gone are deleted at once.
pub(super) async fn save(tx: &Transaction, writes: &mut Writes<'_>, works: &[Work]) -> Result<(), Fault> {
    let (parts, gone) = part_rows(works);
    writes.save_all::<session::Entity>(&session_rows(works));
    writes.save_all::<session_hold::Entity>(&parts);
    let sql = |scope: AccountScope, relation| {
        let probe = scope.probe("session_hold", "t.session_id = r.session_id AND t.ordinal = r.ordinal");
        let account = scope.condition("session_hold");
        format!(
            "DELETE FROM session_hold WHERE (account_id, session_id, ordinal) IN \
             (SELECT t.account_id, t.session_id, t.ordinal FROM {relation} {probe}){account}"
        )
    };
    AccountScope::execute(tx, &gone, sql).await
}

/// Sessions that are no longer open come first: one may release its external id for another one within the
/// batch.
fn session_rows(works: &[Work]) -> Rows {
    let mut rows = Vec::new();
    for open in [false, true] {
        for work in works {
            let changed = work
                .changes
                .sessions
                .iter()
                .filter_map(|id| work.state.sessions.get(id));
            for session in changed.filter(|session| session.is_open() == open) {
                let external_id = session.external_id.as_deref().unwrap_or_default();
                rows.push(SessionRow {
                    account_id: work.account_id(),
                    session,
                    held: session.held(),
                    search_text: searchable(&format!("{} {external_id}", session.title)),
                });
            }
        }
    }
    Rows::of(rows)
}

/// Returns the parts that changed sessions hold now, and the stored parts that are gone.
fn part_rows(works: &[Work]) -> (Rows, Rows) {
    let (mut parts, mut gone) = (Vec::new(), Vec::new());
    for work in works {
        let changed = work.changes.sessions.iter();
        for session in changed.filter_map(|id| work.state.sessions.get(id)) {
            let key = |ordinal| PartKey {
                account_id: work.account_id(),
                session_id: session.id,
                ordinal,
            };
            let held = (0_i32..).zip(&session.holds);
            parts.extend(held.map(|(ordinal, part)| PartRow {
                key: key(ordinal),
                part: *part,
            }));
            let stored = work.stored_parts.get(&session.id).copied().unwrap_or(0);
            let stored = (0_i32..).zip(0..stored).skip(session.holds.len());
            gone.extend(stored.map(|(ordinal, _)| key(ordinal)));
        }
    }
    (Rows::of(parts), Rows::of(gone))
}
