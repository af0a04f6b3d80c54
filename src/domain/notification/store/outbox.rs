//! Mail that is pending.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, EntityTrait, QueryResult, Statement, Value};

use super::{address, recipient_of, settings, unreadable};
use crate::domain::database::select::{Condition, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId, DeliveryId, MemberId, NotificationAddressId, RecipientId};

use super::super::model::{
    AlertKind, COOLDOWN_MILLIS, DeliveryStatus, LastMail, MailFailure, NotificationSettings, Pace, Party,
    SuppressionReason, Wishes,
};

/// A mail with a claim. The holder of the claim may send it until the claim runs out.
#[derive(Clone, Debug)]
pub(in super::super) struct Claimed {
    pub(in super::super) account_id: AccountId,
    pub(in super::super) id: DeliveryId,
    pub(in super::super) alert_id: AlertId,
    pub(in super::super) recipient: RecipientId,
    pub(in super::super) kind: AlertKind,
    pub(in super::super) attempts: i32,
    pub(in super::super) created_at: Timestamp,
    /// Time of the first attempt to send it.
    pub(in super::super) queued_at: Timestamp,
    /// The address of the last try.
    pub(in super::super) address: Option<String>,
    /// Whether a person requested it to be sent again.
    pub(in super::super) is_requested: bool,
    /// The time that it was scheduled for.
    pub(in super::super) due: Timestamp,
}

/// Whether any mail is pending. It avoids a transaction that would find none.
pub(in super::super) async fn is_mail_due(database: &Database, now: Timestamp) -> Result<bool, Fault> {
    let sql = "SELECT 1 AS due FROM delivery WHERE status IN ('QUEUED', 'SENDING') AND next_attempt_at <= $1 LIMIT 1";
    let statement = Statement::from_sql_and_values(database.backend(), sql, [now.millis().into()]);
    Ok(database.read().query_one_raw(statement).await?.is_some())
}

