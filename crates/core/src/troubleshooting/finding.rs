//! One problem: what it is, since when, what proves it and what fixes it.

use data_encoding::BASE32_DNSSEC;
use sha2::{Digest, Sha256};

use crate::member::require_to_reach;
use crate::notification::{Channel, Severity};
use crate::primitives::actor::{AccessError, Actor, MemberRole, Permission};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{
    AccountId, DeliveryId, GlobalId, MemberId, PaymentMethodId, RecipientId, SessionId, TopUpId,
};
use crate::primitives::money::Money;
use crate::primitives::timestamp::Timestamp;

/// Bytes of a finding's id: enough that no two are equal.
const ID_BYTES: usize = 15;

crate::text_enum! {
    /// The problems that are diagnosed.
    FindingCode {
        /// A top-up was not paid, and no later one was paid.
        TopUpFailed = "TOP_UP_FAILED",
        /// The bank waits for the cardholder to confirm a payment.
        TopUpNeedsAuthentication = "TOP_UP_NEEDS_AUTHENTICATION",
        /// It is unknown whether a card was charged.
        TopUpOutcomeUnknown = "TOP_UP_OUTCOME_UNKNOWN",
        /// Credits are low and no rule buys more.
        AutoTopUpOffAndLow = "AUTO_TOP_UP_OFF_AND_LOW",
        /// The rule is paused until a person acts.
        AutoTopUpPaused = "AUTO_TOP_UP_PAUSED",
        /// The rule would buy, but its cap is reached.
        CapReached = "CAP_REACHED",
        /// The rule has no card that it may charge.
        PaymentMethodMissing = "PAYMENT_METHOD_MISSING",
        /// The card is expired.
        PaymentMethodExpired = "PAYMENT_METHOD_EXPIRED",
        /// The rule starts too late for a usual session.
        TriggerBelowTypicalSession = "TRIGGER_BELOW_TYPICAL_SESSION",
        /// The rule buys less than a usual session takes.
        AmountBelowTypicalSession = "AMOUNT_BELOW_TYPICAL_SESSION",
        /// Sessions have ended, and their deduction is pending.
        SessionsProcessing = "SESSIONS_PROCESSING",
        /// Sessions have ended, and their deduction is late.
        SessionsOverdue = "SESSIONS_OVERDUE",
        /// The account is frozen: no credits are added or used.
        AccountFrozen = "ACCOUNT_FROZEN",
        /// No owner or admin would be notified that credits run low.
        LowBalanceMuted = "LOW_BALANCE_MUTED",
        /// There is no address.
        ContactMissing = "CONTACT_MISSING",
        /// The address is not verified.
        ContactUnverified = "CONTACT_UNVERIFIED",
        /// Mail bounces.
        ContactBouncing = "CONTACT_BOUNCING",
        /// Mail cannot be sent.
        EmailDeliveryFailing = "EMAIL_DELIVERY_FAILING",
    }
}

crate::text_enum! {
    /// The problems that people report.
    Symptom {
        /// Credits do not increase after a top-up.
        TopUpFailed = "TOP_UP_FAILED",
        /// Deductions do not show at once.
        DeductionNotShowing = "DEDUCTION_NOT_SHOWING",
        /// Notifications are not received.
        NotificationNotReceived = "NOTIFICATION_NOT_RECEIVED",
    }
}

crate::text_enum! {
    /// What fixes a problem.
    RemedyAction {
        /// Retry the charge of the same top-up.
        RetryTopUp = "RETRY_TOP_UP",
        /// Buy credits.
        CreateTopUp = "CREATE_TOP_UP",
        /// Change the rule.
        UpdateAutoTopUp = "UPDATE_AUTO_TOP_UP",
        /// Resume the rule.
        ResumeAutoTopUp = "RESUME_AUTO_TOP_UP",
        /// Add another card.
        AddPaymentMethod = "ADD_PAYMENT_METHOD",
        /// Confirm with the bank.
        Authenticate = "AUTHENTICATE",
        /// Complete sessions that are over.
        CompleteSessions = "COMPLETE_SESSIONS",
        /// Change the notifications of a member.
        UpdateNotificationSettings = "UPDATE_NOTIFICATION_SETTINGS",
        /// Set another address.
        UpdateContact = "UPDATE_CONTACT",
        /// Send a code to the address.
        SendContactVerification = "SEND_CONTACT_VERIFICATION",
        /// Send a mail again.
        ResendDelivery = "RESEND_DELIVERY",
        /// Ask an owner of the team: the viewer may not do it.
        AskOwner = "ASK_OWNER",
        /// Ask the operator of the platform.
        ContactSupport = "CONTACT_SUPPORT",
        /// Nothing to do: the system or its operator is working on it.
        Wait = "WAIT",
    }
}

