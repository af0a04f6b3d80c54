//! SQL of API keys and their last uses.

use std::collections::{HashMap, HashSet};

use entity::{api_key, api_key_use};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};
use uuid::Uuid;

use crate::domain::database::bulk::Rows;
use crate::domain::database::select::{is_one_of_texts, is_one_of_uuids};
use crate::domain::fault::Fault;
use crate::primitives::actor::{Cause, Permissions, Side};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

use super::super::model::{ApiKey, ApiKeyName};
use super::{KEYS, rows_by_id};

/// Keys of one kind that are listed. Above the maximum number of active ones.
const MAX_KEYS: u64 = 200;
/// Uses written by one statement: each has three values, and databases bound their number.
const USES_AT_ONCE: usize = 500;

pub(in super::super) async fn api_key(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    api_key_id: ApiKeyId,
) -> Result<Option<ApiKey>, Fault> {
    let keys = api_keys_by_id(connection, &[api_key_id]).await?;
    Ok(keys.into_iter().find(|key| key.account_id == account_id))
}

pub(in super::super) async fn api_keys_by_id(
    connection: &impl ConnectionTrait,
    api_key_ids: &[ApiKeyId],
) -> Result<Vec<ApiKey>, Fault> {
    let ids = api_key_ids.iter().map(|id| id.uuid());
    let rows = rows_by_id::<api_key::Entity>(connection, ("api_key", "id"), None, ids).await?;
    with_uses(connection, rows).await
}

/// Returns the accounts and the names of keys.
pub(in super::super) async fn api_key_names(
    connection: &impl ConnectionTrait,
    api_key_ids: &[ApiKeyId],
) -> Result<HashMap<ApiKeyId, ApiKeyName>, Fault> {
    if api_key_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = api_key_ids.iter().map(|id| id.uuid()).collect();
    let backend = connection.get_database_backend();
    let (condition, value) = is_one_of_uuids(backend, 1, &ids);
    let sql = format!("SELECT id, account_id, name FROM api_key WHERE id{condition}");
    let statement = Statement::from_sql_and_values(backend, sql, [value]);
    let mut names = HashMap::new();
    for row in connection.query_all_raw(statement).await? {
        let name = ApiKeyName {
            account_id: AccountId::from_number(row.try_get("", "account_id")?),
            name: row.try_get("", "name")?,
        };
        names.insert(ApiKeyId::from_uuid(row.try_get("", "id")?), name);
    }
    Ok(names)
}

/// Returns the keys with these prefixes, and their stored hashes. The time of their last use is not read, because sign-in does
/// not need it.
pub(in super::super) async fn api_keys_by_prefix(
    connection: &impl ConnectionTrait,
    prefixes: &[String],
) -> Result<HashMap<String, (ApiKey, Vec<u8>)>, Fault> {
    let backend = connection.get_database_backend();
    let (condition, value) = is_one_of_texts(backend, 1, prefixes);
    let sql = format!("SELECT * FROM api_key WHERE prefix{condition}");
    let statement = Statement::from_sql_and_values(backend, sql, [value]);
    let rows = api_key::Entity::find().from_raw_sql(statement).all(connection).await?;
    let keys = rows.into_iter().map(|row| {
        let hash = row.secret_hash.clone();
        Ok((row.prefix.clone(), (from_row(row, None)?, hash)))
    });
    keys.collect()
}

/// Returns all active keys of the account or the platform, and the newest of the others; newest first.
pub(in super::super) async fn api_keys(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    now: Timestamp,
) -> Result<Vec<ApiKey>, Fault> {
    let is_unexpired = Condition::any()
        .add(api_key::Column::ExpiresAt.is_null())
        .add(api_key::Column::ExpiresAt.gt(now.millis()));
    let is_active = Condition::all()
        .add(api_key::Column::RevokedAt.is_null())
        .add(is_unexpired.clone());
    let is_over = Condition::any()
        .add(api_key::Column::RevokedAt.is_not_null())
        .add(is_unexpired.not());
    let mut rows = Vec::new();
    for sort in [is_active, is_over] {
        let of_sort = api_key::Entity::find()
            .filter(api_key::Column::AccountId.eq(account_id.number()))
            .filter(sort)
            .order_by_desc(api_key::Column::CreatedAt)
            .order_by_desc(api_key::Column::Id)
            .limit(MAX_KEYS);
        rows.extend(of_sort.all(connection).await?);
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
    with_uses(connection, rows).await
}

/// Returns those of these keys that still sign in.
pub(in super::super) async fn active_api_keys(
    connection: &impl ConnectionTrait,
    api_keys: &[(AccountId, ApiKeyId)],
    now: Timestamp,
) -> Result<HashSet<(AccountId, ApiKeyId)>, Fault> {
    if api_keys.is_empty() {
        return Ok(HashSet::new());
    }
    let mut rows = Rows::new(KEYS);
    for (account_id, api_key_id) in api_keys {
        rows.push([account_id.number().into(), api_key_id.uuid().into()]);
    }
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT k.account_id, k.id FROM {} JOIN api_key k ON k.account_id = r.account_id AND k.id = r.id \
         WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)",
        rows.relation(backend, 1)
    );
    let statement = Statement::from_sql_and_values(backend, sql, [rows.value(), now.millis().into()]);
    let active = connection.query_all_raw(statement).await?;
    let active = active.iter().map(|row| {
        let key = (row.try_get("", "account_id")?, row.try_get("", "id")?);
        Ok((AccountId::from_number(key.0), ApiKeyId::from_uuid(key.1)))
    });
    active.collect()
}

