//! Movements of credits and money in the log of the process: one line for each, written after its commit.
//!
//! A line has ids and amounts. It contains no names, no descriptions and no credentials.

use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, SessionId, TopUpId};
use crate::primitives::money::Money;

use super::model::{EntryKind, NewEntry};

/// A movement, or a failed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain) enum Movement {
    /// Credits that an entry moved.
    Credits {
        entry_id: EntryId,
        kind: EntryKind,
        /// Positive when credits come in.
        amount: Credits,
        session_id: Option<SessionId>,
        top_up_id: Option<TopUpId>,
    },
    /// Money that a top-up moved.
    TopUp {
        top_up_id: TopUpId,
        /// The new status; completes "top-up …".
        became: &'static str,
        amount: Money,
        /// The entry that credited the top-up.
        entry_id: Option<EntryId>,
        failure: Option<&'static str>,
    },
}

impl From<&NewEntry> for Movement {
    fn from(NewEntry { entry, .. }: &NewEntry) -> Self {
        Self::Credits {
            entry_id: entry.id,
            kind: entry.kind,
            amount: entry.amount,
            session_id: entry.session_id,
            top_up_id: entry.top_up_id,
        }
    }
}

impl Movement {
    /// Writes the line. Called only after the commit.
    pub(super) fn log(&self, account_id: AccountId) {
        match self {
            Self::Credits {
                entry_id,
                kind,
                amount,
                session_id,
                top_up_id,
            } => {
                let what = match kind {
                    EntryKind::Session => "credits settled",
                    _ if amount.is_positive() => "credits added",
                    _ => "credits deducted",
                };
                tracing::info!(
                    account = %account_id,
                    entry = %entry_id.global(account_id),
                    kind = kind.as_str(),
                    %amount,
                    session = session_id.map(|id| id.global(account_id).to_string()),
                    top_up = top_up_id.map(|id| id.global(account_id).to_string()),
                    "{what}"
                );
            }
            Self::TopUp {
                top_up_id,
                became,
                amount,
                entry_id,
                failure,
            } => tracing::info!(
                account = %account_id,
                top_up = %top_up_id.global(account_id),
                amount = %amount.to_decimal(),
                currency = %amount.currency,
                entry = entry_id.map(|id| id.global(account_id).to_string()),
                failure,
                "top-up {became}"
            ),
        }
    }
}
