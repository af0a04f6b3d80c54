//! SQL of members and their contacts.

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;
use entity::{contact, member};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, FromRow};
use crate::domain::fault::Fault;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId, RecipientId, may_be_external_id};

use super::super::model::{Contact, ContactStatus, Member, MemberPosition, Vouch};
use super::{Named, records_by_id};

pub(in super::super) async fn member(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    member_id: MemberId,
) -> Result<Option<Member>, Fault> {
    records::find_one(connection, of(account_id).filter(member::Column::Id.eq(member_id))).await
}

pub(in super::super) async fn member_by_external_id(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    external_id: &str,
) -> Result<Option<Member>, Fault> {
    if !may_be_external_id(external_id) {
        return Ok(None);
    }
    let query = of(account_id).filter(member::Column::ExternalId.eq(external_id));
    records::find_one(connection, query).await
}

pub(in super::super) async fn members(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    member_ids: &[MemberId],
) -> Result<Vec<Member>, Fault> {
    let ids = member_ids.iter().map(|id| id.uuid());
    records_by_id::<Member>(connection, ("member", "id"), Some(account_id), ids).await
}

/// Returns those of these members who are not removed.
pub(in super::super) async fn present_members(
    connection: &impl ConnectionTrait,
    members: &[(AccountId, MemberId)],
) -> Result<HashSet<(AccountId, MemberId)>, Fault> {
    if members.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = Rows::of(members.iter().map(|(account_id, id)| Named {
        account_id: *account_id,
        id: *id,
    }));
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT m.account_id, m.id FROM {} JOIN member m ON m.account_id = r.account_id AND m.id = r.id \
         WHERE m.removed_at IS NULL",
        rows.relation(backend, 1)
    );
    let present = records::values(connection, sql, [rows.value()]).await?;
    Ok(present.into_iter().collect())
}

/// Returns the member who was added first.
pub(in super::super) async fn first_member(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Option<Member>, Fault> {
    Ok(members_after(connection, account_id, None, None, 1).await?.pop())
}

/// Returns members in the order in which they were added, up to a limit.
pub(in super::super) async fn members_after(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    after: Option<MemberPosition>,
    among: Option<&[String]>,
    limit: u64,
) -> Result<Vec<Member>, Fault> {
    let mut query = of(account_id)
        .order_by_asc(member::Column::CreatedAt)
        .order_by_asc(member::Column::Id)
        .limit(limit);
    if let Some((created_at, member_id)) = after {
        // The index is entered by the first condition; both databases use it.
        query = query.filter(member::Column::CreatedAt.gte(created_at)).filter(
            Condition::any()
                .add(member::Column::CreatedAt.gt(created_at))
                .add(member::Column::Id.gt(member_id)),
        );
    }
    if let Some(external_ids) = among {
        let external_ids = external_ids
            .iter()
            .filter(|external_id| may_be_external_id(external_id));
        query = query.filter(member::Column::ExternalId.is_in(external_ids));
    }
    records::find(connection, query).await
}

/// Returns the number of owners of the account.
pub(in super::super) async fn count_owners(tx: &impl ConnectionTrait, account_id: AccountId) -> Result<i64, Fault> {
    let count = of(account_id)
        .filter(member::Column::Role.eq(MemberRole::Owner))
        .filter(member::Column::RemovedAt.is_null())
        .count(tx)
        .await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(in super::super) async fn insert_member(tx: &impl ConnectionTrait, member: &Member) -> Result<(), Fault> {
    records::insert_all::<member::Entity>(tx, &Rows::of([member])).await
}

/// Writes the changed row of a member that exists.
pub(in super::super) async fn update_member(tx: &impl ConnectionTrait, member: &Member) -> Result<(), Fault> {
    records::save::<member::Entity>(tx, member).await
}

pub(in super::super) async fn contacts(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    recipients: &[RecipientId],
) -> Result<Vec<Contact>, Fault> {
    let of = Some(account_id);
    let wanted: HashMap<Uuid, RecipientId> = recipients.iter().map(|id| (id.uuid(), *id)).collect();
    let ids = wanted.keys().copied();
    let rows = records_by_id::<ContactRow>(connection, ("contact", "recipient_id"), of, ids).await?;
    let contacts = rows.into_iter();
    let contacts = contacts.filter_map(|row| {
        let recipient = *wanted.get(&row.recipient_id)?;
        Some(row.contact(recipient))
    });
    Ok(contacts.collect())
}

/// Computes, in the write of a contact, since when its address and status are unchanged.
const STATUS_SINCE: &str = "CASE WHEN COALESCE(contact.email, '') = COALESCE(excluded.email, '') \
     AND contact.email_status = excluded.email_status THEN contact.status_since ELSE excluded.status_since END";

/// Writes a contact as it is from `now` on, whether or not one exists.
pub(in super::super) async fn save_contact(
    tx: &impl ConnectionTrait,
    contact: &Contact,
    now: Timestamp,
) -> Result<(), Fault> {
    let row = Rows::of([ContactRow {
        account_id: contact.account_id,
        recipient_id: contact.recipient.uuid(),
        email: contact.email.clone(),
        email_status: contact.email_status,
        vouched: contact.vouched,
        bounce_message: contact.bounce_message.clone(),
        locale: contact.locale.clone(),
        timezone: contact.timezone,
        version: contact.version,
        status_since: Some(now),
    }]);
    let backend = tx.get_database_backend();
    tx.execute_raw(row.save_with::<contact::Entity>(backend, &[("status_since", STATUS_SINCE)]))
        .await?;
    Ok(())
}

fn of(account_id: AccountId) -> Select<member::Entity> {
    member::Entity::find().filter(member::Column::AccountId.eq(account_id))
}

/// The contact of a recipient, as it is stored.
#[derive(Record, FromRow)]
pub(in crate::domain) struct ContactRow {
    account_id: AccountId,
    recipient_id: Uuid,
    email: Option<String>,
    email_status: ContactStatus,
    #[record(flatten)]
    vouched: Option<Vouch>,
    bounce_message: Option<String>,
    locale: String,
    #[record(text)]
    timezone: Tz,
    version: i32,
    /// Since when the address and its status are unchanged.
    pub(in crate::domain) status_since: Option<Timestamp>,
}

impl ContactRow {
    /// The contact of the recipient that the row belongs to.
    pub(in crate::domain) fn contact(self, recipient: RecipientId) -> Contact {
        Contact {
            account_id: self.account_id,
            recipient,
            email: self.email,
            email_status: self.email_status,
            vouched: self.vouched,
            bounce_message: self.bounce_message,
            locale: self.locale,
            timezone: self.timezone,
            version: self.version,
        }
    }
}
