//! SQL of the `event` table, and of the ends of streams in `account_state`.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Statement};

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, FromRow, columns_of};
use crate::domain::database::scope::AccountScope;
use crate::domain::database::select::{Condition, Select};
use crate::domain::database::writes::Writes;
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};

use super::{ContentColumns, DETAILS, Event, EventContent, EventKind, LiveCursor, StreamPosition};

/// An event as it is stored.
#[derive(Record, FromRow)]
struct EventRow {
    sequence: i64,
    nonce: i64,
    kind: EventKind,
    occurred_at: Timestamp,
    entry_id: Option<EntryId>,
    session_id: Option<SessionId>,
    top_up_id: Option<TopUpId>,
    alert_id: Option<AlertId>,
    api_key_id: Option<ApiKeyId>,
    member_id: Option<MemberId>,
    status: Option<String>,
    balance_version: Option<i64>,
}

/// Writes events in the caller's transaction, by one statement whatever their number. Their sequences come from rows that the
/// transaction has locked.
pub(in crate::domain) async fn append(tx: &Transaction, events: &[(AccountId, &Event)]) -> Result<(), Fault> {
    records::insert_all::<entity::event::Entity>(tx, &rows(events)).await
}

/// As [`append`], together with rows of other tables.
pub(in crate::domain) fn append_with(writes: &mut Writes<'_>, events: &[(AccountId, &Event)]) {
    writes.insert_all::<entity::event::Entity>(&rows(events));
}

fn rows(events: &[(AccountId, &Event)]) -> Rows {
    Rows::of(events.iter().map(|(account_id, event)| (*account_id, row(event))))
}

fn row(event: &Event) -> EventRow {
    let content = event.content.columns();
    EventRow {
        sequence: event.position.sequence,
        nonce: event.position.nonce,
        kind: event.content.kind(),
        occurred_at: event.occurred_at,
        entry_id: content.entry_id,
        session_id: content.session_id,
        top_up_id: content.top_up_id,
        alert_id: content.alert_id,
        api_key_id: content.api_key_id,
        member_id: content.member_id,
        status: content.status.map(str::to_owned),
        balance_version: event.balance_version,
    }
}

/// Returns the ends of the streams of accounts. Accounts that do not exist are left out.
pub(super) async fn heads(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, StreamPosition)>, Fault> {
    let text = "SELECT account_id, event_sequence, event_nonce FROM account_state WHERE ";
    let mut select = Select::across(connection, text);
    select.condition(&Condition::Accounts("account_id", accounts.to_vec()));
    let heads: Vec<(AccountId, i64, i64)> = select.values(connection).await?;
    let heads = heads
        .into_iter()
        .map(|(account_id, sequence, nonce)| (account_id, StreamPosition { sequence, nonce }));
    Ok(heads.collect())
}

