//! What an account had at a past instant, and the entries and holds that made it up.
//!
//! The balance that the API shows is that of the last commit. A due lot expires with the next command or sweep, and is shown until
//! then. So a past balance is that of the last entry and the last hold movement at that instant. It is never computed from the
//! lots. Of several commands within one millisecond the last one counts.

use crate::domain::fault::{InvalidInput, QueryError};
use crate::domain::ledger::model::Holder;
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId};
use crate::primitives::page::{Page, PageRequest};

use super::CreditLog;
use super::store::explanation as store;
use crate::domain::database::records;
use crate::primitives::record::{FromRow, Record};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record, FromRow)]
pub struct HoldAt {
    /// The session or the top-up that holds the credits.
    #[record(flatten)]
    pub holder: Holder,
    /// The credits that were held.
    #[record(name = "held")]
    pub credits: Credits,
    /// The time of the holder's last change up to the instant.
    #[record(name = "occurred_at")]
    pub since: Timestamp,
}

/// A hold's position in a list: the time of its last change, and the number of the event that reports the
/// change.
pub type HoldPosition = (Timestamp, i64);

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
            return Err(InvalidInput::new("at", "must not lie in the future").into());
        }
        Ok(store::balance_at(&self.database, account_id, at).await?)
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
        let mut keyset = store::holds_at(at);
        keyset.turn_to(true, request, |(at, sequence)| (at.millis(), sequence));
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let position = |(millis, sequence)| (Timestamp::from_millis(millis), sequence);
        Ok(scan.into_page(request, position, records::record)?)
    }
}
