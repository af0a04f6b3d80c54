//! SQL of members and their contacts.

use std::collections::{HashMap, HashSet};

use entity::{contact, member};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use uuid::Uuid;

use crate::domain::database::bulk::Rows;
use crate::domain::fault::Fault;
use crate::primitives::actor::{Cause, MemberRole};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId, RecipientId, may_be_external_id};

use super::super::model::{Contact, ContactStatus, Member, MemberPosition, Vouch};
use super::{KEYS, rows_by_id, timezone, unreadable};

pub(in super::super) async fn member(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    member_id: MemberId,
) -> Result<Option<Member>, Fault> {
    let row = of(account_id)
        .filter(member::Column::Id.eq(member_id.uuid()))
        .one(connection)
        .await?;
    row.map(from_row).transpose()
}

pub(in super::super) async fn member_by_external_id(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    external_id: &str,
) -> Result<Option<Member>, Fault> {
    if !may_be_external_id(external_id) {
        return Ok(None);
    }
    let row = of(account_id)
        .filter(member::Column::ExternalId.eq(external_id))
        .one(connection)
        .await?;
    row.map(from_row).transpose()
}

pub(in super::super) async fn members(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    member_ids: &[MemberId],
) -> Result<Vec<Member>, Fault> {
    let ids = member_ids.iter().map(|id| id.uuid());
    let rows = rows_by_id::<member::Entity>(connection, ("member", "id"), Some(account_id.number()), ids).await?;
    rows.into_iter().map(from_row).collect()
}

/// Returns those of these members who are not removed.
pub(in super::super) async fn present_members(
    connection: &impl ConnectionTrait,
    members: &[(AccountId, MemberId)],
) -> Result<HashSet<(AccountId, MemberId)>, Fault> {
    if members.is_empty() {
        return Ok(HashSet::new());
    }
    let mut rows = Rows::new(KEYS);
    for (account_id, member_id) in members {
        rows.push([account_id.number().into(), member_id.uuid().into()]);
    }
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT m.account_id, m.id FROM {} JOIN member m ON m.account_id = r.account_id AND m.id = r.id \
         WHERE m.removed_at IS NULL",
        rows.relation(backend, 1)
    );
    let present = connection.query_all_raw(rows.statement(backend, sql)).await?;
    let present = present.iter().map(|row| {
        let key = (row.try_get("", "account_id")?, row.try_get("", "id")?);
        Ok((AccountId::from_number(key.0), MemberId::from_uuid(key.1)))
    });
    present.collect()
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
        query = query.filter(member::Column::CreatedAt.gte(created_at.millis())).filter(
            Condition::any()
                .add(member::Column::CreatedAt.gt(created_at.millis()))
                .add(member::Column::Id.gt(member_id.uuid())),
        );
    }
    if let Some(external_ids) = among {
        let external_ids = external_ids
            .iter()
            .filter(|external_id| may_be_external_id(external_id));
        query = query.filter(member::Column::ExternalId.is_in(external_ids));
    }
    query.all(connection).await?.into_iter().map(from_row).collect()
}

