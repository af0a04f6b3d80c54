//! The types of webhook messages.

use crate::event::EventContent;

/// The type of a message that is sent on request, to try an endpoint.
pub const TEST_TYPE: &str = "webhook.test";

crate::text_enum! {
    /// What a webhook message reports.
    WebhookEventType {
        /// An entry was posted.
        CreditEntryPosted = "CREDIT_ENTRY_POSTED",
        /// A session was booked, moved, ended or resolved, or part of its charge was returned.
        SessionUpdated = "SESSION_UPDATED",
        /// A top-up changed.
        TopUpUpdated = "TOP_UP_UPDATED",
        /// The account's settings or status changed.
        AccountUpdated = "ACCOUNT_UPDATED",
        /// The account's rule could not buy all that it wanted.
        CapReached = "CAP_REACHED",
        /// A member was added, changed or removed.
        MemberUpdated = "MEMBER_UPDATED",
        /// An API key of the team was created or revoked.
        ApiKeyUpdated = "API_KEY_UPDATED",
        /// An alert was raised.
        AlertRaised = "ALERT_RAISED",
        /// The condition of an alert has ended.
        AlertResolved = "ALERT_RESOLVED",
        /// A problem has appeared, or was fixed.
        TroubleshootingChanged = "TROUBLESHOOTING_CHANGED",
    }
}

impl WebhookEventType {
    /// Returns the type of the message about an event. `None` for what only the member's own pages need: their marks on alerts.
    pub const fn of(content: &EventContent) -> Option<Self> {
        Some(match content {
            EventContent::EntryPosted { .. } => Self::CreditEntryPosted,
            EventContent::SessionUpdated { .. } => Self::SessionUpdated,
            EventContent::TopUpUpdated { .. } => Self::TopUpUpdated,
            EventContent::AccountUpdated { .. } => Self::AccountUpdated,
            EventContent::CapReached { .. } => Self::CapReached,
            EventContent::MemberUpdated { .. } => Self::MemberUpdated,
            EventContent::ApiKeyUpdated { .. } => Self::ApiKeyUpdated,
            EventContent::AlertRaised { .. } => Self::AlertRaised,
            EventContent::AlertResolved { .. } => Self::AlertResolved,
            EventContent::TroubleshootingChanged => Self::TroubleshootingChanged,
            EventContent::AlertsMarked { .. } => return None,
        })
    }

    /// The `type` in the message: words with dots between them, as the specification recommends. Receivers compare it, so it is never
    /// renamed.
    pub const fn wire(self) -> &'static str {
        match self {
            Self::CreditEntryPosted => "credit_entry.posted",
            Self::SessionUpdated => "session.updated",
            Self::TopUpUpdated => "top_up.updated",
            Self::AccountUpdated => "account.updated",
            Self::CapReached => "auto_top_up.cap_reached",
            Self::MemberUpdated => "member.updated",
            Self::ApiKeyUpdated => "api_key.updated",
            Self::AlertRaised => "alert.raised",
            Self::AlertResolved => "alert.resolved",
            Self::TroubleshootingChanged => "troubleshooting.changed",
        }
    }
}

/// Returns what happened to the object of an event, by its name in the contract: a status, a limit or a change.
pub const fn shown_status(content: &EventContent) -> Option<&'static str> {
    match content {
        EventContent::SessionUpdated { status, .. } => Some(status.as_str()),
        EventContent::TopUpUpdated {
            status: Some(status), ..
        } => Some(status.as_str()),
        EventContent::AccountUpdated { status } => Some(status.as_str()),
        EventContent::CapReached { limit } => Some(limit.as_str()),
        EventContent::ApiKeyUpdated { change, .. } => Some(change.as_str()),
        EventContent::EntryPosted { .. }
        | EventContent::TopUpUpdated { status: None, .. }
        | EventContent::MemberUpdated { .. }
        | EventContent::AlertRaised { .. }
        | EventContent::AlertResolved { .. }
        | EventContent::AlertsMarked { .. }
        | EventContent::TroubleshootingChanged => None,
    }
}
