//! Rows that schedule the next evaluation of an account, and the alerts that stay open until something ends them.

use sea_orm::{ConnectionTrait, Statement, Value};

use super::unreadable;
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId};

use super::super::model::{AlertKind, Due, Facts};

/// An open alert about neither an entry, a session nor a top-up. It stays open until its condition ends.
#[derive(Clone, Debug)]
pub(in super::super) struct StandingAlert {
    pub(in super::super) id: AlertId,
    pub(in super::super) kind: AlertKind,
    /// The subject that it was raised for.
    pub(in super::super) key: String,
    pub(in super::super) facts: Facts,
    pub(in super::super) raised_at: Timestamp,
}

/// The condition of the partial index on such alerts. The planner compares the text.
const OPEN: &str = "resolved_at IS NULL AND entry_id IS NULL AND session_id IS NULL AND top_up_id IS NULL";

/// Returns the open alerts of an account about its rule, its card, expiring credits and webhook endpoints.
pub(in super::super) async fn standing(tx: &Transaction, account_id: AccountId) -> Result<Vec<StandingAlert>, Fault> {
    let backend = tx.get_database_backend();
    let standing = AlertKind::ALL.iter().copied().filter(|kind| kind.is_standing());
    let sql = format!(
        "SELECT id, kind, dedupe_key, facts, raised_at FROM alert WHERE account_id = $1 AND kind IN ({}) AND {OPEN}",
        names(standing)
    );
    let statement = Statement::from_sql_and_values(backend, sql, [account_id.number().into()]);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let (kind, facts): (String, String) = (row.try_get("", "kind")?, row.try_get("", "facts")?);
            Ok(StandingAlert {
                id: AlertId::from_uuid(row.try_get("", "id")?),
                kind: AlertKind::from_text(&kind).ok_or_else(|| unreadable("kind of alert", &kind))?,
                key: row.try_get("", "dedupe_key")?,
                facts: serde_json::from_str(&facts).map_err(|_| unreadable("list of facts", &facts))?,
                raised_at: Timestamp::from_millis(row.try_get("", "raised_at")?),
            })
        })
        .collect()
}

/// Whether a reminder of expiring credits is open.
pub(in super::super) async fn are_credits_expiring(tx: &Transaction, account_id: AccountId) -> Result<bool, Fault> {
    let sql = format!(
        "SELECT 1 AS stands FROM alert WHERE account_id = $1 AND {} LIMIT 1",
        credits_expiring()
    );
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [account_id.number().into()]);
    Ok(tx.query_one_raw(statement).await?.is_some())
}

/// Returns kinds as a list in SQL. They are constants of the statement, because conditions of partial indexes contain them.
pub(super) fn names(kinds: impl IntoIterator<Item = AlertKind>) -> String {
    let kinds = kinds.into_iter().map(|kind| format!("'{}'", kind.as_str()));
    kinds.collect::<Vec<_>>().join(", ")
}

/// Returns the condition of the partial index on open reminders of expiring credits.
pub(super) fn credits_expiring() -> String {
    format!("kind = {} AND {OPEN}", names([AlertKind::CreditsExpiring]))
}

/// Returns when the account is evaluated again.
pub(in super::super) async fn due(tx: &Transaction, account_id: AccountId) -> Result<Due, Fault> {
    let sql = "SELECT held_until, remind_at FROM alert_due WHERE account_id = $1";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [account_id.number().into()]);
    let Some(row) = tx.query_one_raw(statement).await? else {
        return Ok(Due::default());
    };
    let instant = |column: &str| {
        let millis: Option<i64> = row.try_get("", column)?;
        Ok::<_, Fault>(millis.map(Timestamp::from_millis))
    };
    Ok(Due {
        held_until: instant("held_until")?,
        remind_at: instant("remind_at")?,
    })
}

/// Stores when an account is evaluated again, or that it is not.
pub(in super::super) async fn save_due(tx: &Transaction, account_id: AccountId, due: Due) -> Result<(), Fault> {
    let (sql, values): (_, Vec<Value>) = match due.at() {
        None => (
            "DELETE FROM alert_due WHERE account_id = $1",
            vec![account_id.number().into()],
        ),
        Some(at) => (
            "INSERT INTO alert_due (account_id, held_until, remind_at, due_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (account_id) DO UPDATE SET held_until = excluded.held_until, remind_at = excluded.remind_at, \
             due_at = excluded.due_at",
            vec![
                account_id.number().into(),
                due.held_until.map(Timestamp::millis).into(),
                due.remind_at.map(Timestamp::millis).into(),
                at.millis().into(),
            ],
        ),
    };
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// Returns accounts whose scheduled time has come, the earliest first.
pub(in super::super) async fn due_accounts(
    database: &Database,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM alert_due WHERE due_at <= $1 ORDER BY due_at, account_id LIMIT $2";
    let values: [Value; 2] = [now.millis().into(), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(database.backend(), sql, values);
    let rows = database.read().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok(AccountId::from_number(row.try_get("", "account_id")?)))
        .collect()
}