/// Returns the first `limit` events after `sequence`, in order.
pub(in crate::domain) async fn after(
    database: &Database,
    account_id: AccountId,
    sequence: i64,
    limit: usize,
) -> Result<Vec<Arc<Event>>, Fault> {
    let mut select = Select::from::<EventRow>(database, account_id, "event");
    select
        .push(" AND sequence > ")
        .bind(sequence)
        .push(" ORDER BY sequence LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows: Vec<EventRow> = select.records(database).await?;
    rows.iter().map(|row| Ok(Arc::new(event(row)?))).collect()
}

/// Returns when the two oldest events of an account happened.
pub(in crate::domain) async fn two_oldest(database: &Database, account_id: AccountId) -> Result<Vec<Timestamp>, Fault> {
    let text = "SELECT occurred_at FROM event WHERE account_id = $1 ORDER BY sequence LIMIT 2";
    Select::of(database, account_id, text).values(database).await
}

/// Returns the last of the first `limit` events between two sequences that happened before an instant.
pub(in crate::domain) async fn last_before(
    tx: &Transaction,
    account_id: AccountId,
    (after, until): (i64, i64),
    before: Timestamp,
    limit: u32,
) -> Result<Option<i64>, Fault> {
    let sql = "SELECT MAX(sequence) FROM (SELECT sequence, occurred_at FROM event \
               WHERE account_id = $1 AND sequence > $2 AND sequence < $3 ORDER BY sequence LIMIT $4) AS oldest \
               WHERE occurred_at < $5";
    let values = [
        account_id.into(),
        after.into(),
        until.into(),
        i64::from(limit).into(),
        before.into(),
    ];
    let last: Option<Option<i64>> = records::value(tx, sql, values).await?;
    Ok(last.flatten())
}

/// Deletes the events of an account up to this one.
pub(in crate::domain) async fn delete_until(tx: &Transaction, account_id: AccountId, last: i64) -> Result<(), Fault> {
    let sql = "DELETE FROM event WHERE account_id = $1 AND sequence <= $2";
    let values = [account_id.into(), last.into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// The events of an account after one sequence and up to another.
#[derive(Record)]
struct SequenceRange {
    account_id: AccountId,
    after: i64,
    until: i64,
}

/// Returns events of several accounts: of each, those after one sequence and up to another, in no order. The caller has bounded
/// their number.
pub(in crate::domain) async fn between(
    database: &Database,
    ranges: &[(AccountId, i64, i64)],
) -> Result<Vec<(AccountId, Event)>, Fault> {
    let rows = Rows::of(ranges.iter().map(|(account_id, after, until)| SequenceRange {
        account_id: *account_id,
        after: *after,
        until: *until,
    }));
    let sql = |scope: AccountScope, relation| {
        let columns = columns_of::<(AccountId, EventRow)>("t");
        let events = scope.probe("event", "t.sequence > r.after AND t.sequence <= r.until");
        format!("SELECT {columns} FROM {relation} {events}")
    };
    let found: Vec<(AccountId, EventRow)> = records::read(&AccountScope::select(database.read(), &rows, sql).await?)?;
    found
        .into_iter()
        .map(|(account_id, row)| Ok((account_id, event(&row)?)))
        .collect()
}

/// Returns the nonce of an event, if it is kept.
pub(super) async fn nonce(database: &Database, account_id: AccountId, sequence: i64) -> Result<Option<i64>, Fault> {
    let text = "SELECT nonce FROM event WHERE account_id = $1 AND sequence = ";
    let mut select = Select::of(database, account_id, text);
    select.bind(sequence);
    select.value(database).await
}

/// Whether a member was added or removed, or their rights may have changed, after a cursor.
pub(super) async fn member_changed_after(
    database: &Database,
    cursor: &LiveCursor,
    member_id: MemberId,
) -> Result<bool, Fault> {
    let mut select = Select::of(database, cursor.account_id, "");
    select
        .push("SELECT sequence FROM event WHERE account_id = $1 AND sequence > ")
        .bind(cursor.sequence)
        .push(" AND kind = ")
        .bind(EventKind::MemberUpdated.as_str())
        .push(" AND member_id = ")
        .bind(member_id.uuid())
        .push(" AND COALESCE(status, '') <> ")
        .bind(DETAILS)
        .push(" LIMIT 1");
    Ok(select.one(database).await?.is_some())
}

fn event(row: &EventRow) -> Result<Event, Fault> {
    let columns = ContentColumns {
        entry_id: row.entry_id,
        session_id: row.session_id,
        top_up_id: row.top_up_id,
        alert_id: row.alert_id,
        api_key_id: row.api_key_id,
        member_id: row.member_id,
        status: row.status.as_deref(),
    };
    let kind = row.kind;
    let unreadable = || Fault::Internal(format!("an event {kind:?} {columns:?} is not readable"));
    Ok(Event {
        position: StreamPosition {
            sequence: row.sequence,
            nonce: row.nonce,
        },
        occurred_at: row.occurred_at,
        content: EventContent::from_columns(kind, &columns).ok_or_else(unreadable)?,
        balance_version: row.balance_version,
    })
}
