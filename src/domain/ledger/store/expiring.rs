//! Credits that are going to expire, of one locked account.

use crate::domain::database::{Transaction, records};
use crate::domain::fault::Fault;
use crate::domain::ledger::model::MAX_LOTS;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

/// Returns the credits that expire after `from` and by `until`, grouped by the hour: the first instant of each
/// group with its sum.
pub(in crate::domain::ledger) async fn expiring(
    tx: &Transaction,
    account_id: AccountId,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<(Timestamp, Credits)>, Fault> {
    let sql = format!(
        "SELECT MIN(expires_at) AS first_at, CAST(SUM(remaining) AS BIGINT) AS credits FROM credit_lot \
         WHERE account_id = $1 AND remaining > 0 AND expires_at IS NOT NULL AND expires_at > $2 AND expires_at <= $3 \
         GROUP BY expires_at / 3600000 ORDER BY first_at LIMIT {MAX_LOTS}"
    );
    records::values(tx, sql, [account_id.into(), from.into(), until.into()]).await
}

/// Returns when the next credits expire after `after`.
pub(in crate::domain::ledger) async fn next_expiry(
    tx: &Transaction,
    account_id: AccountId,
    after: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let sql = "SELECT MIN(expires_at) AS first_at FROM credit_lot \
               WHERE account_id = $1 AND remaining > 0 AND expires_at IS NOT NULL AND expires_at > $2";
    let first: Option<Option<Timestamp>> = records::value(tx, sql, [account_id.into(), after.into()]).await?;
    Ok(first.flatten())
}
