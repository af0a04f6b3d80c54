//! Alerts and their deliveries.

use serde::{Deserialize, Serialize};

use super::failure::MailFailure;
use super::kind::{AlertKind, Channel, NextStep, Severity};
use super::resolver::SuppressionReason;
use crate::member::require_to_reach;
use crate::primitives::actor::{Actor, MemberRole, Permission};
use crate::primitives::ids::{AccountId, AlertId, DeliveryId, EntryId, MemberId, RecipientId, SessionId, TopUpId};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
use crate::primitives::timestamp::Timestamp;
use crate::top_up::{DecisionOutcome, FailureCode, PauseReason};

/// A fact or condition that members are notified of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Alert {
    /// The id within the account.
    pub id: AlertId,
    /// The account in which it was raised.
    pub account_id: AccountId,
    /// The kind, which selects the rule.
    pub kind: AlertKind,
    /// The member that it is about.
    #[cfg_attr(feature = "sea-orm", record(name = "subject_id"))]
    pub subject: Option<MemberId>,
    /// The facts at the time at which it was raised.
    #[cfg_attr(feature = "sea-orm", record(text))]
    pub facts: Facts,
    /// The line of the credit log that it is about.
    pub entry_id: Option<EntryId>,
    /// The session that it is about.
    pub session_id: Option<SessionId>,
    /// The top-up that it is about.
    pub top_up_id: Option<TopUpId>,
    /// The time at which it was raised.
    pub raised_at: Timestamp,
    /// When its condition ended.
    pub resolved_at: Option<Timestamp>,
}

/// What an alert contains besides its kind. Amounts are units of 1/10,000 credit; instants are milliseconds since 1970.
/// Stored as JSON: fields are added, never renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Available credits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<i64>,
    /// The credits that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits: Option<i64>,
    /// The title of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The reason, as the author of the change wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The machine-readable reason: the failure of a top-up, the reason of a pause, or the owner of a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The name of what it is about, or the last digits of a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The future time that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}

/// As JSON.
#[cfg(feature = "sea-orm")]
impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

#[cfg(feature = "sea-orm")]
impl std::str::FromStr for Facts {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Alert {
    /// Returns this alert without any text that a customer or the operator wrote, for readers outside the team. The last digits of a
    /// card stay.
    #[must_use]
    pub fn without_texts(&self) -> Self {
        let digits = self.facts.name.clone().filter(|_| self.kind == AlertKind::CardExpiring);
        // All fields are listed, so that each new field requires a decision.
        let facts = Facts {
            available: self.facts.available,
            credits: self.facts.credits,
            title: None,
            reason: None,
            code: self.facts.code.clone(),
            name: digits,
            at: self.facts.at,
        };
        Self { facts, ..self.clone() }
    }

    /// Returns how much the alert matters.
    pub const fn severity(&self) -> Severity {
        self.kind.rule().severity
    }

    /// Returns whether this actor may take the next step of the alert. `subject` is the role of the member that it
    /// is about.
    pub fn is_open_to(&self, actor: &Actor, subject: Option<MemberRole>) -> bool {
        let step = self.next_step();
        let allowed = match (step.permission(), self.subject, subject) {
            (Some(permission), ..) => actor.require(self.account_id, permission),
            (None, Some(member_id), Some(role)) if step == NextStep::UpdateContact => {
                require_to_reach(actor, self.account_id, (member_id, role))
            }
            // The contact of the account itself.
            (None, None, _) if step == NextStep::UpdateContact => {
                actor.require(self.account_id, Permission::ManageSettings)
            }
            _ => Ok(()),
        };
        allowed.is_ok()
    }

    /// Returns what a member can do about it. For a failed top-up and a pause, the reason decides. A higher cap does not raise the
    /// daily ceilings.
    pub fn next_step(&self) -> NextStep {
        let code = self.facts.code.as_deref().unwrap_or_default();
        let by_code = match self.kind {
            AlertKind::TopUpFailed => FailureCode::from_text(code).map(after_failure),
            AlertKind::AutoTopUpPaused => PauseReason::from_text(code).map(after_pause),
            AlertKind::CapReached if code == DecisionOutcome::CeilingReached.as_str() => Some(NextStep::TopUp),
            _ => None,
        };
        by_code.unwrap_or(self.kind.rule().next_step)
    }
}

fn after_pause(reason: PauseReason) -> NextStep {
    match reason {
        PauseReason::RepeatedDeclines | PauseReason::CardRefused | PauseReason::AuthenticationRequired => {
            NextStep::UpdatePaymentMethod
        }
        PauseReason::TopUpReversed | PauseReason::AmountInvalid | PauseReason::ConsentNeeded => {
            NextStep::ReviewAutoTopUp
        }
    }
}

fn after_failure(code: FailureCode) -> NextStep {
    match code {
        FailureCode::InsufficientFunds
        | FailureCode::CardDeclined
        | FailureCode::AuthenticationRequired
        | FailureCode::GatewayUnavailable
        | FailureCode::UnknownOutcome => NextStep::RetryTopUp,
        FailureCode::CardExpired | FailureCode::CardBlocked | FailureCode::PaymentMethodMissing => {
            NextStep::UpdatePaymentMethod
        }
        FailureCode::AmountInvalid => NextStep::TopUp,
        FailureCode::CapReached => NextStep::RaiseCap,
    }
}

crate::text_enum! {
    /// The progress of a delivery.
    DeliveryStatus {
        /// It waits for its time, or for another attempt.
        Queued = "QUEUED",
        /// It is being sent.
        Sending = "SENDING",
        /// It was handed to the member's mail system, or added to the inbox.
        Sent = "SENT",
        /// It was given up after a day of attempts.
        Failed = "FAILED",
        /// The mail system returned it.
        Bounced = "BOUNCED",
        /// A rule or a preference prevented it.
        Suppressed = "SUPPRESSED",
    }
}

/// One alert for one recipient by one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Delivery {
    /// The id within the account.
    pub id: DeliveryId,
    /// The account of the alert.
    pub account_id: AccountId,
    /// The alert that it delivers.
    pub alert_id: AlertId,
    /// The member or the address that gets it.
    #[cfg_attr(feature = "sea-orm", record(flatten, prefix = "recipient_"))]
    pub recipient: RecipientId,
    /// The channel that it uses.
    pub channel: Channel,
    /// The progress of the delivery.
    pub status: DeliveryStatus,
    /// Why it was suppressed.
    pub suppressed_because: Option<SuppressionReason>,
    /// The address of the last attempt.
    pub address: Option<String>,
    /// The number of attempts.
    pub attempts: i32,
    /// The error of the last attempt.
    pub last_error: Option<MailFailure>,
    /// The time of the next attempt.
    pub next_attempt_at: Option<Timestamp>,
    /// The time at which it was sent.
    pub sent_at: Option<Timestamp>,
    /// The time at which it was created.
    pub created_at: Timestamp,
}

/// An alert in a member's inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxItem {
    /// The alert with its facts.
    pub alert: Alert,
    /// The inbox, and the delivery that brought the alert there; `None` outside of an inbox.
    pub place: Option<(MemberId, DeliveryId)>,
    /// When the member read it; `None` outside of an inbox.
    pub read_at: Option<Timestamp>,
    /// When the member archived it; `None` outside of an inbox.
    pub archived_at: Option<Timestamp>,
}

impl InboxItem {
    /// Returns an alert as part of the account, outside of any inbox.
    pub const fn outside_inbox(alert: Alert) -> Self {
        Self {
            alert,
            place: None,
            read_at: None,
            archived_at: None,
        }
    }
}