/// Claims about `limit` pending mails. Those of one recipient are adjacent. All that are scheduled together for a recipient are claimed
/// together, because they form one mail. A claim is stored before anything is sent, so that two processes never send the same mail. It
/// runs out, so that a process that dies blocks nothing.
pub(in super::super) async fn claim(
    tx: &Transaction,
    (now, until): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<Claimed>, Fault> {
    let backend = tx.get_database_backend();
    let sql = format!(
        "SELECT {DUE_COLUMNS} FROM delivery WHERE status IN ('QUEUED', 'SENDING') AND next_attempt_at <= $1 \
         ORDER BY next_attempt_at, account_id, recipient_id, created_at, id LIMIT $2"
    );
    let values: [Value; 2] = [now.millis().into(), limit.into()];
    let rows = tx
        .query_all_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?;
    let mut found = rows.iter().map(due_mail).collect::<Result<Vec<Claimed>, Fault>>()?;
    if i64::try_from(found.len()).is_ok_and(|count| count >= limit)
        && let Some(last) = found.last()
    {
        let rest = rest_of_mail(tx, last).await?;
        found.extend(rest);
    }
    let mut claimed = Vec::with_capacity(found.len());
    for mail in found {
        // Only a worker that still finds it unchanged gets it.
        let sql = "UPDATE delivery SET status = 'SENDING', attempts = attempts + 1, next_attempt_at = $4 \
                   WHERE account_id = $1 AND id = $2 AND next_attempt_at = $3 AND status IN ('QUEUED', 'SENDING')";
        let values: [Value; 4] = [
            mail.account_id.number().into(),
            mail.id.uuid().into(),
            mail.due.millis().into(),
            until.millis().into(),
        ];
        let done = tx
            .execute_raw(Statement::from_sql_and_values(backend, sql, values))
            .await?;
        if done.rows_affected() == 1 {
            claimed.push(mail);
        }
    }
    Ok(claimed)
}

const DUE_COLUMNS: &str = "account_id, id, alert_id, recipient_kind, recipient_id, kind, attempts, created_at, queued_at, address, next_attempt_at";

/// Deliveries scheduled together with `last` for the same recipient that follow it in the order of claims.
async fn rest_of_mail(tx: &Transaction, last: &Claimed) -> Result<Vec<Claimed>, Fault> {
    let sql = format!(
        "SELECT {DUE_COLUMNS} FROM delivery WHERE account_id = $1 AND recipient_id = $2 AND next_attempt_at = $3 \
         AND status IN ('QUEUED', 'SENDING') AND (created_at > $4 OR (created_at = $4 AND id > $5)) ORDER BY created_at, id"
    );
    let values: [Value; 5] = [
        last.account_id.number().into(),
        last.recipient.uuid().into(),
        last.due.millis().into(),
        last.created_at.millis().into(),
        last.id.uuid().into(),
    ];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter().map(due_mail).collect()
}

fn due_mail(row: &QueryResult) -> Result<Claimed, Fault> {
    let kind: String = row.try_get("", "kind")?;
    let created_at: i64 = row.try_get("", "created_at")?;
    let queued_at: Option<i64> = row.try_get("", "queued_at")?;
    Ok(Claimed {
        account_id: AccountId::from_number(row.try_get("", "account_id")?),
        id: DeliveryId::from_uuid(row.try_get("", "id")?),
        alert_id: AlertId::from_uuid(row.try_get("", "alert_id")?),
        recipient: recipient_of(row)?,
        kind: AlertKind::from_text(&kind).ok_or_else(|| unreadable("kind of alert", &kind))?,
        attempts: row.try_get::<i32>("", "attempts")? + 1,
        created_at: Timestamp::from_millis(created_at),
        queued_at: Timestamp::from_millis(queued_at.unwrap_or(created_at)),
        address: row.try_get("", "address")?,
        is_requested: queued_at.is_some(),
        due: Timestamp::from_millis(row.try_get("", "next_attempt_at")?),
    })
}

/// For each kind with a maximum rate: the last mail that went to a recipient within a day.
pub(in super::super) async fn last_sent(
    database: &Database,
    account_id: AccountId,
    recipient: RecipientId,
    now: Timestamp,
) -> Result<HashMap<AlertKind, LastMail>, Fault> {
    let mut select = Select::of(
        database,
        account_id,
        "SELECT kind, sent_at, resolved_at FROM delivery WHERE account_id = $1 AND recipient_id = ",
    );
    let paced = AlertKind::ALL.iter().filter(|kind| kind.pace() != Pace::Each);
    let paced = paced.map(|kind| kind.as_str().to_owned()).collect();
    select
        .bind(recipient.uuid())
        .push(" AND channel = 'EMAIL' AND status = 'SENT' AND sent_at > ")
        .bind(now.millis() - COOLDOWN_MILLIS)
        .and_all(&[Condition::Texts("kind", paced)]);
    select.push(" ORDER BY sent_at");
    let mut last = HashMap::new();
    for row in select.all(database).await? {
        let kind: String = row.try_get("", "kind")?;
        let kind = AlertKind::from_text(&kind).ok_or_else(|| unreadable("kind of alert", &kind))?;
        let mail = LastMail {
            at: Timestamp::from_millis(row.try_get("", "sent_at")?),
            has_ended: row.try_get::<Option<i64>>("", "resolved_at")?.is_some(),
        };
        last.insert(kind, mail);
    }
    Ok(last)
}

/// Schedules the waiting mail of a member for now, because what it waits for may have changed. Mail that still has to wait is
/// postponed again.
pub(in super::super) async fn release_mail(
    tx: &Transaction,
    account_id: AccountId,
    member_id: MemberId,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "UPDATE delivery SET next_attempt_at = $3 WHERE account_id = $1 AND recipient_id = $2 AND channel = 'EMAIL' \
               AND status = 'QUEUED' AND next_attempt_at > $3";
    let values: [Value; 3] = [account_id.number().into(), member_id.uuid().into(), now.millis().into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// Ends claims of mails that were not tried, as if they had never been claimed. They are scheduled for `due`, or else for
/// their previous time.
pub(in super::super) async fn give_back(
    tx: &Transaction,
    mails: &[Claimed],
    due: Option<Timestamp>,
) -> Result<(), Fault> {
    let sql = "UPDATE delivery SET status = 'QUEUED', attempts = attempts - 1, next_attempt_at = $4 \
               WHERE account_id = $1 AND id = $2 AND attempts = $3 AND status = 'SENDING'";
    for mail in mails {
        let values: [Value; 4] = [
            mail.account_id.number().into(),
            mail.id.uuid().into(),
            mail.attempts.into(),
            due.unwrap_or(mail.due).millis().into(),
        ];
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
            .await?;
    }
    Ok(())
}

/// The result of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Ended {
    pub(in super::super) status: DeliveryStatus,
    pub(in super::super) because: Option<SuppressionReason>,
    pub(in super::super) error: Option<MailFailure>,
    pub(in super::super) next_attempt_at: Option<Timestamp>,
    pub(in super::super) sent_at: Option<Timestamp>,
    pub(in super::super) address: Option<String>,
    /// The delivery whose id the mail had, where it was another one.
    pub(in super::super) sent_with: Option<DeliveryId>,
}

/// Records how the tries of one mail ended. It skips mails whose claim ran out and that another process has tried since, or that the
/// mail system has reported meanwhile. There are no more than were claimed together.
pub(in super::super) async fn end_attempts(tx: &Transaction, ended: &[(Claimed, Ended)]) -> Result<(), Fault> {
    for (mail, ended) in ended {
        end_attempt(tx, mail, ended).await?;
    }
    Ok(())
}

async fn end_attempt(tx: &Transaction, mail: &Claimed, ended: &Ended) -> Result<(), Fault> {
    let sql = "UPDATE delivery SET status = $4, suppressed_because = $5, last_error = $6, next_attempt_at = $7, sent_at = $8, \
               address = COALESCE($9, address), sent_with = $10 \
               WHERE account_id = $1 AND id = $2 AND attempts = $3 AND status = 'SENDING'";
    let values: [Value; 10] = [
        mail.account_id.number().into(),
        mail.id.uuid().into(),
        mail.attempts.into(),
        ended.status.as_str().into(),
        ended.because.map(SuppressionReason::as_str).into(),
        ended.error.map(MailFailure::as_str).into(),
        ended.next_attempt_at.map(Timestamp::millis).into(),
        ended.sent_at.map(Timestamp::millis).into(),
        ended.address.clone().into(),
        ended.sent_with.map(DeliveryId::uuid).into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// Returns the deliveries whose subject is over for their recipient.
pub(in super::super) async fn ended_deliveries(
    database: &Database,
    account_id: AccountId,
    ids: impl Iterator<Item = DeliveryId>,
) -> Result<HashSet<DeliveryId>, Fault> {
    let select = Select::by_ids(
        database,
        account_id,
        ("delivery", "id, resolved_at"),
        ids.map(DeliveryId::uuid),
    );
    let mut ended = HashSet::new();
    for row in select.all(database).await? {
        if row.try_get::<Option<i64>>("", "resolved_at")?.is_some() {
            ended.insert(DeliveryId::from_uuid(row.try_get("", "id")?));
        }
    }
    Ok(ended)
}

/// The alert and the recipient of a delivery.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct About {
    pub(in super::super) kind: AlertKind,
    pub(in super::super) subject: Option<MemberId>,
    pub(in super::super) has_ended: bool,
}

/// Reads the alert and the recipient of a delivery, as the transaction sees it.
pub(in super::super) async fn about(tx: &Transaction, account_id: AccountId, id: DeliveryId) -> Result<About, Fault> {
    let sql = "SELECT d.kind, d.resolved_at, a.subject_id FROM delivery d \
               JOIN alert a ON a.account_id = d.account_id AND a.id = d.alert_id WHERE d.account_id = $1 AND d.id = $2";
    let values: [Value; 2] = [account_id.number().into(), id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Fault::Internal("a delivery has no alert".to_owned()))?;
    let kind: String = row.try_get("", "kind")?;
    let subject: Option<uuid::Uuid> = row.try_get("", "subject_id")?;
    Ok(About {
        kind: AlertKind::from_text(&kind).ok_or_else(|| unreadable("kind of alert", &kind))?,
        subject: subject.map(MemberId::from_uuid),
        has_ended: row.try_get::<Option<i64>>("", "resolved_at")?.is_some(),
    })
}

/// Puts a mail back into the queue, as if it had never been tried, to be sent at `due`.
pub(in super::super) async fn requeue(
    tx: &Transaction,
    account_id: AccountId,
    id: DeliveryId,
    (now, due): (Timestamp, Timestamp),
) -> Result<(), Fault> {
    let sql = "UPDATE delivery SET status = 'QUEUED', suppressed_because = NULL, attempts = 0, queued_at = $3, next_attempt_at = $4 \
               WHERE account_id = $1 AND id = $2";
    let values: [Value; 4] = [
        account_id.number().into(),
        id.uuid().into(),
        now.millis().into(),
        due.millis().into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// A recipient as a mail addresses them.
#[derive(Clone, Debug)]
pub(in super::super) struct Addressee {
    /// The name of a member.
    pub(in super::super) name: Option<String>,
    pub(in super::super) team: String,
    /// `None` when the member left the team, or the address was removed.
    pub(in super::super) party: Option<Party>,
    pub(in super::super) email: Option<String>,
    pub(in super::super) contact: ContactStatus,
    pub(in super::super) locale: String,
    pub(in super::super) timezone: chrono_tz::Tz,
    pub(in super::super) wishes: Wishes,
}

/// Reads how a recipient is addressed now.
pub(in super::super) async fn addressee(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    recipient: RecipientId,
) -> Result<Option<Addressee>, Fault> {
    match recipient {
        RecipientId::Member(id) => addressed_member(connection, account_id, id).await,
        RecipientId::Address(id) => addressed_address(connection, account_id, id).await,
    }
}

async fn addressed_address(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    id: NotificationAddressId,
) -> Result<Option<Addressee>, Fault> {
    let Some(found) = address(connection, account_id, id).await? else {
        return Ok(None);
    };
    let account = entity::account::Entity::find_by_id(account_id.number());
    let account = account.one(connection).await?;
    let account = account.ok_or_else(|| Fault::Internal("an address has no account".to_owned()))?;
    Ok(Some(Addressee {
        name: None,
        team: account.name,
        party: found.removed_at.is_none().then_some(Party::Address),
        email: found.contact.email,
        contact: found.contact.email_status,
        locale: found.contact.locale,
        timezone: found.contact.timezone,
        wishes: Wishes::Address(found.wishes),
    }))
}

async fn addressed_member(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    member_id: MemberId,
) -> Result<Option<Addressee>, Fault> {
    let sql = "SELECT m.name, m.role, m.removed_at, a.name AS team, c.email, c.email_status, c.locale, c.timezone FROM member m \
               JOIN contact c ON c.account_id = m.account_id AND c.recipient_id = m.id \
               JOIN account a ON a.account_id = m.account_id WHERE m.account_id = $1 AND m.id = $2";
    let values: [Value; 2] = [account_id.number().into(), member_id.uuid().into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let Some(row) = connection.query_one_raw(statement).await? else {
        return Ok(None);
    };
    let said = settings(connection, [(account_id, member_id)])
        .await?
        .remove(&member_id);
    let (role, status): (String, String) = (row.try_get("", "role")?, row.try_get("", "email_status")?);
    let role = MemberRole::from_text(&role).ok_or_else(|| unreadable("role", &role))?;
    let is_removed = row.try_get::<Option<i64>>("", "removed_at")?.is_some();
    let timezone: String = row.try_get("", "timezone")?;
    Ok(Some(Addressee {
        name: Some(row.try_get("", "name")?),
        team: row.try_get("", "team")?,
        party: (!is_removed).then_some(Party::Member(role)),
        email: row.try_get("", "email")?,
        contact: ContactStatus::from_text(&status).ok_or_else(|| unreadable("contact status", &status))?,
        locale: row.try_get("", "locale")?,
        timezone: timezone.parse().map_err(|_| unreadable("time zone", &timezone))?,
        wishes: Wishes::Member(said.unwrap_or_else(|| NotificationSettings::new(account_id, member_id))),
    }))
}
