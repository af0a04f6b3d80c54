//! Rows of alerts, and of open edges.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, Statement, Value};
use uuid::Uuid;

use super::{recipient_of, unreadable};
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::database::keyset::{Keyset, Position};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, AlertId, EntryId, MemberId, RecipientId, SessionId, TopUpId};

use super::super::model::{Alert, AlertKind, Facts};

const COLUMNS: &str = "id, kind, severity, subject_id, facts, entry_id, session_id, top_up_id, raised_at, resolved_at";

/// The account's alerts that meet `residuals`, by when they were raised.
pub(in super::super) fn alerts_keyset(residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
    Keyset {
        table: "alert",
        key: &["raised_at", "id"],
        columns: COLUMNS,
        branches: Vec::new(),
        has_repeats: false,
        residuals,
        from: <(i64, Uuid)>::FIRST,
        to: <(i64, Uuid)>::LAST,
        descending: false,
    }
}

pub(in super::super) fn alert(row: &Row, account_id: AccountId) -> Result<Alert, Fault> {
    let (kind, facts): (String, String) = (row.try_get("", "kind")?, row.try_get("", "facts")?);
    let id = |column: &str| row.try_get::<Option<Uuid>>("", column);
    Ok(Alert {
        id: AlertId::from_uuid(row.try_get("", "id")?),
        account_id,
        kind: AlertKind::from_text(&kind).ok_or_else(|| unreadable("kind of alert", &kind))?,
        subject: id("subject_id")?.map(MemberId::from_uuid),
        facts: serde_json::from_str::<Facts>(&facts).map_err(|_| unreadable("list of facts", &facts))?,
        entry_id: id("entry_id")?.map(EntryId::from_uuid),
        session_id: id("session_id")?.map(SessionId::from_uuid),
        top_up_id: id("top_up_id")?.map(TopUpId::from_uuid),
        raised_at: Timestamp::from_millis(row.try_get("", "raised_at")?),
        resolved_at: row
            .try_get::<Option<i64>>("", "resolved_at")?
            .map(Timestamp::from_millis),
    })
}

pub(in super::super) async fn alerts_by_id(
    database: &Database,
    account_id: AccountId,
    ids: &[AlertId],
) -> Result<HashMap<AlertId, Alert>, Fault> {
    let select = Select::by_ids(database, account_id, ("alert", COLUMNS), ids.iter().map(|id| id.uuid()));
    let mut found = HashMap::new();
    for row in select.all(database).await? {
        let alert = alert(&row, account_id)?;
        found.insert(alert.id, alert);
    }
    Ok(found)
}

const NEW: Columns = &[
    ("account_id", Kind::BigInt),
    ("id", Kind::Uuid),
    ("kind", Kind::Text),
    ("severity", Kind::Text),
    ("dedupe_key", Kind::Text),
    ("subject_id", Kind::Uuid),
    ("facts", Kind::Text),
    ("entry_id", Kind::Uuid),
    ("session_id", Kind::Uuid),
    ("top_up_id", Kind::Uuid),
    ("raised_at", Kind::BigInt),
    ("resolved_at", Kind::BigInt),
];

/// Writes new alerts by one statement for any number. An account has at most one alert with a key. Returns those that were not raised
/// before; it writes nothing for the others.
pub(in super::super) async fn insert_alerts(
    tx: &Transaction,
    alerts: &[(&Alert, &str)],
) -> Result<HashSet<AlertId>, Fault> {
    let mut rows = Rows::new(NEW);
    for (alert, dedupe_key) in alerts {
        let facts = serde_json::to_string(&alert.facts).map_err(|error| Fault::Internal(error.to_string()))?;
        rows.push([
            alert.account_id.number().into(),
            alert.id.uuid().into(),
            alert.kind.as_str().into(),
            alert.severity().as_str().into(),
            (*dedupe_key).into(),
            alert.subject.map(MemberId::uuid).into(),
            (&facts).into(),
            alert.entry_id.map(EntryId::uuid).into(),
            alert.session_id.map(SessionId::uuid).into(),
            alert.top_up_id.map(TopUpId::uuid).into(),
            alert.raised_at.millis().into(),
            alert.resolved_at.map(Timestamp::millis).into(),
        ]);
    }
    let once = "ON CONFLICT (account_id, dedupe_key) DO NOTHING RETURNING id";
    let statement = rows.insert(tx.get_database_backend(), "alert", once);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok(AlertId::from_uuid(row.try_get("", "id")?)))
        .collect()
}

/// Marks an alert and its deliveries as ended. Returns whether it was open.
pub(in super::super) async fn resolve_alert(
    tx: &Transaction,
    account_id: AccountId,
    id: AlertId,
    now: Timestamp,
) -> Result<bool, Fault> {
    let run = async |sql: &str| {
        let values: [Value; 3] = [account_id.number().into(), id.uuid().into(), now.millis().into()];
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
            .await
    };
    let alert = "UPDATE alert SET resolved_at = $3 WHERE account_id = $1 AND id = $2 AND resolved_at IS NULL";
    if run(alert).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let deliveries = format!("UPDATE delivery SET {ENDED} WHERE account_id = $1 AND alert_id = $2");
    run(&deliveries).await?;
    Ok(true)
}

