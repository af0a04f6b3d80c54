//! Credits held while top-ups are disputed.

use sea_orm::ConnectionTrait;

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::domain::ledger::model::Command;
use crate::primitives::ids::TopUpId;

use super::fields::Fields;
use super::{Batch, Scope, Work, execute, query};

const NAMED: Columns = &[("account_id", Kind::BigInt), ("top_up_id", Kind::Uuid)];
const COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("top_up_id", Kind::Uuid),
    ("amount", Kind::BigInt),
];

/// What is held for the top-ups whose entries are loaded. Only commands about a dispute ask, and corrections of an entry.
pub(super) async fn load(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut named = Rows::new(NAMED);
    for work in &*batch.works {
        let may_change_hold = |command: &Command| {
            matches!(
                command,
                Command::HoldDisputed { .. } | Command::Adjust { reverses: Some(_), .. }
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
        "SELECT t.account_id, t.top_up_id, t.amount FROM {} {}",
        named.relation(backend, 1),
        scope.probe(backend, "dispute_hold", "t.top_up_id = r.top_up_id"),
    );
    for row in query(tx, scope.statement(backend, sql, &named)).await? {
        let mut fields = Fields::of(&row);
        let state = &mut batch.work(fields.next()?)?.state;
        let top_up_id = fields.id(TopUpId::from_uuid)?;
        state.dispute_holds.insert(top_up_id, fields.credits()?);
    }
    Ok(())
}

/// Writes what is held now, and takes away what is released.
pub(super) async fn save(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let (mut held, mut released) = (Rows::new(COLUMNS), Rows::new(NAMED));
    for work in works {
        for top_up_id in &work.changes.dispute_holds {
            let amount = work.state.dispute_holds.get(top_up_id).copied().unwrap_or_default();
            let (number, id) = (work.number(), top_up_id.uuid());
            if amount.is_positive() {
                held.push([number.into(), id.into(), amount.units().into()]);
            } else {
                released.push([number.into(), id.into()]);
            }
        }
    }
    let backend = tx.get_database_backend();
    if !held.is_empty() {
        let conflict = "ON CONFLICT (account_id, top_up_id) DO UPDATE SET amount = excluded.amount";
        execute(tx, held.insert(backend, "dispute_hold", conflict)).await?;
    }
    if !released.is_empty() {
        let scope = Scope::of(works);
        let sql = format!(
            "DELETE FROM dispute_hold WHERE (account_id, top_up_id) IN (SELECT t.account_id, t.top_up_id FROM {} {})",
            released.relation(backend, 1),
            scope.probe(backend, "dispute_hold", "t.top_up_id = r.top_up_id"),
        );
        execute(tx, scope.statement(backend, sql, &released)).await?;
    }
    Ok(())
}
