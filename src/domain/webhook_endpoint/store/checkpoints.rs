//! Checkpoints: the last event of each account of which messages were written.

use sea_orm::{ConnectionTrait, Statement};

use crate::domain::database::records::{self, FromRow};
use crate::domain::database::select::{Condition, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::event::StreamPosition;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, WebhookEndpointId};

/// The stream of an account.
#[derive(Clone, Copy, Debug, FromRow)]
pub(in super::super) struct Stream {
    pub(in super::super) account_id: AccountId,
    /// The last event.
    pub(in super::super) head: i64,
    /// The last event of which messages were written; `None` before the first time.
    pub(in super::super) checkpoint: Option<i64>,
}

/// Returns the streams of these accounts. Accounts that do not exist are left out.
pub(in super::super) async fn streams(database: &Database, accounts: Vec<AccountId>) -> Result<Vec<Stream>, Fault> {
    let text = "SELECT s.account_id, s.event_sequence, c.sequence FROM account_state AS s \
                LEFT JOIN webhook_checkpoint AS c ON c.account_id = s.account_id WHERE ";
    let mut select = Select::across(database, text);
    select.condition(&Condition::Accounts("s.account_id", accounts));
    select.records(database).await
}

/// Returns the next accounts after one, in the order of their numbers.
pub(in super::super) async fn next_accounts(
    database: &Database,
    after: AccountId,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM account_state WHERE account_id > $1 ORDER BY account_id LIMIT $2";
    records::values(database.read(), sql, [after.into(), i64::from(limit).into()]).await
}

/// As [`next_accounts`], only those with an enabled endpoint.
pub(in super::super) async fn next_hooked(
    database: &Database,
    after: AccountId,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT DISTINCT account_id FROM webhook_endpoint WHERE disabled_at IS NULL AND removed_at IS NULL \
               AND account_id > $1 ORDER BY account_id LIMIT $2";
    records::values(database.read(), sql, [after.into(), i64::from(limit).into()]).await
}

/// Returns the last event of an account before an instant; 0 where there is none. It reads the events since then, and one more.
pub(in super::super) async fn last_before(
    database: &Database,
    account_id: AccountId,
    at: Timestamp,
) -> Result<i64, Fault> {
    let mut select = Select::of(database, account_id, "SELECT sequence FROM event WHERE account_id = $1");
    select
        .push(" AND occurred_at < ")
        .bind(at.millis())
        .push(" ORDER BY sequence DESC LIMIT 1");
    Ok(select.value(database).await?.unwrap_or(0))
}

/// Returns the checkpoint of an account; `None` without one.
pub(in super::super) async fn checkpoint(database: &Database, account_id: AccountId) -> Result<Option<i64>, Fault> {
    let text = "SELECT sequence FROM webhook_checkpoint WHERE account_id = $1";
    Select::of(database, account_id, text).value(database).await
}

/// Advances the checkpoint of an account. Returns whether it was still the one that the caller has read.
pub(in super::super) async fn move_checkpoint(
    tx: &Transaction,
    account_id: AccountId,
    from: Option<i64>,
    to: i64,
) -> Result<bool, Fault> {
    let (sql, values) = match from {
        None => (
            "INSERT INTO webhook_checkpoint (account_id, sequence) VALUES ($1, $2) ON CONFLICT (account_id) DO NOTHING",
            vec![account_id.into(), to.into()],
        ),
        Some(from) => (
            "UPDATE webhook_checkpoint SET sequence = $2 WHERE account_id = $1 AND sequence = $3",
            vec![account_id.into(), to.into(), from.into()],
        ),
    };
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected() == 1)
}

/// Returns the event of the last message about an account to an endpoint.
pub(in super::super) async fn last_message(
    tx: &Transaction,
    account_id: AccountId,
    endpoint_id: WebhookEndpointId,
) -> Result<Option<StreamPosition>, Fault> {
    let sql = "SELECT sequence, nonce FROM webhook_message WHERE account_id = $1 AND endpoint_id = $2 \
               AND sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1";
    let last: Option<(i64, i64)> = records::value(tx, sql, [account_id.into(), endpoint_id.into()]).await?;
    Ok(last.map(|(sequence, nonce)| StreamPosition { sequence, nonce }))
}
