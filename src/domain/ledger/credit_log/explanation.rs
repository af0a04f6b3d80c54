//! What an account had at a past instant, and the entries and holds that made it up.
//!
//! The balance that the API shows is that of the last commit. A due lot expires with the next command or sweep, and is shown until
//! then. So a past balance is that of the last entry and the last hold movement at that instant. It is never computed from the
//! lots. Of several commands within one millisecond the last one counts.

use crate::domain::database::keyset::{Keyset, Position};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::model::Holder;
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId};
use crate::primitives::page::{Page, PageRequest};

use super::store::broken;
use super::{CreditLog, invalid};

/// The balance of an account at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceAt {
    /// The instant.
    pub at: Timestamp,
    /// Sum of the entries up to then.
    pub posted: Credits,
    /// Credits that were reserved at that instant.
    pub held: Credits,
    /// Number of the last entry up to then; 0 before the first.
    pub sequence: i64,
    /// The id of that entry; `None` before the first.
    pub last_entry: Option<EntryId>,
}

impl BalanceAt {
    /// What could be spent: posted − held.
    pub fn available(&self) -> Credits {
        Credits::from_units(self.posted.units().saturating_sub(self.held.units()))
    }
}

/// What one holder held at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldAt {
    /// The session or the top-up that holds the credits.
    pub holder: Holder,
    /// The credits that were held.
    pub credits: Credits,
    /// The time of the holder's last change up to the instant.
    pub since: Timestamp,
}

/// A hold's position in a list: the time of its last change, and the number of the event that reports the
/// change.
pub type HoldPosition = (Timestamp, i64);

/// Selects a movement that no later one up to an instant replaces. Postgres cannot turn this look-up into a join over all
/// movements of the account.
const STOOD_AT: (&str, &str) = (
    "NOT COALESCE((SELECT true FROM hold_movement AS later WHERE later.account_id = $1 \
     AND later.holder_id = listed.holder_id AND later.sequence > listed.sequence AND +later.occurred_at <= ",
    " LIMIT 1), false)",
);

impl CreditLog {
    /// Returns the balance at `at`, or the current one. One statement reads both figures, so they belong
    /// together.
    pub async fn balance_at(
        &self,
        actor: &Actor,
        account_id: AccountId,
        at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<BalanceAt, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        let at = at.unwrap_or(now);
        if at > now {
            return Err(invalid("at", "must not lie in the future"));
        }
        let mut select = Select::of(&self.database, account_id, "SELECT ");
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
        let row = select.one(&self.database).await?.ok_or_else(|| broken("balance"))?;
        Ok(balance(&row, at)?)
    }

    /// Returns one page of the holds at `at`, the last changed first.
    pub async fn holds_at(
        &self,
        actor: &Actor,
        account_id: AccountId,
        at: Timestamp,
        request: &PageRequest<HoldPosition>,
    ) -> Result<Page<HoldAt, HoldPosition>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        let mut keyset = Keyset {
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
        };
        keyset.turn_to(true, request, |(at, sequence)| (at.millis(), sequence));
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let position = |(millis, sequence)| (Timestamp::from_millis(millis), sequence);
        Ok(scan.into_page(request, position, hold)?)
    }
}

fn balance(row: &Row, at: Timestamp) -> Result<BalanceAt, Fault> {
    let units = |name: &str| row.try_get::<Option<i64>>("", name);
    Ok(BalanceAt {
        at,
        posted: Credits::from_units(units("posted")?.unwrap_or_default()),
        held: Credits::from_units(units("held")?.unwrap_or_default()),
        sequence: units("sequence")?.unwrap_or_default(),
        last_entry: row
            .try_get::<Option<uuid::Uuid>>("", "last_entry")?
            .map(EntryId::from_uuid),
    })
}

fn hold(row: &Row) -> Result<HoldAt, Fault> {
    let kind: String = row.try_get("", "holder")?;
    Ok(HoldAt {
        holder: Holder::from_columns(&kind, row.try_get("", "holder_id")?).ok_or_else(|| broken("holder"))?,
        credits: Credits::from_units(row.try_get("", "held")?),
        since: Timestamp::from_millis(row.try_get("", "occurred_at")?),
    })
}
