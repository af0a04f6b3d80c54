//! Rows of alerts, and of open edges.

use std::collections::{HashMap, HashSet};

use entity::{alert, alert_edge};
use sea_orm::{ConnectionTrait, EntityName, Statement, Value};
use uuid::Uuid;

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::keyset::Keyset;
use crate::domain::database::records::{self, FromRow, column_list};
use crate::domain::database::select::{self, Condition, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, AlertId, RecipientId, SessionId, TopUpId};

use super::super::model::{Alert, AlertKind, Severity};
use super::due::names;

/// The account's alerts that meet `residuals`, by when they were raised.
pub(in super::super) fn alerts_keyset(residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
    // Conditions may name the severity.
    let columns = format!("{}, severity", column_list::<Alert>());
    Keyset {
        residuals,
        ..Keyset::new("alert", &["raised_at", "id"], columns)
    }
}

pub(in super::super) async fn alerts_by_id(
    database: &Database,
    account_id: AccountId,
    ids: &[AlertId],
) -> Result<HashMap<AlertId, Alert>, Fault> {
    select::by_ids(database, account_id, "alert", ids, |alert: &Alert| alert.id).await
}

/// A new alert, as it is inserted.
#[derive(Record)]
struct NewAlert<'a> {
    #[record(flatten)]
    alert: &'a Alert,
    severity: Severity,
    #[record(text)]
    dedupe_key: &'a str,
}

/// Writes new alerts by one statement for any number. An account has at most one alert with a key. Returns those that were not raised
/// before; it writes nothing for the others.
pub(in super::super) async fn insert_alerts(
    tx: &Transaction,
    alerts: &[(&Alert, &str)],
) -> Result<HashSet<AlertId>, Fault> {
    let rows = Rows::of(alerts.iter().map(|(alert, dedupe_key)| NewAlert {
        alert,
        severity: alert.severity(),
        dedupe_key,
    }));
    let backend = tx.get_database_backend();
    let once = "ON CONFLICT (account_id, dedupe_key) DO NOTHING RETURNING id";
    let inserted = tx
        .query_all_raw(rows.insert(backend, alert::Entity.table_name(), once))
        .await?;
    Ok(records::tuples(&inserted)?.into_iter().collect())
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

/// Returns the condition of the partial index on open alerts about sessions that no member resolved in time.
pub(super) fn unresolved_session() -> String {
    format!(
        "kind = {} AND resolved_at IS NULL",
        names([AlertKind::SessionUnresolved])
    )
}

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
        "SELECT session_id, id FROM alert WHERE account_id = $1",
    );
    let ids = ids.iter().map(|id| id.uuid()).collect();
    select.push(&format!(" AND {}", unresolved_session()));
    select.and_all(&[Condition::Uuids("session_id", ids)]);
    Ok(select.values(database).await?.into_iter().collect())
}

pub(in super::super) async fn open_of_top_up(
    tx: &Transaction,
    account_id: AccountId,
    top_up_id: TopUpId,
) -> Result<Vec<(AlertId, AlertKind)>, Fault> {
    let sql = "SELECT id, kind FROM alert WHERE account_id = $1 AND top_up_id = $2 AND resolved_at IS NULL";
    records::values(tx, sql, [account_id.into(), top_up_id.into()]).await
}

/// An open edge.
#[derive(Clone, Copy, Debug, Record, FromRow)]
pub(in super::super) struct OpenEdge {
    /// The alert of the edge.
    pub(in super::super) alert_id: AlertId,
    /// The threshold of a low balance that the edge crossed.
    pub(in super::super) level: Option<Credits>,
}

#[derive(Record, FromRow)]
struct EdgeRow {
    kind: AlertKind,
    #[record(flatten, prefix = "recipient_")]
    recipient: RecipientId,
    #[record(flatten)]
    open: OpenEdge,
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
    let sql = format!(
        "SELECT {} FROM alert_edge WHERE account_id = $1",
        column_list::<EdgeRow>()
    );
    let rows: Vec<EdgeRow> = records::all(tx, sql, [account_id.into()]).await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.kind, row.recipient), row.open))
        .collect())
}

pub(in super::super) async fn open_edge(
    tx: &Transaction,
    account_id: AccountId,
    (kind, recipient): (AlertKind, RecipientId),
    open: OpenEdge,
) -> Result<(), Fault> {
    let row = EdgeRow { kind, recipient, open };
    records::insert_all::<alert_edge::Entity>(tx, &Rows::of([(account_id, row)])).await
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