impl FindingCode {
    /// The symptom that this code explains.
    pub const fn symptom(self) -> Symptom {
        match self {
            Self::TopUpFailed
            | Self::TopUpNeedsAuthentication
            | Self::TopUpOutcomeUnknown
            | Self::AutoTopUpOffAndLow
            | Self::AutoTopUpPaused
            | Self::CapReached
            | Self::PaymentMethodMissing
            | Self::PaymentMethodExpired
            | Self::AccountFrozen => Symptom::TopUpFailed,
            Self::TriggerBelowTypicalSession
            | Self::AmountBelowTypicalSession
            | Self::SessionsProcessing
            | Self::SessionsOverdue => Symptom::DeductionNotShowing,
            Self::LowBalanceMuted
            | Self::ContactMissing
            | Self::ContactUnverified
            | Self::ContactBouncing
            | Self::EmailDeliveryFailing => Symptom::NotificationNotReceived,
        }
    }
}

/// A value that a finding's texts may contain. Each language formats it in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A number of credits.
    Credits(Credits),
    /// An amount of money.
    Money(Money),
    /// An instant.
    At(Timestamp),
    /// A day, the same in each time zone.
    Day(chrono::NaiveDate),
    /// A count.
    Count(usize),
    /// Verbatim text: names, and words that a person or system wrote.
    Text(String),
    /// A word of a closed list, translated: the list and the word in it.
    Word(&'static str, &'static str),
    /// A verbatim key by which texts branch.
    Key(&'static str),
}

/// The values that a finding's texts may contain, by name.
pub type Facts = Vec<(&'static str, Fact)>;

/// A complete use case that a person can execute unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Retry the charge of a top-up: with the card that a retry chooses, or with this one.
    RetryTopUp(TopUpId, Option<PaymentMethodId>),
    /// Set this card for the rule.
    UseCard(PaymentMethodId),
    /// Resume the rule.
    ResumeAutoTopUp,
    /// Complete these sessions for the booked amount.
    CompleteSessions(Vec<SessionId>),
    /// Switch on alerts of low credits for a member, by this channel.
    HearOfLowBalance(MemberId, Channel),
    /// Send a code to the address of a member or a notification address.
    SendContactVerification(RecipientId),
    /// Send a mail again.
    ResendDelivery(DeliveryId),
}

/// What fixes a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The kind of action.
    pub action: RemedyAction,
    /// The use case; `None` where a person must choose something first, or can do nothing here.
    pub call: Option<Call>,
    /// The page where it is done, where that is elsewhere.
    pub url: Option<String>,
    /// The member whose settings, contact or mail it changes, and their role.
    pub concerns: Option<(MemberId, MemberRole)>,
}

impl Remedy {
    /// Makes a remedy that a person completes: by choosing something first, or elsewhere.
    pub const fn by_hand(action: RemedyAction) -> Self {
        Self {
            action,
            call: None,
            url: None,
            concerns: None,
        }
    }

    /// Makes a remedy that can be executed unchanged.
    pub const fn ready(action: RemedyAction, call: Call) -> Self {
        Self {
            action,
            call: Some(call),
            url: None,
            concerns: None,
        }
    }

    /// Sets the member whose settings, contact or mail it changes.
    #[must_use]
    pub fn concerning(self, member_id: MemberId, role: MemberRole) -> Self {
        Self {
            concerns: Some((member_id, role)),
            ..self
        }
    }

