//! The content of an event, and positions in an account's stream.

use uuid::Uuid;

use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::{AccountId, AlertId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};
use crate::primitives::status::{AccountStatus, AlertMark, ApiKeyChange, PurchaseLimit, ShownStatus, TopUpStatus};
use crate::primitives::timestamp::Timestamp;

/// Stored as the status of the event of an entry that deducted credits.
const DEDUCTED: &str = "DEDUCTED";

/// Stored as the status of an event about a member whose rights are unchanged.
pub const DETAILS: &str = "DETAILS";

/// Stored as the status of the event that an alert's condition has ended.
const RESOLVED: &str = "RESOLVED";

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

/// What an event reports, with the ids of what it is about. It never contains the object: that is loaded in its current state
/// when it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventContent {
    /// An entry was posted.
    EntryPosted {
        /// The entry.
        entry_id: EntryId,
        /// The session that it belongs to.
        session_id: Option<SessionId>,
        /// The top-up that it belongs to.
        top_up_id: Option<TopUpId>,
        /// The member that it belongs to. Decides who may see it.
        member_id: Option<MemberId>,
        /// Whether it deducted credits.
        is_deduction: bool,
    },
    /// A session was booked, moved, ended or resolved, or part of its charge was returned.
    SessionUpdated {
        /// The session.
        session_id: SessionId,
        /// The member of the session. Decides who may see it.
        member_id: Option<MemberId>,
        /// Its new status.
        status: ShownStatus,
    },
    /// A top-up changed.
    TopUpUpdated {
        /// The top-up.
        top_up_id: TopUpId,
        /// Its new status. `None` when only the credits changed that are held for it.
        status: Option<TopUpStatus>,
    },
    /// The account's settings or status changed.
    AccountUpdated {
        /// The account's status.
        status: AccountStatus,
    },
    /// The account's rule could not buy all that it wanted.
    CapReached {
        /// The limit that was reached.
        limit: PurchaseLimit,
    },
    /// A member was added, changed or removed.
    MemberUpdated {
        /// The member.
        member_id: MemberId,
        /// Whether the member's rights may have changed. Otherwise live subscriptions of the member continue.
        changes_rights: bool,
    },
    /// An API key of the team was created or revoked.
    ApiKeyUpdated {
        /// The key.
        api_key_id: ApiKeyId,
        /// What happened to it.
        change: ApiKeyChange,
    },
    /// An alert was raised.
    AlertRaised {
        /// The alert.
        alert_id: AlertId,
        /// The only member who gets it. `None` when several may.
        recipient: Option<MemberId>,
    },
    /// The condition of an alert has ended.
    AlertResolved {
        /// The alert.
        alert_id: AlertId,
    },
    /// A member marked alerts of their inbox.
    AlertsMarked {
        /// The member.
        member_id: MemberId,
        /// The newest alert of those that were marked. `None` when each was named.
        up_to: Option<AlertId>,
        /// The mark.
        mark: AlertMark,
    },
    /// A problem has appeared, or was fixed.
    TroubleshootingChanged,
}

