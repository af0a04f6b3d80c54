//! Alerts and their deliveries: nouns.

use serde::{Deserialize, Serialize};

use super::failure::MailFailure;
use super::kind::{AlertKind, Channel, NextStep, Severity};
use super::resolver::SuppressionReason;
use crate::domain::member::require_to_reach;
use crate::domain::top_up::model::{DecisionOutcome, FailureCode, PauseReason};
use crate::primitives::actor::{Actor, MemberRole, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId, DeliveryId, EntryId, MemberId, RecipientId, SessionId, TopUpId};

/// Something a member should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// Where it was raised.
    pub account_id: AccountId,
    /// What it is.
    pub kind: AlertKind,
    /// The member it is about.
    pub subject: Option<MemberId>,
    /// What there is to say, as it was when it was raised.
    pub facts: Facts,
    /// The line of the credit log that it is about.
    pub entry_id: Option<EntryId>,
    /// The session that it is about.
    pub session_id: Option<SessionId>,
    /// The top-up that it is about.
    pub top_up_id: Option<TopUpId>,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When what it told of had ended.
    pub resolved_at: Option<Timestamp>,
}

/// What an alert says beyond its kind: amounts are units of 1/10,000 credit, instants milliseconds since 1970. Kept as JSON:
/// fields are added, never renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// What was available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<i64>,
    /// How many credits it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits: Option<i64>,
    /// What a session was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Why, in the words of whoever did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, for programs: of a failed top-up its failure, of a pause its reason, of a limit whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Who it is about, or the last digits of a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}

impl Alert {
    /// This alert without any text that a customer or the operator wrote: for readers who may be strangers. Of a card the last digits
    /// stay.
    #[must_use]
    pub fn without_texts(&self) -> Self {
        let digits = self.facts.name.clone().filter(|_| self.kind == AlertKind::CardExpiring);
        // All of them are listed, so that a new one has to be decided about.
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

    /// How much it matters.
    pub const fn severity(&self) -> Severity {
        self.kind.rule().severity
    }

    /// Whether this actor may do what there is to do about it. `subject` is the role of the member whom it is about.
    pub fn is_open_to(&self, actor: &Actor, subject: Option<MemberRole>) -> bool {
        let step = self.next_step();
        let allowed = match (step.permission(), self.subject, subject) {
            (Some(permission), ..) => actor.require(self.account_id, permission),
            (None, Some(member_id), Some(role)) if step == NextStep::UpdateContact => {
                require_to_reach(actor, self.account_id, (member_id, role))
            }
            // The address of the account itself.
            (None, None, _) if step == NextStep::UpdateContact => {
                actor.require(self.account_id, Permission::ManageSettings)
            }
            _ => Ok(()),
        };
        allowed.is_ok()
    }

    /// What can be done about it: of a failed top-up and of a pause, what its reason says. A higher cap does not lift the ceilings of a
    /// day.
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
    /// How far a delivery got.
    DeliveryStatus {
        /// It waits for its time, or for another try.
        Queued = "QUEUED",
        /// It is being sent.
        Sending = "SENDING",
        /// It was handed over: to the member's mail system, or into the inbox.
        Sent = "SENT",
        /// It was given up after a day of tries.
        Failed = "FAILED",
        /// It came back.
        Bounced = "BOUNCED",
        /// It was not to be sent.
        Suppressed = "SUPPRESSED",
    }
}

/// One alert on its way to one recipient by one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The team.
    pub account_id: AccountId,
    /// What it delivers.
    pub alert_id: AlertId,
    /// For whom it is.
    pub recipient: RecipientId,
    /// By which way.
    pub channel: Channel,
    /// How far it got.
    pub status: DeliveryStatus,
    /// Why it was not to be sent.
    pub suppressed_because: Option<SuppressionReason>,
    /// The address that it was last sent to.
    pub address: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// What went wrong last.
    pub last_error: Option<MailFailure>,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// When it was written down.
    pub created_at: Timestamp,
}

/// An alert in a member's inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxItem {
    /// The alert.
    pub alert: Alert,
    /// The inbox and the delivery that brought it there; for no member in particular, none.
    pub place: Option<(MemberId, DeliveryId)>,
    /// When the member has read it; for no member in particular, never.
    pub read_at: Option<Timestamp>,
    /// When the member has put it away; for no member in particular, never.
    pub archived_at: Option<Timestamp>,
}

impl InboxItem {
    /// An alert as the account has it, in no inbox in particular.
    pub const fn of_nobody(alert: Alert) -> Self {
        Self {
            alert,
            place: None,
            read_at: None,
            archived_at: None,
        }
    }
}
