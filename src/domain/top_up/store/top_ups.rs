//! Rows of top-ups.

use std::collections::{HashMap, HashSet};

use entity::{account, top_up};
use sea_orm::{ConnectionTrait, EntityTrait};
use uuid::Uuid;

use crate::domain::database::keyset::Keyset;
use crate::domain::database::records::{self, column_list};
use crate::domain::database::select::{self, Condition, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::store::broken;
use crate::domain::ledger::model::EntryKind;
use crate::domain::top_up::AccountTerms;
use crate::domain::top_up::model::{Refund, TakenBack, TopUp};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, TopUpId};
use crate::primitives::money::CreditPrice;

/// A top-up that has not ended.
const IN_PROGRESS: &str = "status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION')";

/// The condition of the partial unique index that allows one such row per account.
const OPEN_AUTOMATIC: &str = "origin = 'AUTO' AND (status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION') \
     OR (status = 'FAILED' AND next_attempt_at IS NOT NULL))";

/// Returns the keyset of the account's top-ups that match `residuals`, by the time of the request.
pub(in super::super) fn keyset(residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
    Keyset {
        residuals,
        ..Keyset::new("top_up", &["created_at", "id"], column_list::<TopUp>())
    }
}

pub(in super::super) async fn by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[TopUpId],
) -> Result<HashMap<TopUpId, TopUp>, Fault> {
    select::by_ids(database, account_id, "top_up", ids, |top_up: &TopUp| top_up.id).await
}

/// Returns a top-up as the transaction sees it.
pub(in super::super) async fn find(
    tx: &Transaction,
    account_id: AccountId,
    id: TopUpId,
) -> Result<Option<TopUp>, Fault> {
    records::find_one(tx, top_up::Entity::find_by_id((account_id.number(), id.uuid()))).await
}

/// Writes a new or changed top-up.
pub(in super::super) async fn insert(tx: &Transaction, top_up: &TopUp) -> Result<(), Fault> {
    records::save::<top_up::Entity>(tx, top_up).await
}

/// Returns the price of the account's credits and its time zone.
pub(in super::super) async fn account_terms(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<AccountTerms, Fault> {
    let row = account::Entity::find_by_id(account_id.number()).one(connection).await?;
    let row = row.ok_or_else(|| broken("account"))?;
    Ok(AccountTerms {
        credit_price: CreditPrice::from_millionths(row.credit_price),
        currency: row.currency.parse().map_err(|_| broken("currency"))?,
        timezone: row.timezone.parse().map_err(|_| broken("timezone"))?,
    })
}

async fn one_id(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    condition: &str,
) -> Result<Option<TopUpId>, Fault> {
    let sql = format!("SELECT id FROM top_up WHERE account_id = $1 AND {condition} LIMIT 1");
    records::value(connection, sql, [account_id.into()]).await
}

/// Returns the account's open automatic top-up. There is at most one.
pub(in super::super) async fn open_automatic(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Option<TopUpId>, Fault> {
    one_id(connection, account_id, OPEN_AUTOMATIC).await
}

/// Returns whether a manual top-up waits to be charged or is being charged.
///
/// A top-up whose outcome has been unknown for a day does not count: otherwise it would block others permanently.
pub(in super::super) async fn any_charged_by_hand(tx: &Transaction, account_id: AccountId) -> Result<bool, Fault> {
    let condition = "origin = 'MANUAL' AND status IN ('PENDING', 'PROCESSING') AND NOT EXISTS (
        SELECT 1 FROM top_up_attempt AS a WHERE a.account_id = $1 AND a.top_up_id = top_up.id AND a.finished_at IS NULL
          AND a.is_escalated)";
    Ok(one_id(tx, account_id, condition).await?.is_some())
}

/// Returns whether a manual top-up waits for its first charge, or is being charged for the first time.
pub(in super::super) async fn is_first_tried_by_hand(tx: &Transaction, account_id: AccountId) -> Result<bool, Fault> {
    let condition = "origin = 'MANUAL' AND status IN ('PENDING', 'PROCESSING') AND NOT EXISTS (
        SELECT 1 FROM top_up_attempt AS a WHERE a.account_id = $1 AND a.top_up_id = top_up.id AND (a.number > 1 OR a.is_escalated))";
    Ok(one_id(tx, account_id, condition).await?.is_some())
}

