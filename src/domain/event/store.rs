//! SQL of the `event` table, and of the ends of streams in `account_state`.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use crate::domain::database::bulk::{self, Columns, Kind, Rows};
use crate::domain::database::select::{Row, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};

use super::{DETAILS, Event, EventKind, LiveCursor, NewEvent, Place};

const COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("sequence", Kind::BigInt),
    ("nonce", Kind::BigInt),
    ("kind", Kind::Text),
    ("occurred_at", Kind::BigInt),
    ("entry_id", Kind::Uuid),
    ("session_id", Kind::Uuid),
    ("top_up_id", Kind::Uuid),
    ("alert_id", Kind::Uuid),
    ("api_key_id", Kind::Uuid),
    ("member_id", Kind::Uuid),
    ("status", Kind::Text),
    ("balance_version", Kind::BigInt),
];

/// Writes events in the caller's transaction, by one statement whatever their number. Their sequences come from rows that the
/// transaction has locked.
pub(in crate::domain) async fn append(tx: &Transaction, events: &[(AccountId, &NewEvent)]) -> Result<(), Fault> {
    let mut rows = Rows::new(COLUMNS);
    for (account_id, event) in events {
        rows.push([
            account_id.number().into(),
            event.sequence.into(),
            event.nonce.into(),
            event.kind.as_str().into(),
            event.occurred_at.millis().into(),
            event.entry_id.map(EntryId::uuid).into(),
            event.session_id.map(SessionId::uuid).into(),
            event.top_up_id.map(TopUpId::uuid).into(),
            event.alert_id.map(AlertId::uuid).into(),
            event.api_key_id.map(ApiKeyId::uuid).into(),
            event.member_id.map(MemberId::uuid).into(),
            event.status.into(),
            event.balance_version.into(),
        ]);
    }
    if !rows.is_empty() {
        tx.execute_raw(rows.insert(tx.get_database_backend(), "event", ""))
            .await?;
    }
    Ok(())
}

/// The columns that an event is read from.
const SELECTED: [&str; 12] = [
    "sequence",
    "nonce",
    "kind",
    "occurred_at",
    "entry_id",
    "session_id",
    "top_up_id",
    "alert_id",
    "api_key_id",
    "member_id",
    "status",
    "balance_version",
];

const ACCOUNTS: Columns = &[("account_id", Kind::BigInt)];

/// Returns the ends of the streams of accounts. Accounts that do not exist are left out.
pub(super) async fn heads(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, Place)>, Fault> {
    let backend = connection.get_database_backend();
    let text = "SELECT s.account_id, s.event_sequence, s.event_nonce FROM";
    let statement = if let [account_id] = accounts {
        let sql = format!("{text} account_state AS s WHERE s.account_id = $1");
        Statement::from_sql_and_values(backend, sql, [account_id.number().into()])
    } else {
        let mut rows = Rows::new(ACCOUNTS);
        for account_id in accounts {
            rows.push([account_id.number().into()]);
        }
        let relation = rows.relation(backend, 1);
        let sql = format!("{text} {relation} JOIN account_state AS s ON s.account_id = r.account_id");
        rows.statement(backend, sql)
    };
    let rows = connection.query_all_raw(statement).await?;
    let head = |row: &Row| {
        let place = Place {
            sequence: row.try_get("", "event_sequence")?,
            nonce: row.try_get("", "event_nonce")?,
        };
        Ok((AccountId::from_number(row.try_get("", "account_id")?), place))
    };
    rows.iter().map(head).collect()
}

/// Returns the first `limit` events after `sequence`, in order.
pub(in crate::domain) async fn after(
    database: &Database,
    account_id: AccountId,
    sequence: i64,
    limit: usize,
) -> Result<Vec<Arc<Event>>, Fault> {
    let mut select = Select::of(database, account_id, "");
    select
        .push("SELECT ")
        .push(&SELECTED.join(", "))
        .push(" FROM event WHERE account_id = $1 AND sequence > ")
        .bind(sequence)
        .push(" ORDER BY sequence LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = select.all(database).await?;
    rows.iter().map(|row| event(row).map(Arc::new)).collect()
}

const STRETCHES: Columns = &[
    ("account_id", Kind::BigInt),
    ("after", Kind::BigInt),
    ("until", Kind::BigInt),
];

/// Returns events of several accounts: of each, those after one sequence and up to another, in no order. The caller has bounded
/// their number.
pub(in crate::domain) async fn between(
    database: &Database,
    stretches: &[(AccountId, i64, i64)],
) -> Result<Vec<(AccountId, Event)>, Fault> {
    let mut rows = Rows::new(STRETCHES);
    for (account_id, after, until) in stretches {
        rows.push([account_id.number().into(), (*after).into(), (*until).into()]);
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let backend = database.backend();
    let sql = format!(
        "SELECT t.account_id, {} FROM {} {}",
        SELECTED.map(|column| format!("t.{column}")).join(", "),
        rows.relation(backend, 1),
        bulk::probe(backend, "event", " AND t.sequence > r.after AND t.sequence <= r.until")
    );
    let rows = database.read().query_all_raw(rows.statement(backend, sql)).await?;
    let of_account = |row: &Row| Ok((AccountId::from_number(row.try_get("", "account_id")?), event(row)?));
    rows.iter().map(of_account).collect()
}

/// Returns the nonce of an event, if it is kept.
pub(super) async fn nonce(database: &Database, account_id: AccountId, sequence: i64) -> Result<Option<i64>, Fault> {
    let text = "SELECT nonce FROM event WHERE account_id = $1 AND sequence = ";
    let mut select = Select::of(database, account_id, text);
    select.bind(sequence);
    let row = select.one(database).await?;
    row.map(|row| Ok(row.try_get("", "nonce")?)).transpose()
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

fn event(row: &Row) -> Result<Event, Fault> {
    let kind: String = row.try_get("", "kind")?;
    let id = |column: &str| row.try_get::<Option<Uuid>>("", column);
    Ok(Event {
        place: Place {
            sequence: row.try_get("", "sequence")?,
            nonce: row.try_get("", "nonce")?,
        },
        kind: EventKind::from_text(&kind)
            .ok_or_else(|| Fault::Internal(format!("an event of the unknown kind {kind}")))?,
        occurred_at: Timestamp::from_millis(row.try_get("", "occurred_at")?),
        entry_id: id("entry_id")?.map(EntryId::from_uuid),
        session_id: id("session_id")?.map(SessionId::from_uuid),
        top_up_id: id("top_up_id")?.map(TopUpId::from_uuid),
        alert_id: id("alert_id")?.map(AlertId::from_uuid),
        api_key_id: id("api_key_id")?.map(ApiKeyId::from_uuid),
        member_id: id("member_id")?.map(MemberId::from_uuid),
        status: row.try_get("", "status")?,
        balance_version: row.try_get("", "balance_version")?,
    })
}
