//! Rows of deliveries. Deliveries in the app are the members' inboxes.

use std::collections::{HashMap, HashSet};

use entity::delivery;
use sea_orm::{ConnectionTrait, EntityTrait, Statement, Value};
use uuid::Uuid;

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::keyset::{Branch, Keyset};
use crate::domain::database::records::{self, Fields, FromRow, column_list};
use crate::domain::database::select::{Condition, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::event::AlertMark;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId, DeliveryId, MemberId};

use super::super::model::{Alert, AlertKind, Delivery, InboxItem, Severity};

/// A delivery, with what it repeats of its alert.
#[derive(Record)]
struct DeliveryRow<'a> {
    #[record(flatten)]
    delivery: &'a Delivery,
    kind: AlertKind,
    severity: Severity,
}

/// An id as a parameter of a statement.
#[derive(Record)]
struct Named {
    id: AlertId,
}

/// Deliveries in a member's inbox.
const IN_INBOX: Condition = Condition::Plain("channel = 'IN_APP' AND status = 'SENT'");

/// Writes new deliveries, each with its alert, by one statement for any number.
pub(in super::super) async fn insert_deliveries(
    tx: &Transaction,
    deliveries: &[(&Alert, Delivery)],
) -> Result<(), Fault> {
    let rows = Rows::of(deliveries.iter().map(|(alert, delivery)| DeliveryRow {
        delivery,
        kind: alert.kind,
        severity: alert.severity(),
    }));
    records::insert_all::<delivery::Entity>(tx, &rows).await
}

/// Deliveries that meet `residuals`, by when they were created. `of` drives the scan.
pub(in super::super) fn deliveries_keyset(of: Branch, residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
    // Conditions may name the kind.
    let columns = format!("{}, kind", column_list::<Delivery>());
    keyset(of, &["created_at", "id"], columns, residuals)
}

/// The alerts in a member's inbox that meet `residuals`, by when they were raised.
pub(in super::super) fn inbox_keyset(member_id: MemberId, mut residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
    residuals.push(IN_INBOX);
    let of = Branch {
        column: "recipient_id",
        value: member_id.uuid().into(),
    };
    let columns = format!(
        "{}, alert_id, created_at, channel, kind, severity, status, resolved_at",
        column_list::<InboxRow>()
    );
    keyset(of, &["created_at", "alert_id"], columns, residuals)
}

fn keyset(of: Branch, key: &'static [&'static str], columns: String, residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
    Keyset {
        branches: vec![of],
        residuals,
        ..Keyset::new("delivery", key, columns)
    }
}

pub(in super::super) async fn deliveries_by_id(
    database: &Database,
    account_id: AccountId,
    ids: &[DeliveryId],
) -> Result<Vec<Delivery>, Fault> {
    Select::by_ids::<Delivery>(database, account_id, "delivery", ids)
        .records(database)
        .await
}

pub(in super::super) async fn delivery_by_id(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    id: DeliveryId,
) -> Result<Option<Delivery>, Fault> {
    records::find_one(
        connection,
        delivery::Entity::find_by_id((account_id.number(), id.uuid())),
    )
    .await
}

/// An item of an inbox, without the alert.
#[derive(Clone, Copy, Debug, Record, FromRow)]
pub(in super::super) struct InboxRow {
    /// The delivery that put it into the inbox.
    pub(in super::super) id: DeliveryId,
    pub(in super::super) read_at: Option<Timestamp>,
    pub(in super::super) archived_at: Option<Timestamp>,
}

impl InboxRow {
    pub(in super::super) fn with(self, alert: Alert, member_id: MemberId) -> InboxItem {
        InboxItem {
            alert,
            place: Some((member_id, self.id)),
            read_at: self.read_at,
            archived_at: self.archived_at,
        }
    }
}

/// When an alert in a member's inbox was raised; `None` where it is not in the inbox.
pub(in super::super) async fn raised_at(
    tx: &Transaction,
    account_id: AccountId,
    member_id: MemberId,
    id: AlertId,
) -> Result<Option<Timestamp>, Fault> {
    let sql = "SELECT created_at FROM delivery WHERE account_id = $1 AND recipient_id = $2 AND alert_id = $3 \
               AND channel = 'IN_APP' AND status = 'SENT'";
    records::value(tx, sql, [account_id.into(), member_id.into(), id.into()]).await
}

/// When a member read and archived alerts in their inbox. Alerts that are not in it are left out.
pub(in super::super) async fn marks(
    database: &Database,
    account_id: AccountId,
    member_id: MemberId,
    alert_ids: &[AlertId],
) -> Result<HashMap<AlertId, InboxRow>, Fault> {
    let mut select = Select::of(database, account_id, "");
    select
        .push(&format!("SELECT alert_id, {} FROM delivery", column_list::<InboxRow>()))
        .push(" WHERE account_id = $1 AND recipient_id = ")
        .bind(member_id.uuid());
    let ids = alert_ids.iter().map(|id| id.uuid()).collect();
    select.and_all(&[IN_INBOX, Condition::Uuids("alert_id", ids)]);
    let rows = select.all(database).await?;
    rows.iter()
        .map(|row| {
            let mut fields = Fields::of(row);
            Ok((fields.next()?, InboxRow::read(&mut fields)?))
        })
        .collect()
}

