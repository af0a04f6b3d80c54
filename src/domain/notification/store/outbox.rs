//! Mail that is pending.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, EntityTrait, Statement, Value};

use super::{address, settings};
use crate::domain::database::bulk::Record;
use crate::domain::database::records::{self, FromRow, column_list};
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
        "SELECT {} FROM delivery WHERE status IN ('QUEUED', 'SENDING') AND next_attempt_at <= $1 \
         ORDER BY next_attempt_at, account_id, recipient_id, created_at, id LIMIT $2",
        column_list::<DueMail>()
    );
    let due: Vec<DueMail> = records::all(tx, sql, [now.into(), limit.into()]).await?;
    let mut found: Vec<Claimed> = due.into_iter().map(DueMail::claimed).collect();
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

/// Deliveries scheduled together with `last` for the same recipient that follow it in the order of claims.
async fn rest_of_mail(tx: &Transaction, last: &Claimed) -> Result<Vec<Claimed>, Fault> {
    let sql = format!(
        "SELECT {} FROM delivery WHERE account_id = $1 AND recipient_id = $2 AND next_attempt_at = $3 \
         AND status IN ('QUEUED', 'SENDING') AND (created_at > $4 OR (created_at = $4 AND id > $5)) ORDER BY created_at, id",
        column_list::<DueMail>()
    );
    let values: [Value; 5] = [
        last.account_id.into(),
        last.recipient.uuid().into(),
        last.due.into(),
        last.created_at.into(),
        last.id.into(),
    ];
    let due: Vec<DueMail> = records::all(tx, sql, values).await?;
    Ok(due.into_iter().map(DueMail::claimed).collect())
}

/// A mail that is due, as it is stored.
#[derive(Record, FromRow)]
struct DueMail {
    account_id: AccountId,
    id: DeliveryId,
    alert_id: AlertId,
    #[record(flatten, prefix = "recipient_")]
    recipient: RecipientId,
    kind: AlertKind,
    attempts: i32,
    created_at: Timestamp,
    queued_at: Option<Timestamp>,
    address: Option<String>,
    next_attempt_at: Timestamp,
}

impl DueMail {
    fn claimed(self) -> Claimed {
        Claimed {
            account_id: self.account_id,
            id: self.id,
            alert_id: self.alert_id,
            recipient: self.recipient,
            kind: self.kind,
            attempts: self.attempts + 1,
            created_at: self.created_at,
            queued_at: self.queued_at.unwrap_or(self.created_at),
            address: self.address,
            is_requested: self.queued_at.is_some(),
            due: self.next_attempt_at,
        }
    }
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
    let mails: Vec<(AlertKind, Timestamp, Option<Timestamp>)> = select.values(database).await?;
    let last = mails.into_iter().map(|(kind, at, resolved_at)| {
        let has_ended = resolved_at.is_some();
        (kind, LastMail { at, has_ended })
    });
    Ok(last.collect())
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
    let text = "SELECT id FROM delivery WHERE account_id = $1 AND resolved_at IS NOT NULL";
    let mut select = Select::of(database, account_id, text);
    select.and_all(&[Condition::Uuids("id", ids.map(DeliveryId::uuid).collect())]);
    Ok(select.values(database).await?.into_iter().collect())
}

/// The alert and the recipient of a delivery.
#[derive(Clone, Copy, Debug, FromRow)]
pub(in super::super) struct About {
    pub(in super::super) kind: AlertKind,
    pub(in super::super) subject: Option<MemberId>,
    pub(in super::super) has_ended: bool,
}

/// Reads the alert and the recipient of a delivery, as the transaction sees it.
pub(in super::super) async fn about(tx: &Transaction, account_id: AccountId, id: DeliveryId) -> Result<About, Fault> {
    let sql = "SELECT d.kind, a.subject_id, d.resolved_at IS NOT NULL FROM delivery d \
               JOIN alert a ON a.account_id = d.account_id AND a.id = d.alert_id WHERE d.account_id = $1 AND d.id = $2";
    let about = records::one(tx, sql, [account_id.into(), id.into()]).await?;
    about.ok_or_else(|| Fault::Internal("a delivery has no alert".to_owned()))
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

#[derive(FromRow)]
struct AddressedMember {
    name: String,
    role: MemberRole,
    removed_at: Option<Timestamp>,
    team: String,
    email: Option<String>,
    contact: ContactStatus,
    locale: String,
    #[record(text)]
    timezone: chrono_tz::Tz,
}

async fn addressed_member(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    member_id: MemberId,
) -> Result<Option<Addressee>, Fault> {
    let sql = "SELECT m.name, m.role, m.removed_at, a.name AS team, c.email, c.email_status, c.locale, c.timezone FROM member m \
               JOIN contact c ON c.account_id = m.account_id AND c.recipient_id = m.id \
               JOIN account a ON a.account_id = m.account_id WHERE m.account_id = $1 AND m.id = $2";
    let values = [account_id.into(), member_id.into()];
    let Some(row) = records::one::<AddressedMember>(connection, sql, values).await? else {
        return Ok(None);
    };
    let stored = settings(connection, [(account_id, member_id)])
        .await?
        .remove(&member_id);
    Ok(Some(Addressee {
        name: Some(row.name),
        team: row.team,
        party: row.removed_at.is_none().then_some(Party::Member(row.role)),
        email: row.email,
        contact: row.contact,
        locale: row.locale,
        timezone: row.timezone,
        wishes: Wishes::Member(stored.unwrap_or_else(|| NotificationSettings::new(account_id, member_id))),
    }))
}