    /// Refuses unless the actor may do it, by the rules of the use case.
    fn require(&self, actor: &Actor, account_id: AccountId) -> Result<(), AccessError> {
        match self.action {
            RemedyAction::RetryTopUp
            | RemedyAction::CreateTopUp
            | RemedyAction::UpdateAutoTopUp
            | RemedyAction::ResumeAutoTopUp
            | RemedyAction::AddPaymentMethod => actor.require(account_id, Permission::BuyCredits),
            RemedyAction::CompleteSessions => actor.require(account_id, Permission::SettleSessions),
            RemedyAction::UpdateNotificationSettings
            | RemedyAction::UpdateContact
            | RemedyAction::SendContactVerification
            | RemedyAction::ResendDelivery => {
                let Some(member) = self.concerns else {
                    return actor.require(account_id, Permission::ManageSettings);
                };
                require_to_reach(actor, account_id, member)
            }
            // The page of a bank needs no permission here.
            RemedyAction::Authenticate | RemedyAction::AskOwner | RemedyAction::ContactSupport | RemedyAction::Wait => {
                Ok(())
            }
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The account with the problem.
    pub account_id: AccountId,
    /// The kind of problem.
    pub code: FindingCode,
    /// Identifies the problem among others of its code. It changes when the same problem occurs again.
    pub about: String,
    /// How severe the problem is.
    pub severity: Severity,
    /// Start of the problem.
    pub since: Timestamp,
    /// Values for the texts.
    pub facts: Facts,
    /// The rows that prove the problem.
    pub evidence: Vec<GlobalId>,
    /// What fixes the problem.
    pub remedy: Remedy,
    /// Other remedies, for viewers who may not execute the first.
    pub alternatives: Vec<Remedy>,
}

impl Finding {
    /// Makes a finding without facts and evidence.
    pub fn new(
        account_id: AccountId,
        (code, severity): (FindingCode, Severity),
        about: impl Into<String>,
        since: Timestamp,
        remedy: Remedy,
    ) -> Self {
        Self {
            account_id,
            code,
            about: about.into(),
            severity,
            since,
            facts: vec![("action", Fact::Key(remedy.action.as_str()))],
            evidence: Vec::new(),
            remedy,
            alternatives: Vec::new(),
        }
    }

    /// Returns the finding for this actor, with a remedy that they may execute. If there is none, the remedy is for an owner of the
    /// team, who may do all that the team may, or for the platform.
    #[must_use]
    pub fn seen_by(mut self, actor: &Actor) -> Self {
        let Err(refused) = self.remedy.require(actor, self.account_id) else {
            return self;
        };
        let account_id = self.account_id;
        let mut others = std::mem::take(&mut self.alternatives).into_iter();
        if let Some(other) = others.find(|other| other.require(actor, account_id).is_ok()) {
            return self.with_remedy(other);
        }
        match refused {
            AccessError::Forbidden(permission) if permission.is_of_platform() => {
                self.with_remedy(Remedy::by_hand(RemedyAction::ContactSupport))
            }
            // The action of the owner has the same words.
            _ => {
                self.remedy = Remedy::by_hand(RemedyAction::AskOwner);
                self
            }
        }
    }

    fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.facts.retain(|(name, _)| *name != "action");
        let action = Fact::Key(remedy.action.as_str());
        self.remedy = remedy;
        self.fact("action", action)
    }

    /// Adds other remedies, for viewers who may not execute the first.
    #[must_use]
    pub fn or(mut self, alternatives: impl IntoIterator<Item = Remedy>) -> Self {
        self.alternatives.extend(alternatives);
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.push((name, fact));
        self
    }

    /// Adds a fact, if there is one.
    #[must_use]
    pub fn maybe(self, name: &'static str, fact: Option<Fact>) -> Self {
        match fact {
            Some(fact) => self.fact(name, fact),
            None => self,
        }
    }

    /// Adds evidence.
    #[must_use]
    pub fn evidence(mut self, ids: impl IntoIterator<Item = GlobalId>) -> Self {
        self.evidence.extend(ids);
        self
    }

    /// Returns the id, which stays the same while the problem lasts. It is also the idempotency key of the remedy. So a remedy
    /// that is sent twice takes effect once, and takes effect again when the problem occurs again.
    pub fn id(&self) -> String {
        let digest = Sha256::new()
            .chain_update(self.account_id.number().to_be_bytes())
            .chain_update(self.code.as_str())
            .chain_update([0])
            .chain_update(&self.about)
            .finalize();
        format!("fnd_{}", BASE32_DNSSEC.encode(&digest[..ID_BYTES]))
    }
}