/// Returns the number of owners of the account.
pub(in super::super) async fn count_owners(tx: &impl ConnectionTrait, account_id: AccountId) -> Result<i64, Fault> {
    let count = of(account_id)
        .filter(member::Column::Role.eq(MemberRole::Owner.as_str()))
        .filter(member::Column::RemovedAt.is_null())
        .count(tx)
        .await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(in super::super) async fn insert_member(tx: &impl ConnectionTrait, member: &Member) -> Result<(), Fault> {
    member::Entity::insert(to_row(member).into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Writes all mutable columns of the member.
pub(in super::super) async fn update_member(tx: &impl ConnectionTrait, member: &Member) -> Result<(), Fault> {
    let row = to_row(member);
    member::Entity::update_many()
        .col_expr(member::Column::ExternalId, Expr::value(row.external_id))
        .col_expr(member::Column::Name, Expr::value(row.name))
        .col_expr(member::Column::Role, Expr::value(row.role))
        .col_expr(member::Column::RemovedAt, Expr::value(row.removed_at))
        .col_expr(member::Column::ReturnedAt, Expr::value(row.returned_at))
        .col_expr(member::Column::Version, Expr::value(row.version))
        .filter(member::Column::AccountId.eq(row.account_id))
        .filter(member::Column::Id.eq(row.id))
        .exec(tx)
        .await?;
    Ok(())
}

pub(in super::super) async fn contacts(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    recipients: &[RecipientId],
) -> Result<Vec<Contact>, Fault> {
    let of = Some(account_id.number());
    let wanted: HashMap<Uuid, RecipientId> = recipients.iter().map(|id| (id.uuid(), *id)).collect();
    let ids = wanted.keys().copied();
    let rows = rows_by_id::<contact::Entity>(connection, ("contact", "recipient_id"), of, ids).await?;
    let contacts = rows.into_iter().filter_map(|row| {
        let recipient = *wanted.get(&row.recipient_id)?;
        Some(contact_from_row(row, recipient))
    });
    contacts.collect()
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
    let voucher = contact.vouched.map(|vouch| vouch.by.columns());
    let row = contact::Model {
        account_id: contact.account_id.number(),
        recipient_id: contact.recipient.uuid(),
        email: contact.email.clone(),
        email_status: contact.email_status.as_str().to_owned(),
        bounce_message: contact.bounce_message.clone(),
        locale: contact.locale.clone(),
        timezone: contact.timezone.name().to_owned(),
        version: contact.version,
        status_since: Some(now.millis()),
        voucher_kind: voucher.map(|(kind, _, _)| kind.to_owned()),
        voucher_key_id: voucher.and_then(|(_, key, _)| key).map(ApiKeyId::uuid),
        vouched_at: contact.vouched.map(|vouch| vouch.at.millis()),
    };
    let replace = OnConflict::columns([contact::Column::AccountId, contact::Column::RecipientId])
        .update_columns([
            contact::Column::Email,
            contact::Column::EmailStatus,
            contact::Column::BounceMessage,
            contact::Column::Locale,
            contact::Column::Timezone,
            contact::Column::Version,
            contact::Column::VoucherKind,
            contact::Column::VoucherKeyId,
            contact::Column::VouchedAt,
        ])
        .value(contact::Column::StatusSince, Expr::cust(STATUS_SINCE))
        .to_owned();
    contact::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

fn of(account_id: AccountId) -> Select<member::Entity> {
    member::Entity::find().filter(member::Column::AccountId.eq(account_id.number()))
}

fn to_row(member: &Member) -> member::Model {
    member::Model {
        account_id: member.account_id.number(),
        id: member.id.uuid(),
        external_id: member.external_id.clone(),
        name: member.name.clone(),
        role: member.role.as_str().to_owned(),
        removed_at: member.removed_at.map(Timestamp::millis),
        returned_at: member.returned_at.map(Timestamp::millis),
        version: member.version,
        created_at: member.created_at.millis(),
    }
}

fn from_row(row: member::Model) -> Result<Member, Fault> {
    Ok(Member {
        id: MemberId::from_uuid(row.id),
        account_id: AccountId::from_number(row.account_id),
        external_id: row.external_id,
        name: row.name,
        role: MemberRole::from_text(&row.role).ok_or_else(|| unreadable("role", &row.role))?,
        removed_at: row.removed_at.map(Timestamp::from_millis),
        returned_at: row.returned_at.map(Timestamp::from_millis),
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
    })
}

fn vouch_from_row(row: &contact::Model) -> Result<Option<Vouch>, Fault> {
    let (Some(kind), Some(at)) = (&row.voucher_kind, row.vouched_at) else {
        return Ok(None);
    };
    let by = Cause::from_columns(kind, row.voucher_key_id.map(ApiKeyId::from_uuid), None);
    Ok(Some(Vouch {
        by: by.ok_or_else(|| unreadable("voucher", kind))?,
        at: Timestamp::from_millis(at),
    }))
}

/// A recipient's contact from its row.
pub(in crate::domain) fn contact_from_row(row: contact::Model, recipient: RecipientId) -> Result<Contact, Fault> {
    let vouched = vouch_from_row(&row)?;
    Ok(Contact {
        account_id: AccountId::from_number(row.account_id),
        recipient,
        email: row.email,
        email_status: ContactStatus::from_text(&row.email_status)
            .ok_or_else(|| unreadable("contact status", &row.email_status))?,
        vouched,
        bounce_message: row.bounce_message,
        locale: row.locale,
        timezone: timezone(&row.timezone)?,
        version: row.version,
    })
}
