//! Rows of deliveries. Deliveries in the app are the members' inboxes.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, Statement, Value};
use uuid::Uuid;

use super::{recipient_of, unreadable};
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::database::keyset::{Branch, Keyset, Position};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId, DeliveryId, MemberId};

use super::super::model::{Alert, Channel, Delivery, DeliveryStatus, InboxItem, MailFailure, SuppressionReason};

const NEW: Columns = &[
    ("account_id", Kind::BigInt),
    ("id", Kind::Uuid),
    ("alert_id", Kind::Uuid),
    ("recipient_kind", Kind::Text),
    ("recipient_id", Kind::Uuid),
    ("channel", Kind::Text),
    ("kind", Kind::Text),
    ("severity", Kind::Text),
    ("status", Kind::Text),
    ("suppressed_because", Kind::Text),
    ("attempts", Kind::Int),
    ("next_attempt_at", Kind::BigInt),
    ("sent_at", Kind::BigInt),
    ("created_at", Kind::BigInt),
];

pub(in super::super) const DELIVERY_COLUMNS: &str = "id, alert_id, recipient_kind, recipient_id, channel, kind, status, suppressed_because, address, attempts, last_error, \
     next_attempt_at, sent_at, created_at";

/// The columns for a page of an inbox, with those that conditions need.
const INBOX_COLUMNS: &str =
    "id, alert_id, created_at, channel, kind, severity, status, resolved_at, read_at, archived_at";

/// Deliveries in a member's inbox.
const IN_INBOX: Condition = Condition::Plain("channel = 'IN_APP' AND status = 'SENT'");

/// Writes new deliveries, each with its alert, by one statement for any number.
pub(in super::super) async fn insert_deliveries(
    tx: &Transaction,
    deliveries: &[(&Alert, Delivery)],
) -> Result<(), Fault> {
    let mut rows = Rows::new(NEW);
    for (alert, delivery) in deliveries {
        rows.push([
            delivery.account_id.number().into(),
            delivery.id.uuid().into(),
            delivery.alert_id.uuid().into(),
            delivery.recipient.kind().into(),
            delivery.recipient.uuid().into(),
            delivery.channel.as_str().into(),
            alert.kind.as_str().into(),
            alert.severity().as_str().into(),
            delivery.status.as_str().into(),
            delivery.suppressed_because.map(SuppressionReason::as_str).into(),
            delivery.attempts.into(),
            delivery.next_attempt_at.map(Timestamp::millis).into(),
            delivery.sent_at.map(Timestamp::millis).into(),
            delivery.created_at.millis().into(),
        ]);
    }
    if !rows.is_empty() {
        tx.execute_raw(rows.insert(tx.get_database_backend(), "delivery", ""))
            .await?;
    }
    Ok(())
}

/// Deliveries that meet `residuals`, by when they were created. `of` drives the scan.
pub(in super::super) fn deliveries_keyset(of: Branch, residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
    keyset(of, &["created_at", "id"], DELIVERY_COLUMNS, residuals)
}

/// The alerts in a member's inbox that meet `residuals`, by when they were raised.
pub(in super::super) fn inbox_keyset(member_id: MemberId, mut residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
    residuals.push(IN_INBOX);
    let of = Branch {
        column: "recipient_id",
        value: member_id.uuid().into(),
    };
    keyset(of, &["created_at", "alert_id"], INBOX_COLUMNS, residuals)
}

fn keyset(
    of: Branch,
    key: &'static [&'static str],
    columns: &'static str,
    residuals: Vec<Condition>,
) -> Keyset<(i64, Uuid)> {
    Keyset {
        table: "delivery",
        key,
        columns,
        branches: vec![of],
        has_repeats: false,
        residuals,
        from: <(i64, Uuid)>::FIRST,
        to: <(i64, Uuid)>::LAST,
        descending: false,
    }
}

pub(in super::super) fn delivery(row: &Row, account_id: AccountId) -> Result<Delivery, Fault> {
    let (channel, status): (String, String) = (row.try_get("", "channel")?, row.try_get("", "status")?);
    let because: Option<String> = row.try_get("", "suppressed_because")?;
    let last_error: Option<String> = row.try_get("", "last_error")?;
    let instant = |column: &str| Ok::<_, Fault>(row.try_get::<Option<i64>>("", column)?.map(Timestamp::from_millis));
    Ok(Delivery {
        id: DeliveryId::from_uuid(row.try_get("", "id")?),
        account_id,
        alert_id: AlertId::from_uuid(row.try_get("", "alert_id")?),
        recipient: recipient_of(row)?,
        channel: Channel::from_text(&channel).ok_or_else(|| unreadable("channel", &channel))?,
        status: DeliveryStatus::from_text(&status).ok_or_else(|| unreadable("status", &status))?,
        suppressed_because: because
            .map(|text| SuppressionReason::from_text(&text).ok_or_else(|| unreadable("reason", &text)))
            .transpose()?,
        address: row.try_get("", "address")?,
        attempts: row.try_get("", "attempts")?,
        last_error: last_error.map(|text| MailFailure::from_text(&text).unwrap_or(MailFailure::Other)),
        next_attempt_at: instant("next_attempt_at")?,
        sent_at: instant("sent_at")?,
        created_at: Timestamp::from_millis(row.try_get("", "created_at")?),
    })
}

