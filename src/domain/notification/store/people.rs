//! Those whom an alert may be for.

use std::collections::HashMap;
use std::str::FromStr;

use sea_orm::{ConnectionTrait, Statement, Value};
use uuid::Uuid;

use super::{settings, unreadable};
use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId};

use super::super::model::{AlertKind, Audience, COOLDOWN_MILLIS, LastMail, NotificationSettings};

/// A member who may be told.
#[derive(Clone, Debug)]
pub(in super::super) struct Recipient {
    pub(in super::super) member_id: MemberId,
    pub(in super::super) role: MemberRole,
    pub(in super::super) contact: ContactStatus,
    pub(in super::super) timezone: chrono_tz::Tz,
    pub(in super::super) settings: NotificationSettings,
}

/// The members of the team who are of an audience, with their settings.
pub(in super::super) async fn recipients(
    tx: &Transaction,
    account_id: AccountId,
    audience: Audience,
    subject: Option<MemberId>,
) -> Result<Vec<Recipient>, Fault> {
    let condition = match audience {
        Audience::Everybody => "$2 = $2",
        Audience::Admins => "m.role IN ('OWNER', 'ADMIN') AND $2 = $2",
        Audience::Subject => "m.id = $2",
        Audience::SubjectAndAdmins => "(m.role IN ('OWNER', 'ADMIN') OR m.id = $2)",
    };
    let sql = format!(
        "SELECT m.id, m.role, c.email_status, c.timezone FROM member m \
         JOIN contact c ON c.account_id = m.account_id AND c.member_id = m.id \
         WHERE m.account_id = $1 AND m.removed_at IS NULL AND {condition} ORDER BY m.created_at, m.id"
    );
    let subject = subject.map_or(Uuid::nil(), MemberId::uuid);
    let values: [Value; 2] = [account_id.number().into(), subject.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let (role, status): (String, String) = (row.try_get("", "role")?, row.try_get("", "email_status")?);
        let timezone: String = row.try_get("", "timezone")?;
        let member_id = MemberId::from_uuid(row.try_get("", "id")?);
        found.push(Recipient {
            member_id,
            role: MemberRole::from_text(&role).ok_or_else(|| unreadable("role", &role))?,
            contact: ContactStatus::from_text(&status).ok_or_else(|| unreadable("contact status", &status))?,
            timezone: chrono_tz::Tz::from_str(&timezone).map_err(|_| unreadable("time zone", &timezone))?,
            settings: NotificationSettings::new(account_id, member_id),
        });
    }
    let ids: Vec<MemberId> = found.iter().map(|recipient| recipient.member_id).collect();
    let mut said = settings(tx, account_id, &ids).await?;
    for recipient in &mut found {
        if let Some(settings) = said.remove(&recipient.member_id) {
            recipient.settings = settings;
        }
    }
    Ok(found)
}

/// The last mail of a kind that went, or is on its way, to each member, as far as it matters at `now`.
pub(in super::super) async fn last_mails(
    tx: &Transaction,
    account_id: AccountId,
    kind: AlertKind,
    now: Timestamp,
) -> Result<HashMap<MemberId, LastMail>, Fault> {
    let sql = "SELECT member_id, created_at, resolved_at FROM delivery \
               WHERE account_id = $1 AND kind = $2 AND channel = 'EMAIL' AND created_at > $3 \
               AND status IN ('QUEUED', 'SENDING', 'SENT') ORDER BY created_at";
    let values: [Value; 3] = [
        account_id.number().into(),
        kind.as_str().into(),
        (now.millis() - COOLDOWN_MILLIS).into(),
    ];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    let mut last = HashMap::new();
    for row in &rows {
        let mail = LastMail {
            at: Timestamp::from_millis(row.try_get("", "created_at")?),
            has_ended: row.try_get::<Option<i64>>("", "resolved_at")?.is_some(),
        };
        last.insert(MemberId::from_uuid(row.try_get("", "member_id")?), mail);
    }
    Ok(last)
}