/// Returns when a top-up of the account last succeeded.
pub(in super::super) async fn last_success_at(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Option<Timestamp>, Fault> {
    let sql = "SELECT MAX(occurred_at) FROM (SELECT occurred_at FROM credit_entry WHERE account_id = $1 \
         AND kind IN ('TOP_UP', 'AUTO_TOP_UP') ORDER BY sequence DESC LIMIT 1) AS newest";
    let last: Option<Option<Timestamp>> = records::value(tx, sql, [account_id.into()]).await?;
    Ok(last.flatten())
}

/// Returns the credits that were taken back of the entry that credited a top-up. `refunds` are the refunds of that top-up.
pub(in super::super) async fn taken_back(
    tx: &Transaction,
    account_id: AccountId,
    entry_id: EntryId,
    refunds: &[Refund],
) -> Result<TakenBack, Fault> {
    let own = refunds
        .iter()
        .flat_map(|refund| [refund.entry_id, refund.came_back_entry_id]);
    let named: HashSet<EntryId> = own.flatten().collect();
    let sql =
        "SELECT id, kind, amount FROM credit_entry WHERE account_id = $1 AND reverses_entry_id = $2 ORDER BY sequence";
    let reversals: Vec<(EntryId, EntryKind, Credits)> =
        records::values(tx, sql, [account_id.into(), entry_id.into()]).await?;
    let mut taken = TakenBack::default();
    for (id, kind, amount) in reversals {
        if named.contains(&id) {
            taken.add_named(-amount);
        } else {
            taken.add(-amount, kind == EntryKind::Adjustment);
        }
    }
    Ok(taken)
}

/// Returns automatic top-ups of the account that have failed permanently: a later one replaces them.
pub(in super::super) async fn waiting_failures(tx: &Transaction, account_id: AccountId) -> Result<Vec<TopUpId>, Fault> {
    let sql = "SELECT id FROM top_up WHERE account_id = $1 AND origin = 'AUTO' AND status = 'FAILED' \
         AND next_attempt_at IS NULL ORDER BY created_at DESC LIMIT 100";
    records::values(tx, sql, [account_id.into()]).await
}

/// Returns the newest failed top-ups of the account, newest first.
pub(in super::super) async fn failed(tx: &Transaction, account_id: AccountId, limit: u32) -> Result<Vec<TopUp>, Fault> {
    some(tx, account_id, "status = 'FAILED' ORDER BY created_at DESC", limit).await
}

/// Returns which of these top-ups are open, so that they can still change without a request: in progress, to be tried again, or with a
/// refund that the gateway has not accepted yet.
pub(in super::super) async fn open_among(
    tx: &Transaction,
    account_id: AccountId,
    ids: &[TopUpId],
) -> Result<Vec<TopUpId>, Fault> {
    let text = format!(
        "SELECT id FROM top_up WHERE account_id = $1 AND ({IN_PROGRESS} OR next_attempt_at IS NOT NULL \
         OR EXISTS (SELECT 1 FROM top_up_refund AS r \
           WHERE r.account_id = $1 AND r.top_up_id = top_up.id AND r.status = 'PENDING'))"
    );
    let mut select = Select::of(tx, account_id, &text);
    let ids = ids.iter().map(|id| id.uuid()).collect();
    select.and_all(&[Condition::Uuids("id", ids)]);
    select.values(tx).await
}

/// Returns the oldest top-ups of the account that are in progress, oldest first.
pub(in super::super) async fn unfinished(
    tx: &Transaction,
    account_id: AccountId,
    limit: u32,
) -> Result<Vec<TopUp>, Fault> {
    some(tx, account_id, &format!("{IN_PROGRESS} ORDER BY created_at"), limit).await
}

async fn some(tx: &Transaction, account_id: AccountId, condition: &str, limit: u32) -> Result<Vec<TopUp>, Fault> {
    let columns = column_list::<TopUp>();
    let sql = format!("SELECT {columns} FROM top_up WHERE account_id = $1 AND {condition} LIMIT $2");
    records::all(tx, sql, [account_id.into(), i64::from(limit).into()]).await
}

/// Returns top-ups whose next automatic attempt is scheduled by now.
pub(in super::super) async fn due_again(
    database: &Database,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(AccountId, TopUpId)>, Fault> {
    super::due_ids(database.read(), ("top_up", "next_attempt_at"), now, limit).await
}
