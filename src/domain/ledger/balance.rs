//! An account's balance as others see it.

use uuid::Uuid;

use crate::domain::event::LiveCursor;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

use super::model::{AccountHeader, AccountStatus, NewEntry, Outcome};

/// What an account has, at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Whose.
    pub account_id: AccountId,
    /// What the account may do.
    pub status: AccountStatus,
    /// Grows with each change; of two balances the larger version is the newer.
    pub version: i64,
    /// Sum of all entries.
    pub posted: Credits,
    /// Reserved for open sessions.
    pub held: Credits,
    /// In top-ups being charged.
    pub incoming: Credits,
    /// Number of the last entry.
    pub sequence: i64,
    /// When it last changed.
    pub as_of: Timestamp,
    /// Why the account is frozen or closed, in words for people.
    pub halt_reason: Option<String>,
}

impl Balance {
    /// What can be spent: posted − held.
    pub fn available(&self) -> Credits {
        Credits::from_units(self.posted.units().saturating_sub(self.held.units()))
    }

    /// Whether anything at all may be booked.
    pub fn can_book(&self) -> bool {
        self.status == AccountStatus::Active && self.available().is_positive()
    }

    /// Whether a booked session may be joined: held credits count, they are for the session being joined.
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

/// The answer to a command that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Whose.
    pub account_id: AccountId,
    /// What it made or changed.
    pub outcome: Outcome,
    /// The entry of the outcome, as it was posted: entries never change. None on a replay, which posts nothing.
    pub entry: Option<NewEntry>,
    /// The key was known: this names what the first one made, and the balance is the present one.
    pub replayed: bool,
    /// The balance right after the command.
    pub balance: Balance,
    /// The place in the account's stream right after the command.
    pub live_cursor: LiveCursor,
}

impl Posted {
    /// The answer after a command that left the account with `header` and posted `entries`.
    pub(super) fn new(
        header: &AccountHeader,
        outcome: Outcome,
        entries: &[NewEntry],
        replayed: bool,
        epoch: Uuid,
    ) -> Self {
        let entry = entries.iter().find(|entry| Some(entry.id) == outcome.entry_id);
        Self {
            account_id: header.account_id,
            outcome,
            entry: entry.cloned(),
            replayed,
            balance: Balance::from(header),
            live_cursor: LiveCursor::new(epoch, header.account_id, header.event_place()),
        }
    }
}
