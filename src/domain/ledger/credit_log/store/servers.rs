//! SQL of what a server has of a log.

use uuid::Uuid;

use crate::domain::database::select::{Select, Source};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::LogEnd;
use crate::primitives::ids::AccountId;
use crate::primitives::record::FromRow;

/// What a server has.
#[derive(Clone, Copy, Debug, FromRow)]
pub(in crate::domain::ledger::credit_log) struct At {
    /// The installation that the server belongs to.
    pub(in crate::domain::ledger::credit_log) epoch: Uuid,
    /// The form of its search text.
    pub(in crate::domain::ledger::credit_log) search_form: i32,
    /// Whether it has the entry.
    pub(in crate::domain::ledger::credit_log) has_entry: bool,
}

/// Returns what a server has of an account's log. `None` if it has no installation.
pub(in crate::domain::ledger::credit_log) async fn at(
    source: &impl Source,
    account_id: AccountId,
    end: LogEnd,
) -> Result<Option<At>, Fault> {
    let mut select = Select::of(
        source,
        account_id,
        "SELECT i.epoch, i.search_form, EXISTS (SELECT 1 FROM credit_entry ",
    );
    select
        .push("WHERE account_id = $1 AND sequence = ")
        .bind(end.sequence)
        .push(" AND hash = ")
        .bind(end.hash.to_vec())
        .push(") AS has_entry FROM installation AS i");
    Ok(select.records(source).await?.into_iter().next())
}
