//! Contacts of the members of a team, and mail that does not get through.

use super::{defaults_of, settings};
use crate::domain::database::Transaction;
use crate::domain::database::records::{self, FromRow, column_list};
use crate::domain::fault::Fault;
use crate::domain::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId};

use super::super::model::{Channel, Delivery, MemberRecipient, NotificationSettings};

/// A member with their contact.
#[derive(FromRow)]
struct Reached {
    id: MemberId,
    name: String,
    role: MemberRole,
    joined_at: Timestamp,
    email: Option<String>,
    contact: ContactStatus,
    bounce_message: Option<String>,
    contact_since: Option<Timestamp>,
    settings_since: Option<Timestamp>,
}

impl Reached {
    fn with_defaults(self, account_id: AccountId) -> MemberRecipient {
        MemberRecipient {
            member_id: self.id,
            name: self.name,
            role: self.role,
            email: self.email,
            contact: self.contact,
            bounce_message: self.bounce_message,
            contact_since: self.contact_since.unwrap_or(self.joined_at),
            settings: NotificationSettings::new(account_id, self.id),
            settings_since: self.settings_since.unwrap_or(self.joined_at),
        }
    }
}

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
    let mut stored = defaults.preferences.iter();
    let is_mailed_by_default = stored.any(|((_, channel), is_on)| *channel == Channel::Email && *is_on);
    let values = [account_id.into(), i64::from(limit).into(), is_mailed_by_default.into()];
    let rows: Vec<Reached> = records::all(tx, sql, values).await?;
    let mut found: Vec<MemberRecipient> = rows.into_iter().map(|row| row.with_defaults(account_id)).collect();
    let mut stored = settings(tx, found.iter().map(|one| (account_id, one.member_id))).await?;
    for one in &mut found {
        if let Some(settings) = stored.remove(&one.member_id) {
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
        "SELECT {} FROM delivery WHERE account_id = $1 AND channel = 'EMAIL' \
         AND status IN ('QUEUED', 'SENDING', 'FAILED') AND created_at >= $2 ORDER BY created_at DESC LIMIT $3",
        column_list::<Delivery>()
    );
    let mut newest: Vec<Delivery> =
        records::all(tx, sql, [account_id.into(), since.into(), i64::from(limit).into()]).await?;
    newest.reverse();
    Ok(newest)
}
