//! SQL of credits held for top-ups: while they are disputed, and while money of them is to be refunded.

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::domain::ledger::model::{Command, TopUpHold};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, TopUpId};

use super::fields::Fields;
use super::{Batch, Scope, Work, execute, query};

const NAMED: Columns = &[("account_id", Kind::BigInt), ("top_up_id", Kind::Uuid)];
const COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("top_up_id", Kind::Uuid),
    ("amount", Kind::BigInt),
    ("refunding", Kind::BigInt),
];

/// Loads the holds of the top-ups whose entries are loaded. Only commands about such holds and corrections of an entry
/// need them.
pub(super) async fn load(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut named = Rows::new(NAMED);
    for work in &*batch.works {
        let may_change_hold = |command: &Command| {
            matches!(
                command,
                Command::HoldTopUp { .. } | Command::HoldRefund { .. } | Command::Adjust { reverses: Some(_), .. }
            )
        };
        if work.requests.iter().any(|request| may_change_hold(&request.command)) {
            for top_up_id in work.state.entries.values().filter_map(|entry| entry.top_up_id) {
                named.push([work.number().into(), top_up_id.uuid().into()]);
            }
        }
    }
    if named.is_empty() {
        return Ok(());
    }
    let (scope, backend) = (batch.scope(), batch.backend);
    let sql = format!(
        "SELECT t.account_id, t.top_up_id, t.amount, t.refunding FROM {} {}",
        named.relation(backend, 1),
        scope.probe(backend, "top_up_hold", "t.top_up_id = r.top_up_id"),
    );
    for row in query(tx, scope.statement(backend, sql, &named)).await? {
        let mut fields = Fields::of(&row);
        let state = &mut batch.work(fields.next()?)?.state;
        let top_up_id = fields.id(TopUpId::from_uuid)?;
        let hold = TopUpHold {
            amount: fields.credits()?,
            refunding: fields.credits()?,
        };
        state.top_up_holds.insert(top_up_id, hold);
    }
    Ok(())
}

/// Writes changed holds, and deletes released ones.
pub(super) async fn save(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let (mut kept, mut released) = (Rows::new(COLUMNS), Rows::new(NAMED));
    for work in works {
        for top_up_id in &work.changes.top_up_holds {
            let hold = work.state.top_up_holds.get(top_up_id).copied().unwrap_or_default();
            let (number, id) = (work.number(), top_up_id.uuid());
            if hold.amount.is_positive() {
                let (amount, refunding) = (hold.amount.units(), hold.refunding.units());
                kept.push([number.into(), id.into(), amount.into(), refunding.into()]);
            } else {
                released.push([number.into(), id.into()]);
            }
        }
    }
    let backend = tx.get_database_backend();
    if !kept.is_empty() {
        let conflict = "ON CONFLICT (account_id, top_up_id) DO UPDATE SET amount = excluded.amount, refunding = excluded.refunding";
        execute(tx, kept.insert(backend, "top_up_hold", conflict)).await?;
    }
    if !released.is_empty() {
        let scope = Scope::of(works);
        let sql = format!(
            "DELETE FROM top_up_hold WHERE (account_id, top_up_id) IN (SELECT t.account_id, t.top_up_id FROM {} {})",
            released.relation(backend, 1),
            scope.probe(backend, "top_up_hold", "t.top_up_id = r.top_up_id"),
        );
        execute(tx, scope.statement(backend, sql, &released)).await?;
    }
    Ok(())
}

/// Returns what refunds in progress of a top-up hold, as the transaction sees it.
pub(in crate::domain::ledger) async fn refunding(
    tx: &Transaction,
    account_id: AccountId,
    top_up_id: TopUpId,
) -> Result<Credits, Fault> {
    let sql = "SELECT refunding FROM top_up_hold WHERE account_id = $1 AND top_up_id = $2";
    let values = [Value::from(account_id.number()), top_up_id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    match tx.query_one_raw(statement).await? {
        Some(row) => Fields::of(&row).credits(),
        None => Ok(Credits::ZERO),
    }
}