pub(in super::super) async fn deliveries_by_id(
    database: &Database,
    account_id: AccountId,
    ids: &[DeliveryId],
) -> Result<Vec<Delivery>, Fault> {
    let select = Select::by_ids(
        database,
        account_id,
        ("delivery", DELIVERY_COLUMNS),
        ids.iter().map(|id| id.uuid()),
    );
    let rows = select.all(database).await?;
    rows.iter().map(|row| delivery(row, account_id)).collect()
}

pub(in super::super) async fn delivery_by_id(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    id: DeliveryId,
) -> Result<Option<Delivery>, Fault> {
    let sql = format!("SELECT {DELIVERY_COLUMNS} FROM delivery WHERE account_id = $1 AND id = $2");
    let values: [Value; 2] = [account_id.number().into(), id.uuid().into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let row = connection.query_one_raw(statement).await?;
    row.map(|row| delivery(&row, account_id)).transpose()
}

/// Reads from the row of an inbox when an alert was read and archived.
pub(in super::super) fn inbox_mark(row: &Row) -> Result<InboxRow, Fault> {
    let instant = |column: &str| Ok::<_, Fault>(row.try_get::<Option<i64>>("", column)?.map(Timestamp::from_millis));
    Ok(InboxRow {
        id: DeliveryId::from_uuid(row.try_get("", "id")?),
        read_at: instant("read_at")?,
        archived_at: instant("archived_at")?,
    })
}

/// An item of an inbox, without the alert.
#[derive(Clone, Copy, Debug)]
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
    let values: [Value; 3] = [account_id.number().into(), member_id.uuid().into(), id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map(|row| Ok(Timestamp::from_millis(row.try_get("", "created_at")?)))
        .transpose()
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
        .push("SELECT id, alert_id, read_at, archived_at FROM delivery WHERE account_id = $1 AND recipient_id = ")
        .bind(member_id.uuid());
    let ids = alert_ids.iter().map(|id| id.uuid()).collect();
    select.and_all(&[IN_INBOX, Condition::Uuids("alert_id", ids)]);
    let rows = select.all(database).await?;
    rows.iter()
        .map(|row| Ok((AlertId::from_uuid(row.try_get("", "alert_id")?), inbox_mark(row)?)))
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
    let rows = select.all(database).await?;
    rows.iter()
        .map(|row| Ok(AlertId::from_uuid(row.try_get("", "alert_id")?)))
        .collect()
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
    let row = select.one(database).await?;
    Ok(row.map(|row| row.try_get("", "count")).transpose()?.unwrap_or(0))
}

/// Selects alerts of a member's inbox.
#[derive(Clone, Debug)]
pub(in super::super) enum Meant {
    These(Vec<AlertId>),
    /// All alerts up to and including this one.
    UpTo(Timestamp, AlertId),
}

/// A mark of alerts in an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Mark {
    Read,
    Unread,
    Archived,
    Unarchived,
}

impl Mark {
    /// The name of the change in the schema.
    pub(in super::super) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Unread => "UNREAD",
            Self::Archived => "ARCHIVED",
            Self::Unarchived => "UNARCHIVED",
        }
    }

    const fn change(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("read_at = $3", "read_at IS NULL"),
            Self::Unread => ("read_at = NULL", "read_at IS NOT NULL AND $3 = $3"),
            Self::Archived => ("archived_at = $3", "archived_at IS NULL"),
            Self::Unarchived => ("archived_at = NULL", "archived_at IS NOT NULL AND $3 = $3"),
        }
    }
}

/// Marks alerts of a member's inbox, except those that already have the mark. `sequence` is the number of the event of this
/// change. Returns how many were marked.
pub(in super::super) async fn mark(
    tx: &Transaction,
    (account_id, member_id): (AccountId, MemberId),
    meant: &Meant,
    (mark, now): (Mark, Timestamp),
    sequence: i64,
) -> Result<u64, Fault> {
    let backend = tx.get_database_backend();
    let (set, unless) = mark.change();
    let mut values: Vec<Value> = vec![
        account_id.number().into(),
        member_id.uuid().into(),
        now.millis().into(),
        sequence.into(),
    ];
    let which = match meant {
        Meant::These(ids) => {
            const IDS: Columns = &[("id", Kind::Uuid)];
            let mut rows = Rows::new(IDS);
            for id in ids {
                rows.push([id.uuid().into()]);
            }
            values.push(rows.value());
            format!("alert_id IN (SELECT r.id FROM {})", rows.relation(backend, 5))
        }
        Meant::UpTo(raised_at, id) => {
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
    const IDS: Columns = &[("id", Kind::Uuid)];
    let backend = tx.get_database_backend();
    let mut ids = Rows::new(IDS);
    for id in alert_ids {
        ids.push([id.uuid().into()]);
    }
    let relation = ids.relation(backend, 3);
    let sql = format!(
        "SELECT d.alert_id FROM delivery d WHERE d.account_id = $1 AND d.recipient_id = $2 AND d.channel = 'IN_APP' \
         AND d.status = 'SENT' AND d.alert_id IN (SELECT r.id FROM {relation})"
    );
    let values: [Value; 3] = [account_id.number().into(), member_id.uuid().into(), ids.value()];
    let rows = tx
        .query_all_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?;
    rows.iter()
        .map(|row| Ok(AlertId::from_uuid(row.try_get("", "alert_id")?)))
        .collect()
}
