//! The content of an event, and positions in an account's stream.

use uuid::Uuid;

use crate::primitives::clock::Timestamp;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::{AccountId, AlertId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};

/// The status of the event of an entry that deducted credits.
pub const DEDUCTED: &str = "DEDUCTED";

/// Replaces a status: the event is about a member whose rights are unchanged.
pub const DETAILS: &str = "DETAILS";

crate::text_enum! {
    /// The kind of an event in an account's numbered stream.
    EventKind {
        /// An entry was posted.
        CreditEntryPosted = "CREDIT_ENTRY_POSTED",
        /// A session was booked, moved, ended or resolved, or part of its charge was returned.
        SessionUpdated = "SESSION_UPDATED",
        /// A top-up changed.
        TopUpUpdated = "TOP_UP_UPDATED",
        /// The account's settings or status changed.
        AccountUpdated = "ACCOUNT_UPDATED",
        /// The account's rule could not buy all that it wanted, because of its cap or the operator's ceilings.
        CapReached = "CAP_REACHED",
        /// A member was added, changed or removed.
        MemberUpdated = "MEMBER_UPDATED",
        /// An API key of the team was created or revoked.
        ApiKeyUpdated = "API_KEY_UPDATED",
        /// An alert was raised.
        AlertRaised = "ALERT_RAISED",
        /// A member marked alerts of theirs, or the condition of an alert has ended.
        AlertsUpdated = "ALERTS_UPDATED",
        /// A problem has appeared, or was fixed.
        TroubleshootingChanged = "TROUBLESHOOTING_CHANGED",
    }
}

/// A new event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// One more than the number of the account's last event.
    pub sequence: i64,
    /// A random number that protects live cursors: a restored backup has other events under the same numbers.
    pub nonce: i64,
    /// The kind of event, which decides what the ids below name.
    pub kind: EventKind,
    /// The time of the transaction that appended it.
    pub occurred_at: Timestamp,
    /// The entry that was posted.
    pub entry_id: Option<EntryId>,
    /// The session that was updated, or that the entry belongs to.
    pub session_id: Option<SessionId>,
    /// The top-up that was updated, or that the entry belongs to.
    pub top_up_id: Option<TopUpId>,
    /// The alert that was raised or has ended. Of a mark, the newest alert that it covers.
    pub alert_id: Option<AlertId>,
    /// The API key that was created or revoked.
    pub api_key_id: Option<ApiKeyId>,
    /// The member that the event is about, or whose session or entry it is. Decides who may see it.
    pub member_id: Option<MemberId>,
    /// The new status of the session, top-up, account, API key or alerts; [`DEDUCTED`] for entries that deducted credits.
    pub status: Option<&'static str>,
    /// The balance's version after the command, on the last event of a command that changed the balance.
    pub balance_version: Option<i64>,
}

impl NewEvent {
    /// An event without a subject yet.
    pub fn new(place: Place, kind: EventKind, occurred_at: Timestamp) -> Self {
        Self {
            sequence: place.sequence,
            nonce: place.nonce,
            kind,
            occurred_at,
            entry_id: None,
            session_id: None,
            top_up_id: None,
            alert_id: None,
            api_key_id: None,
            member_id: None,
            status: None,
            balance_version: None,
        }
    }
}

/// An event as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event's number and nonce.
    pub place: Place,
    /// The kind of event, which decides what the ids below name.
    pub kind: EventKind,
    /// The time of the transaction that appended it.
    pub occurred_at: Timestamp,
    /// The entry that was posted.
    pub entry_id: Option<EntryId>,
    /// The session that was updated, or that the entry belongs to.
    pub session_id: Option<SessionId>,
    /// The top-up that was updated, or that the entry belongs to.
    pub top_up_id: Option<TopUpId>,
    /// The alert that was raised or has ended. Of a mark, the newest alert that it covers.
    pub alert_id: Option<AlertId>,
    /// The API key that was created or revoked.
    pub api_key_id: Option<ApiKeyId>,
    /// The member that the event is about, or whose session or entry it is.
    pub member_id: Option<MemberId>,
    /// The new status of the session, top-up, account, API key or alerts; [`DEDUCTED`] for entries that deducted credits.
    pub status: Option<String>,
    /// The balance's version after the command, on the last event of a command that changed the balance.
    pub balance_version: Option<i64>,
}

/// A position in a stream whose account is known: after this event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the event; 0 before the first.
    pub sequence: i64,
    /// Its nonce; 0 before the first.
    pub nonce: i64,
}

/// A position in an account's stream: after this event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveCursor {
    /// The identity of the database: a new one counts from 1 again.
    pub epoch: Uuid,
    /// The account whose stream it is.
    pub account_id: AccountId,
    /// Number of the last event that was read; 0 before the first.
    pub sequence: i64,
    /// Nonce of that event; 0 before the first.
    pub nonce: i64,
}

/// The text is no live cursor of this account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a live cursor of this account")]
pub struct InvalidLiveCursor;

impl LiveCursor {
    /// Returns the cursor of a position in an account's stream.
    pub const fn new(epoch: Uuid, account_id: AccountId, place: Place) -> Self {
        Self {
            epoch,
            account_id,
            sequence: place.sequence,
            nonce: place.nonce,
        }
    }

    /// Returns the position without the account.
    pub const fn place(&self) -> Place {
        Place {
            sequence: self.sequence,
            nonce: self.nonce,
        }
    }

    /// Encodes the cursor for clients: opaque, and bound to its account.
    pub fn encode(&self) -> String {
        let mut position = Vec::with_capacity(32);
        position.extend_from_slice(self.epoch.as_bytes());
        position.extend_from_slice(&self.sequence.to_be_bytes());
        position.extend_from_slice(&self.nonce.to_be_bytes());
        Self::scope(self.account_id).encode(&position)
    }

    /// Decodes a client's text. The reader of the stream checks whether the epoch and the nonce are still valid.
    pub fn decode(account_id: AccountId, text: &str) -> Result<Self, InvalidLiveCursor> {
        let position: [u8; 32] = Self::scope(account_id)
            .decode(text)
            .ok()
            .and_then(|position| position.try_into().ok())
            .ok_or(InvalidLiveCursor)?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&position[at..at + 8]);
            i64::from_be_bytes(bytes)
        };
        let mut epoch = [0; 16];
        epoch.copy_from_slice(&position[..16]);
        Ok(Self {
            epoch: Uuid::from_bytes(epoch),
            account_id,
            sequence: number(16),
            nonce: number(24),
        })
    }

    fn scope(account_id: AccountId) -> CursorScope {
        CursorScope::of(&["live", &account_id.number().to_string()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_cursor_belongs_to_its_account() {
        let cursor = LiveCursor {
            epoch: Uuid::from_u128(7),
            account_id: AccountId::from_number(3),
            sequence: 41,
            nonce: 0xffff_ffff,
        };
        let text = cursor.encode();
        assert_eq!(LiveCursor::decode(cursor.account_id, &text), Ok(cursor));
        assert_eq!(
            LiveCursor::decode(AccountId::from_number(4), &text),
            Err(InvalidLiveCursor)
        );
        for garbage in ["", "x", &text[1..], &text[..20]] {
            assert_eq!(LiveCursor::decode(cursor.account_id, garbage), Err(InvalidLiveCursor));
        }
    }
}
