//! SQL of past balances and holds.

use crate::domain::database::Database;
use crate::domain::database::keyset::Keyset;
use crate::domain::database::records::column_list;
use crate::domain::database::select::{Condition, Select};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::explanation::{BalanceAt, HoldAt};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

use super::broken;

/// Selects a movement that no later one up to an instant replaces. Postgres cannot turn this look-up into a join over all
/// movements of the account.
const STOOD_AT: (&str, &str) = (
    "NOT COALESCE((SELECT true FROM hold_movement AS later WHERE later.account_id = $1 \
     AND later.holder_id = listed.holder_id AND later.sequence > listed.sequence AND +later.occurred_at <= ",
    " LIMIT 1), false)",
);

/// Returns the balance at `at`. One statement reads all figures, so they belong together.
pub(in crate::domain::ledger::credit_log) async fn balance_at(
    database: &Database,
    account_id: AccountId,
    at: Timestamp,
) -> Result<BalanceAt, Fault> {
    let mut select = Select::of(database, account_id, "SELECT ");
    let instant = select.placeholder(at.millis());
    let last = |column: &str, table: &str| {
        format!(
            "(SELECT {column} FROM {table} WHERE account_id = $1 AND occurred_at <= {instant} \
             ORDER BY occurred_at DESC, sequence DESC LIMIT 1)"
        )
    };
    select.push(&format!(
        "{} AS posted, {} AS sequence, {} AS last_entry, {} AS held",
        last("balance_after", "credit_entry"),
        last("sequence", "credit_entry"),
        last("id", "credit_entry"),
        last("held_after", "hold_movement"),
    ));
    let found = select.value(database).await?.ok_or_else(|| broken("balance"))?;
    let (posted, sequence, last_entry, held): (Option<Credits>, Option<i64>, _, Option<Credits>) = found;
    Ok(BalanceAt {
        at,
        posted: posted.unwrap_or_default(),
        held: held.unwrap_or_default(),
        sequence: sequence.unwrap_or_default(),
        last_entry,
    })
}

/// Returns the list of the holds at `at`, by their last change.
pub(in crate::domain::ledger::credit_log) fn holds_at(at: Timestamp) -> Keyset<(i64, i64)> {
    let columns = format!("{}, sequence", column_list::<HoldAt>());
    Keyset {
        residuals: vec![
            Condition::Plain("held > 0"),
            Condition::Around(STOOD_AT.0, at.millis(), STOOD_AT.1),
        ],
        to: (at.millis(), i64::MAX),
        descending: true,
        ..Keyset::new("hold_movement", &["occurred_at", "sequence"], columns)
    }
}
