//! Rows of rules and of their decisions.

use std::collections::HashMap;

use entity::{auto_top_up, top_up_decision};
use sea_orm::{ConnectionTrait, EntityTrait};
use uuid::Uuid;

use crate::domain::database::keyset::Keyset;
use crate::domain::database::records::{self, column_list};
use crate::domain::database::select;
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::top_up::model::{AutoTopUp, StoredDecision};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, TopUpDecisionId};

/// Returns the account's rule, if one was ever set.
pub(in super::super) async fn find(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Option<AutoTopUp>, Fault> {
    records::find_one(connection, auto_top_up::Entity::find_by_id(account_id.number())).await
}

/// Writes a new or changed rule.
pub(in super::super) async fn save(tx: &Transaction, rule: &AutoTopUp) -> Result<(), Fault> {
    records::save::<auto_top_up::Entity>(tx, rule).await
}

/// Returns accounts whose rule is scheduled for an evaluation.
pub(in super::super) async fn due(database: &Database, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM auto_top_up WHERE due_at <= $1 ORDER BY due_at, account_id LIMIT $2";
    records::values(database.read(), sql, [now.into(), i64::from(limit).into()]).await
}

/// Returns the newest decision.
pub(in super::super) async fn last_decision(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Option<StoredDecision>, Fault> {
    Ok(recent_decisions(tx, account_id, 1).await?.into_iter().next())
}

/// Returns the newest decisions, newest first.
pub(in super::super) async fn recent_decisions(
    tx: &Transaction,
    account_id: AccountId,
    limit: u32,
) -> Result<Vec<StoredDecision>, Fault> {
    let sql = format!(
        "SELECT {} FROM top_up_decision WHERE account_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
        column_list::<StoredDecision>()
    );
    records::all(tx, sql, [account_id.into(), i64::from(limit).into()]).await
}

/// Writes a new or repeated decision.
pub(in super::super) async fn insert_decision(tx: &Transaction, decision: &StoredDecision) -> Result<(), Fault> {
    records::save::<top_up_decision::Entity>(tx, decision).await
}

/// Returns the keyset of an account's decisions, by the time they were first made.
pub(in super::super) fn decisions_keyset() -> Keyset<(i64, Uuid)> {
    let columns = column_list::<StoredDecision>();
    Keyset {
        descending: true,
        ..Keyset::new("top_up_decision", &["created_at", "id"], columns)
    }
}

pub(in super::super) async fn decisions_by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[TopUpDecisionId],
) -> Result<HashMap<TopUpDecisionId, StoredDecision>, Fault> {
    let id = |decision: &StoredDecision| decision.id;
    select::by_ids(database, account_id, "top_up_decision", ids, id).await
}
