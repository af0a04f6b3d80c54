//! SQL of credits held for top-ups: while they are disputed, and while money of them is to be refunded.

use entity::top_up_hold;

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, FromRow, columns_of};
use crate::domain::database::scope::AccountScope;
use crate::domain::database::writes::Writes;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::TopUpHold;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, TopUpId};

use super::{Batch, Work};

#[derive(Record, FromRow)]
struct Named {
    account_id: AccountId,
    top_up_id: TopUpId,
}

#[derive(Record, FromRow)]
struct HoldRow {
    #[record(flatten)]
    of: Named,
    #[record(flatten)]
    hold: TopUpHold,
}

/// Loads the holds of the top-ups whose entries are loaded. Only commands about such holds and corrections of an entry
/// need them.
pub(super) async fn load(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut named = Vec::new();
    for work in &*batch.works {
        if work.needs.top_up_holds {
            for top_up_id in work.state.entries.values().filter_map(|past| past.entry.top_up_id) {
                named.push(Named {
                    account_id: work.account_id(),
                    top_up_id,
                });
            }
        }
    }
    let sql = |scope: AccountScope, relation| {
        let holds = scope.probe("top_up_hold", "t.top_up_id = r.top_up_id");
        format!("SELECT {} FROM {relation} {holds}", columns_of::<HoldRow>("t"))
    };
    for row in AccountScope::select(tx, &Rows::of(named), sql).await? {
        let HoldRow { of, hold } = HoldRow::from_row(&row)?;
        let state = &mut batch.work(of.account_id)?.state;
        state.top_up_holds.insert(of.top_up_id, hold);
    }
    Ok(())
}

/// Adds changed holds. Released ones are deleted at once.
pub(super) async fn save(tx: &Transaction, writes: &mut Writes<'_>, works: &[Work]) -> Result<(), Fault> {
    let (mut kept, mut released) = (Vec::new(), Vec::new());
    for work in works {
        for top_up_id in &work.changes.top_up_holds {
            let hold = work.state.top_up_holds.get(top_up_id).copied().unwrap_or_default();
            let of = Named {
                account_id: work.account_id(),
                top_up_id: *top_up_id,
            };
            if hold.amount.is_positive() {
                kept.push(HoldRow { of, hold });
            } else {
                released.push(of);
            }
        }
    }
    writes.save_all::<top_up_hold::Entity>(&Rows::of(kept));
    let sql = |scope: AccountScope, relation| {
        format!(
            "DELETE FROM top_up_hold WHERE (account_id, top_up_id) IN (SELECT t.account_id, t.top_up_id FROM {relation} {}){}",
            scope.probe("top_up_hold", "t.top_up_id = r.top_up_id"),
            scope.condition("top_up_hold"),
        )
    };
    AccountScope::execute(tx, &Rows::of(released), sql).await
}

/// Returns what refunds in progress of a top-up hold, as the transaction sees it.
pub(in crate::domain::ledger) async fn refunding(
    tx: &Transaction,
    account_id: AccountId,
    top_up_id: TopUpId,
) -> Result<Credits, Fault> {
    let sql = "SELECT refunding FROM top_up_hold WHERE account_id = $1 AND top_up_id = $2";
    let found = records::value(tx, sql, [account_id.into(), top_up_id.into()]).await?;
    Ok(found.unwrap_or(Credits::ZERO))
}