impl EventContent {
    /// The kind of the event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::EntryPosted { .. } => EventKind::CreditEntryPosted,
            Self::SessionUpdated { .. } => EventKind::SessionUpdated,
            Self::TopUpUpdated { .. } => EventKind::TopUpUpdated,
            Self::AccountUpdated { .. } => EventKind::AccountUpdated,
            Self::CapReached { .. } => EventKind::CapReached,
            Self::MemberUpdated { .. } => EventKind::MemberUpdated,
            Self::ApiKeyUpdated { .. } => EventKind::ApiKeyUpdated,
            Self::AlertRaised { .. } => EventKind::AlertRaised,
            Self::AlertResolved { .. } | Self::AlertsMarked { .. } => EventKind::AlertsUpdated,
            Self::TroubleshootingChanged => EventKind::TroubleshootingChanged,
        }
    }

    /// The ids and the status, as they are stored.
    pub fn columns(&self) -> ContentColumns<'static> {
        let mut columns = ContentColumns {
            status: self.stored_status(),
            ..ContentColumns::default()
        };
        match *self {
            Self::EntryPosted {
                entry_id,
                session_id,
                top_up_id,
                member_id,
                ..
            } => {
                columns.entry_id = Some(entry_id);
                (columns.session_id, columns.top_up_id) = (session_id, top_up_id);
                columns.member_id = member_id;
            }
            Self::SessionUpdated {
                session_id, member_id, ..
            } => (columns.session_id, columns.member_id) = (Some(session_id), member_id),
            Self::TopUpUpdated { top_up_id, .. } => columns.top_up_id = Some(top_up_id),
            Self::MemberUpdated { member_id, .. } => columns.member_id = Some(member_id),
            Self::ApiKeyUpdated { api_key_id, .. } => columns.api_key_id = Some(api_key_id),
            Self::AlertRaised { alert_id, recipient } => {
                (columns.alert_id, columns.member_id) = (Some(alert_id), recipient);
            }
            Self::AlertResolved { alert_id } => columns.alert_id = Some(alert_id),
            Self::AlertsMarked { member_id, up_to, .. } => {
                (columns.alert_id, columns.member_id) = (up_to, Some(member_id));
            }
            Self::AccountUpdated { .. } | Self::CapReached { .. } | Self::TroubleshootingChanged => {}
        }
        columns
    }

    fn stored_status(&self) -> Option<&'static str> {
        match *self {
            Self::EntryPosted { is_deduction, .. } => is_deduction.then_some(DEDUCTED),
            Self::SessionUpdated { status, .. } => Some(status.as_str()),
            Self::TopUpUpdated { status, .. } => status.map(TopUpStatus::as_str),
            Self::AccountUpdated { status } => Some(status.as_str()),
            Self::CapReached { limit } => Some(limit.as_str()),
            Self::MemberUpdated { changes_rights, .. } => (!changes_rights).then_some(DETAILS),
            Self::ApiKeyUpdated { change, .. } => Some(change.as_str()),
            Self::AlertResolved { .. } => Some(RESOLVED),
            Self::AlertsMarked { mark, .. } => Some(mark.as_str()),
            Self::AlertRaised { .. } | Self::TroubleshootingChanged => None,
        }
    }

    /// Reads the content from what is stored. `None` where an id or the status is missing or unknown.
    pub fn from_columns(kind: EventKind, columns: &ContentColumns<'_>) -> Option<Self> {
        let &ContentColumns {
            session_id,
            top_up_id,
            member_id,
            alert_id,
            status,
            ..
        } = columns;
        Some(match kind {
            EventKind::CreditEntryPosted => Self::EntryPosted {
                entry_id: columns.entry_id?,
                session_id,
                top_up_id,
                member_id,
                is_deduction: status == Some(DEDUCTED),
            },
            EventKind::SessionUpdated => Self::SessionUpdated {
                session_id: session_id?,
                member_id,
                status: ShownStatus::from_text(status?)?,
            },
            EventKind::TopUpUpdated => Self::TopUpUpdated {
                top_up_id: top_up_id?,
                status: match status {
                    Some(status) => Some(TopUpStatus::from_text(status)?),
                    None => None,
                },
            },
            EventKind::AccountUpdated => Self::AccountUpdated {
                status: AccountStatus::from_text(status?)?,
            },
            EventKind::CapReached => Self::CapReached {
                limit: PurchaseLimit::from_text(status?)?,
            },
            EventKind::MemberUpdated => Self::MemberUpdated {
                member_id: member_id?,
                changes_rights: status != Some(DETAILS),
            },
            EventKind::ApiKeyUpdated => Self::ApiKeyUpdated {
                api_key_id: columns.api_key_id?,
                change: ApiKeyChange::from_text(status?)?,
            },
            EventKind::AlertRaised => Self::AlertRaised {
                alert_id: alert_id?,
                recipient: member_id,
            },
            EventKind::AlertsUpdated if status == Some(RESOLVED) => Self::AlertResolved { alert_id: alert_id? },
            EventKind::AlertsUpdated => Self::AlertsMarked {
                member_id: member_id?,
                up_to: alert_id,
                mark: AlertMark::from_text(status?)?,
            },
            EventKind::TroubleshootingChanged => Self::TroubleshootingChanged,
        })
    }

    /// The entry that was posted.
    pub fn entry_id(&self) -> Option<EntryId> {
        self.columns().entry_id
    }

    /// The session that was updated, or that the entry belongs to.
    pub fn session_id(&self) -> Option<SessionId> {
        self.columns().session_id
    }

    /// The top-up that was updated, or that the entry belongs to.
    pub fn top_up_id(&self) -> Option<TopUpId> {
        self.columns().top_up_id
    }

    /// The alert that was raised or has ended. Of a mark, the newest alert that it covers.
    pub fn alert_id(&self) -> Option<AlertId> {
        self.columns().alert_id
    }

    /// The API key that was created or revoked.
    pub fn api_key_id(&self) -> Option<ApiKeyId> {
        self.columns().api_key_id
    }

    /// The member that the event is about, or whose session or entry it is.
    pub fn member_id(&self) -> Option<MemberId> {
        self.columns().member_id
    }
}