/// What ends with an alert: a pending mail about it is not sent.
const ENDED: &str = "resolved_at = COALESCE(resolved_at, $3), \
    suppressed_because = CASE WHEN status = 'QUEUED' THEN 'ENDED' ELSE suppressed_because END, \
    next_attempt_at = CASE WHEN status = 'QUEUED' THEN NULL ELSE next_attempt_at END, \
    status = CASE WHEN status = 'QUEUED' THEN 'SUPPRESSED' ELSE status END";

/// Marks an alert's deliveries to one recipient as ended.
pub(in super::super) async fn end_for(
    tx: &Transaction,
    account_id: AccountId,
    (alert_id, recipient): (AlertId, RecipientId),
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = format!(
        "UPDATE delivery SET {ENDED} WHERE account_id = $1 AND alert_id = $2 AND recipient_id = $4 AND resolved_at IS NULL"
    );
    let values: [Value; 4] = [
        account_id.number().into(),
        alert_id.uuid().into(),
        now.millis().into(),
        recipient.uuid().into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// The condition of the partial index on open alerts about sessions that no member resolved in time.
pub(super) const UNRESOLVED_SESSION: &str = "kind = 'SESSION_UNRESOLVED' AND resolved_at IS NULL";

/// Returns the open alerts that these sessions were not resolved in time.
pub(in super::super) async fn unresolved_sessions(
    database: &Database,
    account_id: AccountId,
    ids: &[SessionId],
) -> Result<HashMap<SessionId, AlertId>, Fault> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut select = Select::of(
        database,
        account_id,
        "SELECT id, session_id FROM alert WHERE account_id = $1",
    );
    let ids = ids.iter().map(|id| id.uuid()).collect();
    select.and_all(&[
        Condition::Plain(UNRESOLVED_SESSION),
        Condition::Uuids("session_id", ids),
    ]);
    let rows = select.all(database).await?;
    rows.iter()
        .map(|row| {
            let session_id = SessionId::from_uuid(row.try_get("", "session_id")?);
            Ok((session_id, AlertId::from_uuid(row.try_get("", "id")?)))
        })
        .collect()
}

pub(in super::super) async fn open_of_top_up(
    tx: &Transaction,
    account_id: AccountId,
    top_up_id: TopUpId,
) -> Result<Vec<(AlertId, AlertKind)>, Fault> {
    let sql = "SELECT id, kind FROM alert WHERE account_id = $1 AND top_up_id = $2 AND resolved_at IS NULL";
    let values: [Value; 2] = [account_id.number().into(), top_up_id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let kind: String = row.try_get("", "kind")?;
            let kind = AlertKind::from_text(&kind).ok_or_else(|| unreadable("kind of alert", &kind))?;
            Ok((AlertId::from_uuid(row.try_get("", "id")?), kind))
        })
        .collect()
}

/// An open edge.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct OpenEdge {
    /// The alert of the edge.
    pub(in super::super) alert_id: AlertId,
    /// The threshold of a low balance that the edge crossed.
    pub(in super::super) level: Option<Credits>,
}

impl OpenEdge {
    /// An edge without a threshold.
    pub(in super::super) const fn of(alert_id: AlertId) -> Self {
        Self { alert_id, level: None }
    }
}

/// Returns the open edges of an account by kind and recipient. The recipient is nil where the edge belongs to the account.
pub(in super::super) async fn edges(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<HashMap<(AlertKind, RecipientId), OpenEdge>, Fault> {
    let sql = "SELECT kind, recipient_kind, recipient_id, alert_id, level FROM alert_edge WHERE account_id = $1";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [account_id.number().into()]);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let kind: String = row.try_get("", "kind")?;
            let kind = AlertKind::from_text(&kind).ok_or_else(|| unreadable("kind of alert", &kind))?;
            let recipient = recipient_of(row)?;
            let level: Option<i64> = row.try_get("", "level")?;
            let open = OpenEdge {
                alert_id: AlertId::from_uuid(row.try_get("", "alert_id")?),
                level: level.map(Credits::from_units),
            };
            Ok(((kind, recipient), open))
        })
        .collect()
}

pub(in super::super) async fn open_edge(
    tx: &Transaction,
    account_id: AccountId,
    (kind, recipient): (AlertKind, RecipientId),
    open: OpenEdge,
) -> Result<(), Fault> {
    let sql = "INSERT INTO alert_edge (account_id, kind, recipient_kind, recipient_id, alert_id, level) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values: [Value; 6] = [
        account_id.number().into(),
        kind.as_str().into(),
        recipient.kind().into(),
        recipient.uuid().into(),
        open.alert_id.uuid().into(),
        open.level.map(Credits::units).into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// Closes an edge, so that it can be crossed again.
pub(in super::super) async fn close_edge(
    tx: &Transaction,
    account_id: AccountId,
    (kind, recipient): (AlertKind, RecipientId),
) -> Result<(), Fault> {
    let sql = "DELETE FROM alert_edge WHERE account_id = $1 AND kind = $2 AND recipient_id = $3";
    let values: [Value; 3] = [
        account_id.number().into(),
        kind.as_str().into(),
        recipient.uuid().into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}
