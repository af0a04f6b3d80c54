//! Mail that is due.

use sea_orm::{ConnectionTrait, Statement, Value};

use super::unreadable;
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId, DeliveryId, MemberId};

use super::super::model::{AlertKind, DeliveryStatus, MailFailure, SuppressionReason};

/// A mail that whoever holds this may send, until its claim runs out.
#[derive(Clone, Debug)]
pub(in super::super) struct Claimed {
    pub(in super::super) account_id: AccountId,
    pub(in super::super) id: DeliveryId,
    pub(in super::super) alert_id: AlertId,
    pub(in super::super) member_id: MemberId,
    pub(in super::super) kind: AlertKind,
    pub(in super::super) attempts: i32,
    pub(in super::super) created_at: Timestamp,
    /// What the alert told of has ended in the meantime.
    pub(in super::super) has_ended: bool,
    /// When it was due.
    pub(in super::super) due: Timestamp,
}

/// Whether any mail is due: asked before a transaction is begun that would only find out that none is.
pub(in super::super) async fn is_mail_due(database: &Database, now: Timestamp) -> Result<bool, Fault> {
    let sql = "SELECT 1 AS due FROM delivery WHERE status IN ('QUEUED', 'SENDING') AND next_attempt_at <= $1 LIMIT 1";
    let statement = Statement::from_sql_and_values(database.backend(), sql, [now.millis().into()]);
    Ok(database.read().query_one_raw(statement).await?.is_some())
}

/// Claims up to `limit` mails that are due, those of one member side by side. A claim is written down before anything is sent, so
/// that two processes never send the same; it runs out, so that one that dies holds nothing up.
pub(in super::super) async fn claim(
    tx: &Transaction,
    (now, until): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<Claimed>, Fault> {
    let backend = tx.get_database_backend();
    let sql = "SELECT account_id, id, alert_id, member_id, kind, attempts, created_at, resolved_at, next_attempt_at FROM delivery \
               WHERE status IN ('QUEUED', 'SENDING') AND next_attempt_at <= $1 \
               ORDER BY next_attempt_at, account_id, member_id, created_at, id LIMIT $2";
    let values: [Value; 2] = [now.millis().into(), limit.into()];
    let rows = tx
        .query_all_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        let kind: String = row.try_get("", "kind")?;
        let due: i64 = row.try_get("", "next_attempt_at")?;
        let mail = Claimed {
            account_id: AccountId::from_number(row.try_get("", "account_id")?),
            id: DeliveryId::from_uuid(row.try_get("", "id")?),
            alert_id: AlertId::from_uuid(row.try_get("", "alert_id")?),
            member_id: MemberId::from_uuid(row.try_get("", "member_id")?),
            kind: AlertKind::from_text(&kind).ok_or_else(|| unreadable("kind of alert", &kind))?,
            attempts: row.try_get::<i32>("", "attempts")? + 1,
            created_at: Timestamp::from_millis(row.try_get("", "created_at")?),
            has_ended: row.try_get::<Option<i64>>("", "resolved_at")?.is_some(),
            due: Timestamp::from_millis(due),
        };
        // Only one who still finds it as it was gets it.
        let sql = "UPDATE delivery SET status = 'SENDING', attempts = attempts + 1, next_attempt_at = $4 \
                   WHERE account_id = $1 AND id = $2 AND next_attempt_at = $3 AND status IN ('QUEUED', 'SENDING')";
        let values: [Value; 4] = [
            mail.account_id.number().into(),
            mail.id.uuid().into(),
            due.into(),
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

/// Ends claims of mails that were not tried, as if they had never been claimed.
pub(in super::super) async fn give_back(tx: &Transaction, mails: &[Claimed]) -> Result<(), Fault> {
    let sql = "UPDATE delivery SET status = 'QUEUED', attempts = attempts - 1, next_attempt_at = $4 \
               WHERE account_id = $1 AND id = $2 AND attempts = $3 AND status = 'SENDING'";
    for mail in mails {
        let values: [Value; 4] = [
            mail.account_id.number().into(),
            mail.id.uuid().into(),
            mail.attempts.into(),
            mail.due.millis().into(),
        ];
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
            .await?;
    }
    Ok(())
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Ended {
    pub(in super::super) status: DeliveryStatus,
    pub(in super::super) because: Option<SuppressionReason>,
    pub(in super::super) error: Option<MailFailure>,
    pub(in super::super) next_attempt_at: Option<Timestamp>,
    pub(in super::super) sent_at: Option<Timestamp>,
    pub(in super::super) address: Option<String>,
    /// In whose mail it was told of, where that had the id of another.
    pub(in super::super) sent_with: Option<DeliveryId>,
}

/// Writes down how the tries of one mail ended, but for those whose claim ran out and that somebody else has tried since, or of which
/// the mail system has told meanwhile. There are no more than were claimed together.
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

/// Puts a mail back into the queue, as if it had never been tried.
pub(in super::super) async fn requeue(
    tx: &Transaction,
    account_id: AccountId,
    id: DeliveryId,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "UPDATE delivery SET status = 'QUEUED', suppressed_because = NULL, attempts = 0, next_attempt_at = $3 \
               WHERE account_id = $1 AND id = $2";
    let values: [Value; 3] = [account_id.number().into(), id.uuid().into(), now.millis().into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// A member as a mail is addressed to them.
#[derive(Clone, Debug)]
pub(in super::super) struct Addressee {
    pub(in super::super) name: String,
    pub(in super::super) team: String,
    pub(in super::super) email: Option<String>,
    pub(in super::super) is_bouncing: bool,
    pub(in super::super) locale: String,
    pub(in super::super) timezone: String,
    pub(in super::super) is_removed: bool,
}

/// How a member is addressed now.
pub(in super::super) async fn addressee(
    database: &Database,
    account_id: AccountId,
    member_id: MemberId,
) -> Result<Option<Addressee>, Fault> {
    let sql = "SELECT m.name, m.removed_at, a.name AS team, c.email, c.email_status, c.locale, c.timezone FROM member m \
               JOIN contact c ON c.account_id = m.account_id AND c.member_id = m.id \
               JOIN account a ON a.account_id = m.account_id WHERE m.account_id = $1 AND m.id = $2";
    let values: [Value; 2] = [account_id.number().into(), member_id.uuid().into()];
    let statement = Statement::from_sql_and_values(database.backend(), sql, values);
    let row = database.read().query_one_raw(statement).await?;
    row.map(|row| {
        Ok(Addressee {
            name: row.try_get("", "name")?,
            team: row.try_get("", "team")?,
            email: row.try_get("", "email")?,
            is_bouncing: row.try_get::<String>("", "email_status")? == "BOUNCING",
            locale: row.try_get("", "locale")?,
            timezone: row.try_get("", "timezone")?,
            is_removed: row.try_get::<Option<i64>>("", "removed_at")?.is_some(),
        })
    })
    .transpose()
}
