//! SQL of API keys and their last uses.

use std::collections::{HashMap, HashSet};

use entity::{api_key, api_key_use};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, FromRow, column_list, columns_of};
use crate::domain::database::select::{self, Select, Source};
use crate::domain::fault::Fault;
use crate::primitives::actor::{Cause, Permissions, Side};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, ApiKeyId};

use super::super::model::{ApiKey, ApiKeyName};
use super::{Named, records_by_id};

/// Keys of one kind that are listed. Above the maximum number of active ones.
const MAX_KEYS: u64 = 200;

#[derive(Record, FromRow)]
struct KeyUse {
    account_id: AccountId,
    api_key_id: ApiKeyId,
    last_used_at: Timestamp,
}

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
    let rows = records_by_id::<KeyRow>(connection, ("api_key", "id"), None, ids).await?;
    with_uses(connection, rows).await
}

/// Returns the accounts and the names of keys.
pub(in super::super) async fn api_key_names(
    source: &impl Source,
    api_key_ids: &[ApiKeyId],
) -> Result<HashMap<ApiKeyId, ApiKeyName>, Fault> {
    if api_key_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = api_key_ids.iter().map(|id| id.uuid()).collect();
    let mut select = Select::across(source, "SELECT id, account_id, name FROM api_key WHERE ");
    select.condition(&select::Condition::Uuids("id", ids));
    let rows: Vec<(ApiKeyId, AccountId, String)> = select.values(source).await?;
    let names = rows
        .into_iter()
        .map(|(id, account_id, name)| (id, ApiKeyName { account_id, name }));
    Ok(names.collect())
}

/// Returns the keys with these prefixes, and their stored hashes. The time of their last use is not read, because sign-in does
/// not need it.
pub(in super::super) async fn api_keys_by_prefix(
    source: &impl Source,
    prefixes: &[String],
) -> Result<HashMap<String, (ApiKey, Vec<u8>)>, Fault> {
    let columns = column_list::<KeyRow>();
    let mut select = Select::across(source, &format!("SELECT {columns} FROM api_key WHERE "));
    select.condition(&select::Condition::Texts("prefix", prefixes.to_vec()));
    let rows: Vec<KeyRow> = select.records(source).await?;
    let keys = rows.into_iter().map(|row| {
        let hash = row.secret_hash.clone();
        (row.prefix.clone(), (row.key(None), hash))
    });
    Ok(keys.collect())
}

/// Returns all active keys of the account or the platform, and the newest of the others; newest first.
pub(in super::super) async fn api_keys(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    now: Timestamp,
) -> Result<Vec<ApiKey>, Fault> {
    let is_unexpired = Condition::any()
        .add(api_key::Column::ExpiresAt.is_null())
        .add(api_key::Column::ExpiresAt.gt(now));
    let is_active = Condition::all()
        .add(api_key::Column::RevokedAt.is_null())
        .add(is_unexpired.clone());
    let is_over = Condition::any()
        .add(api_key::Column::RevokedAt.is_not_null())
        .add(is_unexpired.not());
    let mut rows: Vec<KeyRow> = Vec::new();
    for sort in [is_active, is_over] {
        let of_sort = api_key::Entity::find()
            .filter(api_key::Column::AccountId.eq(account_id))
            .filter(sort)
            .order_by_desc(api_key::Column::CreatedAt)
            .order_by_desc(api_key::Column::Id)
            .limit(MAX_KEYS);
        rows.extend(records::find(connection, of_sort).await?);
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
    let rows = Rows::of(api_keys.iter().map(|(account_id, id)| Named {
        account_id: *account_id,
        id: *id,
    }));
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT k.account_id, k.id FROM {} JOIN api_key k ON k.account_id = r.account_id AND k.id = r.id \
         WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)",
        rows.relation(backend, 1)
    );
    let active = records::values(connection, sql, [rows.value(), now.into()]).await?;
    Ok(active.into_iter().collect())
}

pub(in super::super) async fn insert_api_key(
    tx: &impl ConnectionTrait,
    api_key: &ApiKey,
    secret_hash: &[u8; 32],
) -> Result<(), Fault> {
    let row = Rows::of([KeyRow {
        id: api_key.id,
        account_id: api_key.account_id,
        side: api_key.side,
        prefix: api_key.prefix.clone(),
        secret_hash: secret_hash.to_vec(),
        name: api_key.name.clone(),
        permissions: api_key.permissions.bits(),
        created_at: api_key.created_at,
        expires_at: api_key.expires_at,
        revoked_at: api_key.revoked_at,
        maker: api_key.created_by,
        keys_made: 0,
        is_announced: false,
    }]);
    records::insert_all::<api_key::Entity>(tx, &row).await
}

/// Stores when keys were last used. If several processes write, the last one wins, which is exact enough.
pub(in super::super) async fn save_api_key_uses(
    tx: &impl ConnectionTrait,
    uses: &[(AccountId, ApiKeyId, Timestamp)],
) -> Result<(), Fault> {
    let rows = Rows::of(uses.iter().map(|(account_id, api_key_id, at)| KeyUse {
        account_id: *account_id,
        api_key_id: *api_key_id,
        last_used_at: *at,
    }));
    records::save_all::<api_key_use::Entity>(tx, &rows).await
}

async fn with_uses(connection: &impl ConnectionTrait, rows: Vec<KeyRow>) -> Result<Vec<ApiKey>, Fault> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let keys = Rows::of(rows.iter().map(|row| Named {
        account_id: row.account_id,
        id: row.id,
    }));
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT {} FROM {} JOIN api_key_use u ON u.account_id = r.account_id AND u.api_key_id = r.id",
        columns_of::<KeyUse>("u"),
        keys.relation(backend, 1)
    );
    let uses: Vec<KeyUse> = records::all(connection, sql, [keys.value()]).await?;
    let uses = records::by_id(uses, |used: &KeyUse| (used.account_id, used.api_key_id));
    let keys = rows.into_iter().map(|row| {
        let last_use = uses.get(&(row.account_id, row.id));
        row.key(last_use.map(|last_use| last_use.last_used_at))
    });
    Ok(keys.collect())
}

/// A key, as it is stored.
#[derive(Record, FromRow)]
struct KeyRow {
    id: ApiKeyId,
    account_id: AccountId,
    side: Side,
    prefix: String,
    secret_hash: Vec<u8>,
    name: String,
    permissions: i64,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    #[record(flatten, prefix = "maker_")]
    maker: Option<Cause>,
    keys_made: i64,
    is_announced: bool,
}

impl KeyRow {
    fn key(self, last_used_at: Option<Timestamp>) -> ApiKey {
        ApiKey {
            id: self.id,
            account_id: self.account_id,
            side: self.side,
            prefix: self.prefix,
            name: self.name,
            permissions: Permissions::from_bits(self.permissions).within(self.side),
            created_by: self.maker,
            created_at: self.created_at,
            last_used_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
        }
    }
}
