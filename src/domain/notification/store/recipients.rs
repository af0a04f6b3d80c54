//! Contacts of the members of a team, and mail that does not get through.

use sea_orm::{ConnectionTrait, Statement, Value};

use super::{DELIVERY_COLUMNS, defaults_of, delivery, settings, unreadable};
use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId};

use super::super::model::{Channel, Delivery, NotificationSettings};
use super::super::recipients::MemberRecipient;

/// Reads owners and admins, then others whose mail bounces, or who want mail (by their own settings or the account's) and have no
/// verified address. Each group is in the order they joined.
pub(in super::super) async fn reached(
    tx: &Transaction,
    account_id: AccountId,
    limit: u32,
) -> Result<Vec<MemberRecipient>, Fault> {
    let sql = "SELECT m.id, m.name, m.role, m.created_at, c.email, c.email_status, c.bounce_message, c.status_since, \
               s.changed_at FROM member m JOIN contact c ON c.account_id = m.account_id AND c.recipient_id = m.id \
               LEFT JOIN notification_settings s ON s.account_id = m.account_id AND s.member_id = m.id \
               WHERE m.account_id = $1 AND m.removed_at IS NULL \
               AND (m.role IN ('OWNER', 'ADMIN') OR c.email_status = 'BOUNCING' \
                 OR (c.email_status IN ('NONE', 'UNVERIFIED') AND ($3 OR s.preferences LIKE '% EMAIL\":true%'))) \
               ORDER BY CASE WHEN m.role IN ('OWNER', 'ADMIN') THEN 0 ELSE 1 END, m.created_at, m.id LIMIT $2";
    let defaults = defaults_of(tx, account_id).await?;
    let mut said = defaults.preferences.iter();
    let is_mailed_by_default = said.any(|((_, channel), is_on)| *channel == Channel::Email && *is_on);
    let values: [Value; 3] = [
        account_id.number().into(),
        i64::from(limit).into(),
        is_mailed_by_default.into(),
    ];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let mut found = Vec::new();
    for row in &tx.query_all_raw(statement).await? {
        let (role, status): (String, String) = (row.try_get("", "role")?, row.try_get("", "email_status")?);
        let joined_at: i64 = row.try_get("", "created_at")?;
        let since = |column: &str| {
            let since = row.try_get::<Option<i64>>("", column)?;
            Ok::<_, Fault>(Timestamp::from_millis(since.unwrap_or(joined_at)))
        };
        let member_id = MemberId::from_uuid(row.try_get("", "id")?);
        found.push(MemberRecipient {
            member_id,
            name: row.try_get("", "name")?,
            role: MemberRole::from_text(&role).ok_or_else(|| unreadable("role", &role))?,
            email: row.try_get("", "email")?,
            contact: ContactStatus::from_text(&status).ok_or_else(|| unreadable("contact status", &status))?,
            bounce_message: row.try_get("", "bounce_message")?,
            contact_since: since("status_since")?,
            settings: NotificationSettings::new(account_id, member_id),
            settings_since: since("changed_at")?,
        });
    }
    let mut said = settings(tx, found.iter().map(|one| (account_id, one.member_id))).await?;
    for one in &mut found {
        if let Some(settings) = said.remove(&one.member_id) {
            one.settings = settings;
        }
    }
    Ok(found)
}

/// Reads mail created at or after `since` that was not sent or was given up: the newest, oldest first.
pub(in super::super) async fn unsent(
    tx: &Transaction,
    account_id: AccountId,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<Delivery>, Fault> {
    // Matches the partial index.
    let sql = format!(
        "SELECT {DELIVERY_COLUMNS} FROM delivery WHERE account_id = $1 AND channel = 'EMAIL' \
         AND status IN ('QUEUED', 'SENDING', 'FAILED') AND created_at >= $2 ORDER BY created_at DESC LIMIT $3"
    );
    let values: [Value; 3] = [
        account_id.number().into(),
        since.millis().into(),
        i64::from(limit).into(),
    ];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter().rev().map(|row| delivery(row, account_id)).collect()
}