/// The alerts of a member's inbox whose last mark came with an event.
pub(in super::super) async fn marked_in(
    database: &Database,
    account_id: AccountId,
    member_id: MemberId,
    sequence: i64,
) -> Result<Vec<AlertId>, Fault> {
    let mut select = Select::of(database, account_id, "");
    select
        .push("SELECT alert_id FROM delivery WHERE account_id = $1 AND recipient_id = ")
        .bind(member_id.uuid())
        .push(" AND marked_in = ")
        .bind(sequence)
        .push(" ORDER BY created_at, alert_id LIMIT 100");
    select.values(database).await
}

/// Counts the alerts in a member's inbox that are neither read nor archived.
pub(in super::super) async fn unread(
    database: &Database,
    account_id: AccountId,
    member_id: MemberId,
) -> Result<i64, Fault> {
    let mut select = Select::of(
        database,
        account_id,
        "SELECT COUNT(*) AS count FROM delivery WHERE account_id = $1 AND recipient_id = ",
    );
    select
        .bind(member_id.uuid())
        .push(" AND channel = 'IN_APP' AND status = 'SENT' AND read_at IS NULL AND archived_at IS NULL");
    Ok(select.value(database).await?.unwrap_or(0))
}

/// Selects alerts of a member's inbox.
#[derive(Clone, Debug)]
pub(in super::super) enum AlertSelection {
    These(Vec<AlertId>),
    /// All alerts up to and including this one.
    UpTo(Timestamp, AlertId),
}

/// Returns what a mark sets, and the condition of the rows that do not have it yet.
const fn change_of(mark: AlertMark) -> (&'static str, &'static str) {
    match mark {
        AlertMark::Read => ("read_at = $3", "read_at IS NULL"),
        AlertMark::Unread => ("read_at = NULL", "read_at IS NOT NULL AND $3 = $3"),
        AlertMark::Archived => ("archived_at = $3", "archived_at IS NULL"),
        AlertMark::Unarchived => ("archived_at = NULL", "archived_at IS NOT NULL AND $3 = $3"),
    }
}

/// Marks alerts of a member's inbox, except those that already have the mark. `sequence` is the number of the event of this
/// change. Returns how many were marked.
pub(in super::super) async fn mark(
    tx: &Transaction,
    (account_id, member_id): (AccountId, MemberId),
    selection: &AlertSelection,
    (mark, now): (AlertMark, Timestamp),
    sequence: i64,
) -> Result<u64, Fault> {
    let backend = tx.get_database_backend();
    let (set, unless) = change_of(mark);
    let mut values: Vec<Value> = vec![
        account_id.number().into(),
        member_id.uuid().into(),
        now.millis().into(),
        sequence.into(),
    ];
    let which = match selection {
        AlertSelection::These(ids) => {
            let rows = Rows::of(ids.iter().map(|id| Named { id: *id }));
            values.push(rows.value());
            format!("alert_id IN (SELECT r.id FROM {})", rows.relation(backend, 5))
        }
        AlertSelection::UpTo(raised_at, id) => {
            values.push(raised_at.millis().into());
            values.push(id.uuid().into());
            "created_at <= $5 AND (created_at < $5 OR alert_id <= $6)".to_owned()
        }
    };
    let sql = format!(
        "UPDATE delivery SET {set}, marked_in = $4 WHERE account_id = $1 AND recipient_id = $2 AND channel = 'IN_APP' \
         AND status = 'SENT' AND {unless} AND {which}"
    );
    let done = tx
        .execute_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?;
    Ok(done.rows_affected())
}

/// Returns which of these alerts are in a member's inbox, as the transaction sees it.
pub(in super::super) async fn in_inbox(
    tx: &Transaction,
    account_id: AccountId,
    member_id: MemberId,
    alert_ids: &[AlertId],
) -> Result<HashSet<AlertId>, Fault> {
    let backend = tx.get_database_backend();
    let ids = Rows::of(alert_ids.iter().map(|id| Named { id: *id }));
    let relation = ids.relation(backend, 3);
    let sql = format!(
        "SELECT d.alert_id FROM delivery d WHERE d.account_id = $1 AND d.recipient_id = $2 AND d.channel = 'IN_APP' \
         AND d.status = 'SENT' AND d.alert_id IN (SELECT r.id FROM {relation})"
    );
    let found = records::values(tx, sql, [account_id.into(), member_id.into(), ids.value()]).await?;
    Ok(found.into_iter().collect())
}