pub(in super::super) async fn insert_api_key(
    tx: &impl ConnectionTrait,
    api_key: &ApiKey,
    secret_hash: &[u8; 32],
) -> Result<(), Fault> {
    let (maker_kind, maker_key_id, maker_member_id) = match api_key.created_by.map(Cause::columns) {
        Some((kind, key, member)) => (
            Some(kind.to_owned()),
            key.map(ApiKeyId::uuid),
            member.map(MemberId::uuid),
        ),
        None => (None, None, None),
    };
    let row = api_key::Model {
        id: api_key.id.uuid(),
        account_id: api_key.account_id.number(),
        side: api_key.side.as_str().to_owned(),
        prefix: api_key.prefix.clone(),
        secret_hash: secret_hash.to_vec(),
        name: api_key.name.clone(),
        permissions: api_key.permissions.bits(),
        created_at: api_key.created_at.millis(),
        expires_at: api_key.expires_at.map(Timestamp::millis),
        revoked_at: api_key.revoked_at.map(Timestamp::millis),
        maker_kind,
        maker_key_id,
        maker_member_id,
        keys_made: 0,
        is_announced: false,
    };
    api_key::Entity::insert(row.into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Stores when keys were last used. If several processes write, the last one wins, which is exact enough.
pub(in super::super) async fn save_api_key_uses(
    tx: &impl ConnectionTrait,
    uses: &[(AccountId, ApiKeyId, Timestamp)],
) -> Result<(), Fault> {
    for some in uses.chunks(USES_AT_ONCE) {
        let rows = some.iter().map(|(account_id, api_key_id, at)| {
            api_key_use::Model {
                account_id: account_id.number(),
                api_key_id: api_key_id.uuid(),
                last_used_at: at.millis(),
            }
            .into_active_model()
        });
        let replace = OnConflict::columns([api_key_use::Column::AccountId, api_key_use::Column::ApiKeyId])
            .update_column(api_key_use::Column::LastUsedAt)
            .to_owned();
        api_key_use::Entity::insert_many(rows)
            .on_conflict(replace)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

async fn with_uses(connection: &impl ConnectionTrait, rows: Vec<api_key::Model>) -> Result<Vec<ApiKey>, Fault> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys = Rows::new(KEYS);
    for row in &rows {
        keys.push([row.account_id.into(), row.id.into()]);
    }
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT u.* FROM {} JOIN api_key_use u ON u.account_id = r.account_id AND u.api_key_id = r.id",
        keys.relation(backend, 1)
    );
    let uses: HashMap<(i64, Uuid), i64> = api_key_use::Entity::find()
        .from_raw_sql(keys.statement(backend, sql))
        .all(connection)
        .await?
        .into_iter()
        .map(|row| ((row.account_id, row.api_key_id), row.last_used_at))
        .collect();
    let keys = rows.into_iter().map(|row| {
        let last_used_at = uses.get(&(row.account_id, row.id)).copied();
        from_row(row, last_used_at)
    });
    keys.collect()
}

fn from_row(row: api_key::Model, last_used_at: Option<i64>) -> Result<ApiKey, Fault> {
    let unknown = || Fault::Internal(format!("an API key has the side {}, which is none", row.side));
    let side = Side::from_text(&row.side).ok_or_else(unknown)?;
    let created_by = match &row.maker_kind {
        Some(kind) => {
            let (key, member) = (
                row.maker_key_id.map(ApiKeyId::from_uuid),
                row.maker_member_id.map(MemberId::from_uuid),
            );
            let unknown = || Fault::Internal(format!("an API key was made by {kind}, which its other columns deny"));
            Some(Cause::from_columns(kind, key, member).ok_or_else(unknown)?)
        }
        None => None,
    };
    Ok(ApiKey {
        id: ApiKeyId::from_uuid(row.id),
        account_id: AccountId::from_number(row.account_id),
        side,
        prefix: row.prefix,
        name: row.name,
        permissions: Permissions::from_bits(row.permissions).within(side),
        created_by,
        created_at: Timestamp::from_millis(row.created_at),
        last_used_at: last_used_at.map(Timestamp::from_millis),
        expires_at: row.expires_at.map(Timestamp::from_millis),
        revoked_at: row.revoked_at.map(Timestamp::from_millis),
    })
}