/// The stored form of an event's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentColumns<'a> {
    /// See [`EventContent::entry_id`].
    pub entry_id: Option<EntryId>,
    /// See [`EventContent::session_id`].
    pub session_id: Option<SessionId>,
    /// See [`EventContent::top_up_id`].
    pub top_up_id: Option<TopUpId>,
    /// See [`EventContent::alert_id`].
    pub alert_id: Option<AlertId>,
    /// See [`EventContent::api_key_id`].
    pub api_key_id: Option<ApiKeyId>,
    /// See [`EventContent::member_id`].
    pub member_id: Option<MemberId>,
    /// What happened to it: a status, a limit, a change or a mark.
    pub status: Option<&'a str>,
}

/// An event of an account's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event's number, one more than that of the account's last event, and its nonce: a random number that protects live
    /// cursors, because a restored backup has other events under the same numbers.
    pub position: StreamPosition,
    /// The time of the transaction that appended it.
    pub occurred_at: Timestamp,
    /// What it reports.
    pub content: EventContent,
    /// The balance's version after the command, on the last event of a command that changed the balance.
    pub balance_version: Option<i64>,
}

/// A position in a stream whose account is known: after this event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPosition {
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
    pub const fn new(epoch: Uuid, account_id: AccountId, position: StreamPosition) -> Self {
        Self {
            epoch,
            account_id,
            sequence: position.sequence,
            nonce: position.nonce,
        }
    }

    /// Returns the position without the account.
    pub const fn position(&self) -> StreamPosition {
        StreamPosition {
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

    /// Stores and reads every content of each kind, with every status.
    #[test]
    fn content_is_read_as_it_was_stored() {
        let uuid = Uuid::from_u128(7);
        let (member_id, alert_id) = (MemberId::from_uuid(uuid), AlertId::from_uuid(uuid));
        let (session_id, top_up_id) = (SessionId::from_uuid(uuid), TopUpId::from_uuid(uuid));
        let mut contents = vec![
            EventContent::TopUpUpdated {
                top_up_id,
                status: None,
            },
            EventContent::AlertResolved { alert_id },
            EventContent::TroubleshootingChanged,
        ];
        for is_set in [false, true] {
            contents.extend([
                EventContent::EntryPosted {
                    entry_id: EntryId::from_uuid(uuid),
                    session_id: is_set.then_some(session_id),
                    top_up_id: is_set.then_some(top_up_id),
                    member_id: is_set.then_some(member_id),
                    is_deduction: is_set,
                },
                EventContent::MemberUpdated {
                    member_id,
                    changes_rights: is_set,
                },
                EventContent::AlertRaised {
                    alert_id,
                    recipient: is_set.then_some(member_id),
                },
            ]);
        }
        contents.extend(ShownStatus::ALL.iter().map(|status| EventContent::SessionUpdated {
            session_id,
            member_id: Some(member_id),
            status: *status,
        }));
        contents.extend(TopUpStatus::ALL.iter().map(|status| EventContent::TopUpUpdated {
            top_up_id,
            status: Some(*status),
        }));
        contents.extend(
            AccountStatus::ALL
                .iter()
                .map(|status| EventContent::AccountUpdated { status: *status }),
        );
        contents.extend(
            PurchaseLimit::ALL
                .iter()
                .map(|limit| EventContent::CapReached { limit: *limit }),
        );
        contents.extend(ApiKeyChange::ALL.iter().map(|change| EventContent::ApiKeyUpdated {
            api_key_id: ApiKeyId::from_uuid(uuid),
            change: *change,
        }));
        contents.extend(AlertMark::ALL.iter().map(|mark| EventContent::AlertsMarked {
            member_id,
            up_to: Some(alert_id),
            mark: *mark,
        }));
        for content in contents {
            assert_eq!(
                EventContent::from_columns(content.kind(), &content.columns()),
                Some(content)
            );
        }
        let unknown = ContentColumns {
            status: Some("MELTED"),
            ..ContentColumns::default()
        };
        assert_eq!(EventContent::from_columns(EventKind::AccountUpdated, &unknown), None);
    }

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
