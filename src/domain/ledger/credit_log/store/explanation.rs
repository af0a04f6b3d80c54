//! SQL of past balances and holds.

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::keyset::{Keyset, Position};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::explanation::{BalanceAt, HoldAt};
use crate::domain::ledger::model::Holder;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId};

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
    let instant = select.place(at.millis());
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
    let row = select.one(database).await?.ok_or_else(|| broken("balance"))?;
    balance(&row, at)
}

/// Returns the list of the holds at `at`, by their last change.
pub(in crate::domain::ledger::credit_log) fn holds_at(at: Timestamp) -> Keyset<(i64, i64)> {
    Keyset {
        table: "hold_movement",
        key: &["occurred_at", "sequence"],
        columns: "occurred_at, sequence, holder, holder_id, held",
        branches: Vec::new(),
        has_repeats: false,
        residuals: vec![
            Condition::Plain("held > 0"),
            Condition::Around(STOOD_AT.0, at.millis(), STOOD_AT.1),
        ],
        from: <(i64, i64)>::FIRST,
        to: (at.millis(), i64::MAX),
        descending: true,
    }
}

fn balance(row: &Row, at: Timestamp) -> Result<BalanceAt, Fault> {
    let units = |name: &str| row.try_get::<Option<i64>>("", name);
    Ok(BalanceAt {
        at,
        posted: Credits::from_units(units("posted")?.unwrap_or_default()),
        held: Credits::from_units(units("held")?.unwrap_or_default()),
        sequence: units("sequence")?.unwrap_or_default(),
        last_entry: row.try_get::<Option<Uuid>>("", "last_entry")?.map(EntryId::from_uuid),
    })
}

/// Reads a hold from its row.
pub(in crate::domain::ledger::credit_log) fn hold(row: &Row) -> Result<HoldAt, Fault> {
    let kind: String = row.try_get("", "holder")?;
    Ok(HoldAt {
        holder: Holder::from_columns(&kind, row.try_get("", "holder_id")?).ok_or_else(|| broken("holder"))?,
        credits: Credits::from_units(row.try_get("", "held")?),
        since: Timestamp::from_millis(row.try_get("", "occurred_at")?),
    })
}
