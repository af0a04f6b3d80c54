//! How API keys end, and lose permissions, together with their creator.

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::domain::database::{Transaction, records};
use crate::domain::fault::Fault;
use crate::primitives::actor::Permissions;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

/// Selects the keys that end.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Ending {
    /// A single key.
    Key(AccountId, ApiKeyId),
    /// All keys that a member created.
    MadeBy(AccountId, MemberId),
    /// All keys of an account without any permission left, except those whose creator is not known.
    Powerless(AccountId),
}

/// Records that a key creates another one. Returns `false` when it was revoked. A concurrent revocation waits for this
/// transaction, and then finds the new key.
pub(in super::super) async fn touch_maker(tx: &Transaction, maker: ApiKeyId) -> Result<bool, Fault> {
    let sql = "UPDATE api_key SET keys_made = keys_made + 1 WHERE id = $1 AND revoked_at IS NULL";
    Ok(execute(tx, sql, [maker.uuid().into()]).await? == 1)
}

/// Revokes keys and all that they created, and those that these created. Keys that were revoked before keep their time. Returns
/// whether there were any.
pub(in super::super) async fn revoke_api_keys(tx: &Transaction, ending: Ending, now: Timestamp) -> Result<bool, Fault> {
    let (condition, account_id, id) = match ending {
        Ending::Key(account_id, id) => ("id = $3", account_id, Some(id.uuid())),
        Ending::MadeBy(account_id, id) => ("maker_member_id = $3", account_id, Some(id.uuid())),
        Ending::Powerless(account_id) => ("permissions = 0 AND maker_kind IS NOT NULL", account_id, None),
    };
    let sql =
        format!("UPDATE api_key SET revoked_at = $1 WHERE account_id = $2 AND {condition} AND revoked_at IS NULL");
    let values = [Value::from(now.millis()), account_id.number().into()];
    if execute(tx, &sql, values.into_iter().chain(id.map(Value::from))).await? == 0 {
        return Ok(false);
    }
    // A key that is being created has touched its creator's row, so the creator's revocation waits for it:
    // the next round finds it.
    let sql = "UPDATE api_key SET revoked_at = $1 WHERE revoked_at IS NULL AND maker_key_id IS NOT NULL
        AND EXISTS (SELECT 1 FROM api_key AS m WHERE m.id = api_key.maker_key_id AND m.revoked_at IS NOT NULL)";
    while execute(tx, sql, [now.millis().into()]).await? > 0 {}
    Ok(true)
}

/// Removes permissions that are not in `kept` from keys that a member created, and the lost ones from the keys that these created.
/// Returns whether any key has lost one.
pub(in super::super) async fn reduce_api_keys(
    tx: &Transaction,
    account_id: AccountId,
    maker: MemberId,
    kept: Permissions,
) -> Result<bool, Fault> {
    let sql = "UPDATE api_key SET permissions = permissions & $1 WHERE account_id = $2 AND maker_member_id = $3
        AND revoked_at IS NULL AND permissions & $1 <> permissions";
    let values = [kept.bits().into(), account_id.number().into(), maker.uuid().into()];
    if execute(tx, sql, values).await? == 0 {
        return Ok(false);
    }
    let sql = "UPDATE api_key SET permissions = permissions
            & (SELECT m.permissions FROM api_key AS m WHERE m.id = api_key.maker_key_id)
        WHERE account_id = $1 AND maker_key_id IS NOT NULL AND revoked_at IS NULL
        AND EXISTS (SELECT 1 FROM api_key AS m WHERE m.id = api_key.maker_key_id AND m.account_id = api_key.account_id
            AND m.permissions & api_key.permissions <> api_key.permissions)";
    while execute(tx, sql, [account_id.number().into()]).await? > 0 {}
    Ok(true)
}

/// Returns the keys of an account's team that were revoked without an event so far. From now on they count as
/// announced.
pub(in super::super) async fn take_unannounced(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Vec<ApiKeyId>, Fault> {
    let sql =
        "UPDATE api_key SET is_announced = TRUE WHERE account_id = $1 AND side = 'TEAM' AND revoked_at IS NOT NULL
        AND NOT is_announced RETURNING id";
    let mut ids: Vec<ApiKeyId> = records::values(tx, sql, [account_id.into()]).await?;
    ids.sort_unstable();
    Ok(ids)
}

/// Returns up to `limit` accounts in which a key was revoked without an event so far.
pub(in super::super) async fn accounts_with_news(
    connection: &impl ConnectionTrait,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql =
        "SELECT DISTINCT account_id FROM api_key WHERE side = 'TEAM' AND revoked_at IS NOT NULL AND NOT is_announced
        ORDER BY account_id LIMIT $1";
    records::values(connection, sql, [i64::from(limit).into()]).await
}

async fn execute(tx: &Transaction, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, Fault> {
    Ok(tx.execute_raw(statement(tx, sql, values)).await?.rows_affected())
}

fn statement(connection: &impl ConnectionTrait, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(connection.get_database_backend(), sql, values)
}
