//! An account's balance as the API returns it.

use uuid::Uuid;

use crate::domain::event::LiveCursor;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

use super::model::{AccountHeader, AccountStatus, Entry, NewEntry, Outcome};

/// The credits of an account at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The account that the balance belongs to.
    pub account_id: AccountId,
    /// Decides which commands the account accepts.
    pub status: AccountStatus,
    /// Grows with each change; of two balances the larger version is the newer.
    pub version: i64,
    /// Sum of all entries.
    pub posted: Credits,
    /// Reserved for open sessions, disputed top-ups and refunds of top-ups in progress.
    pub held: Credits,
    /// Credits in top-ups that are being charged.
    pub incoming: Credits,
    /// Number of the last entry; 0 before the first.
    pub sequence: i64,
    /// Time of the last change.
    pub as_of: Timestamp,
    /// Human-readable reason why the account is frozen or closed.
    pub halt_reason: Option<String>,
}

impl Balance {
    /// What can be spent: posted − held.
    pub fn available(&self) -> Credits {
        Credits::from_units(self.posted.units().saturating_sub(self.held.units()))
    }

    /// Whether the account accepts any booking at all.
    pub fn can_book(&self) -> bool {
        self.status == AccountStatus::Active && self.available().is_positive()
    }

    /// Whether a member may join a booked session. Held credits count, because they are held for that
    /// session.
    pub fn can_join(&self) -> bool {
        self.status == AccountStatus::Active && self.posted.is_positive()
    }
}

impl From<&AccountHeader> for Balance {
    fn from(header: &AccountHeader) -> Self {
        Self {
            account_id: header.account_id,
            status: header.status,
            version: header.balance_version,
            posted: header.posted,
            held: header.held,
            incoming: header.incoming,
            sequence: header.entry_sequence,
            as_of: header.balance_at,
            halt_reason: header.halt_reason.clone(),
        }
    }
}

/// The result of a command that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The account that the command changed.
    pub account_id: AccountId,
    /// What the command made or changed.
    pub outcome: Outcome,
    /// The entry of the outcome, as it was posted: entries never change. `None` on a replay, which posts
    /// nothing.
    pub entry: Option<Entry>,
    /// True when the idempotency key was known. Then `outcome` names what the first command made, and the
    /// balance is the current one.
    pub replayed: bool,
    /// The balance right after the command.
    pub balance: Balance,
    /// The position in the account's event stream right after the command.
    pub live_cursor: LiveCursor,
}

impl Posted {
    /// The result of a command that left the account with `header` and posted `entries`.
    pub(super) fn new(
        header: &AccountHeader,
        outcome: Outcome,
        entries: &[NewEntry],
        replayed: bool,
        epoch: Uuid,
    ) -> Self {
        let mut entries = entries.iter().map(|new| &new.entry);
        let entry = entries.find(|entry| Some(entry.id) == outcome.entry_id);
        Self {
            account_id: header.account_id,
            outcome,
            entry: entry.cloned(),
            replayed,
            balance: Balance::from(header),
            live_cursor: LiveCursor::new(epoch, header.account_id, header.event_position()),
        }
    }
}
