//! One thing that is wrong: what it is, since when, what proves it and what mends it.

use data_encoding::BASE32_DNSSEC;
use sha2::{Digest, Sha256};

use crate::domain::member::require_to_reach;
use crate::domain::notification::model::{Channel, Severity};
use crate::primitives::actor::{AccessError, Actor, MemberRole, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{
    AccountId, DeliveryId, GlobalId, MemberId, PaymentMethodId, RecipientId, SessionId, TopUpId,
};
use crate::primitives::money::Money;

/// Bytes of a finding's id: enough that no two meet.
const ID_BYTES: usize = 15;

crate::text_enum! {
    /// What can be wrong.
    FindingCode {
        /// A top-up was not paid, and none after it was.
        TopUpFailed = "TOP_UP_FAILED",
        /// The bank waits for the customer.
        TopUpNeedsAuthentication = "TOP_UP_NEEDS_AUTHENTICATION",
        /// Nobody knows yet whether a card was charged.
        TopUpOutcomeUnknown = "TOP_UP_OUTCOME_UNKNOWN",
        /// Credits are low and nothing tops them up.
        AutoTopUpOffAndLow = "AUTO_TOP_UP_OFF_AND_LOW",
        /// The rule waits for somebody.
        AutoTopUpPaused = "AUTO_TOP_UP_PAUSED",
        /// The rule would buy and may not spend more.
        CapReached = "CAP_REACHED",
        /// The rule has no card that it may charge.
        PaymentMethodMissing = "PAYMENT_METHOD_MISSING",
        /// The card is past its date.
        PaymentMethodExpired = "PAYMENT_METHOD_EXPIRED",
        /// The rule starts too late for a usual session.
        TriggerBelowTypicalSession = "TRIGGER_BELOW_TYPICAL_SESSION",
        /// The rule buys less than a usual session takes.
        AmountBelowTypicalSession = "AMOUNT_BELOW_TYPICAL_SESSION",
        /// Sessions are over and their deduction is on its way.
        SessionsProcessing = "SESSIONS_PROCESSING",
        /// Sessions are over and their deduction is late.
        SessionsOverdue = "SESSIONS_OVERDUE",
        /// Nothing is added and nothing used.
        AccountFrozen = "ACCOUNT_FROZEN",
        /// Nobody would hear that credits run low.
        LowBalanceMuted = "LOW_BALANCE_MUTED",
        /// There is no address.
        ContactMissing = "CONTACT_MISSING",
        /// Nobody has shown that mail arrives.
        ContactUnverified = "CONTACT_UNVERIFIED",
        /// Mail comes back.
        ContactBouncing = "CONTACT_BOUNCING",
        /// Mail does not get out.
        EmailDeliveryFailing = "EMAIL_DELIVERY_FAILING",
    }
}

crate::text_enum! {
    /// What people complain of.
    Symptom {
        /// Credits do not increase although they are topped up.
        TopUpFailed = "TOP_UP_FAILED",
        /// Credits are not deducted at once.
        DeductionNotShowing = "DEDUCTION_NOT_SHOWING",
        /// Nobody was told.
        NotificationNotReceived = "NOTIFICATION_NOT_RECEIVED",
    }
}

crate::text_enum! {
    /// What mends it.
    RemedyAction {
        /// Charge for the same top-up once more.
        RetryTopUp = "RETRY_TOP_UP",
        /// Buy credits.
        CreateTopUp = "CREATE_TOP_UP",
        /// Change the rule.
        UpdateAutoTopUp = "UPDATE_AUTO_TOP_UP",
        /// Let the rule go on.
        ResumeAutoTopUp = "RESUME_AUTO_TOP_UP",
        /// Give another card.
        AddPaymentMethod = "ADD_PAYMENT_METHOD",
        /// Confirm with the bank.
        Authenticate = "AUTHENTICATE",
        /// Complete sessions that are over.
        CompleteSessions = "COMPLETE_SESSIONS",
        /// Change what one is told of.
        UpdateNotificationSettings = "UPDATE_NOTIFICATION_SETTINGS",
        /// Give another address.
        UpdateContact = "UPDATE_CONTACT",
        /// Have a code sent to the address.
        SendContactVerification = "SEND_CONTACT_VERIFICATION",
        /// Send a mail once more.
        ResendDelivery = "RESEND_DELIVERY",
        /// Ask an owner of the team: the viewer may not do it.
        AskOwner = "ASK_OWNER",
        /// Ask whoever runs the platform.
        ContactSupport = "CONTACT_SUPPORT",
        /// Nothing: it is being seen to.
        Wait = "WAIT",
    }
}

impl FindingCode {
    /// Which complaint it explains.
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

/// Something that a finding's texts may name. Each language writes it in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Credits.
    Credits(Credits),
    /// Money.
    Money(Money),
    /// An instant.
    At(Timestamp),
    /// A day, the same wherever it is read.
    Day(chrono::NaiveDate),
    /// How many.
    Count(usize),
    /// As it is: names, and words of whoever did something.
    Text(String),
    /// One of a closed list, in the language's own words: which list, and which of it.
    Word(&'static str, &'static str),
    /// As it is, for texts to branch upon.
    Key(&'static str),
}

/// What a finding's texts may name, by its name.
pub type Facts = Vec<(&'static str, Fact)>;

/// A use case, with all it needs, that a person can have done as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Charge for a top-up once more: with the card that a retry chooses, or with this one.
    RetryTopUp(TopUpId, Option<PaymentMethodId>),
    /// Have the rule charge this card.
    UseCard(PaymentMethodId),
    /// Let the rule go on.
    ResumeAutoTopUp,
    /// Complete these sessions for what was booked.
    CompleteSessions(Vec<SessionId>),
    /// Have a member told again, by this channel, that credits run low.
    HearOfLowBalance(MemberId, Channel),
    /// Send a code to the address of a member or a notification address.
    SendContactVerification(RecipientId),
    /// Send a mail once more.
    ResendDelivery(DeliveryId),
}

/// What mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// What it is.
    pub action: RemedyAction,
    /// The use case; `None` where a person must choose something first, or can do nothing here.
    pub call: Option<Call>,
    /// Where it is done, where that is elsewhere.
    pub url: Option<String>,
    /// The member whose settings, contact or mail it changes, and their role.
    pub concerns: Option<(MemberId, MemberRole)>,
}

impl Remedy {
    /// Something that a person must choose first, or do elsewhere.
    pub const fn by_hand(action: RemedyAction) -> Self {
        Self {
            action,
            call: None,
            url: None,
            concerns: None,
        }
    }

    /// Something that can be done as it stands.
    pub const fn ready(action: RemedyAction, call: Call) -> Self {
        Self {
            action,
            call: Some(call),
            url: None,
            concerns: None,
        }
    }

    /// As something that changes how this member is reached.
    #[must_use]
    pub fn concerning(self, member_id: MemberId, role: MemberRole) -> Self {
        Self {
            concerns: Some((member_id, role)),
            ..self
        }
    }

    /// Refuses unless the actor may do it, by the rules of the use case that does it.
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
            // The page of a bank asks for no permission of ours.
            RemedyAction::Authenticate | RemedyAction::AskOwner | RemedyAction::ContactSupport | RemedyAction::Wait => {
                Ok(())
            }
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub account_id: AccountId,
    /// What.
    pub code: FindingCode,
    /// What exactly: two of one code differ in this, and it changes when the same thing goes wrong anew.
    pub about: String,
    /// How much it matters.
    pub severity: Severity,
    /// Since when.
    pub since: Timestamp,
    /// What its texts may name.
    pub facts: Facts,
    /// The rows that prove it.
    pub evidence: Vec<GlobalId>,
    /// What mends it.
    pub remedy: Remedy,
    /// What mends it as well, for those who may not do the first.
    pub alternatives: Vec<Remedy>,
}

impl Finding {
    /// One without facts and evidence yet.
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

    /// The finding as this actor gets it: with a remedy that they may send. Where there is none, it is one for an owner of the team, who
    /// may do all that the team may, or for the platform.
    #[must_use]
    pub fn seen_by(mut self, actor: &Actor) -> Self {
        let Err(refused) = self.remedy.require(actor, self.account_id) else {
            return self;
        };
        let account_id = self.account_id;
        let mut others = std::mem::take(&mut self.alternatives).into_iter();
        if let Some(other) = others.find(|other| other.require(actor, account_id).is_ok()) {
            return self.mended_by(other);
        }
        match refused {
            AccessError::Forbidden(permission) if permission.is_of_platform() => {
                self.mended_by(Remedy::by_hand(RemedyAction::ContactSupport))
            }
            // What it is that the owner does is told in the same words.
            _ => {
                self.remedy = Remedy::by_hand(RemedyAction::AskOwner);
                self
            }
        }
    }

    fn mended_by(mut self, remedy: Remedy) -> Self {
        self.facts.retain(|(name, _)| *name != "action");
        let action = Fact::Key(remedy.action.as_str());
        self.remedy = remedy;
        self.fact("action", action)
    }

    /// With other remedies, for those who may not do the first.
    #[must_use]
    pub fn or(mut self, alternatives: impl IntoIterator<Item = Remedy>) -> Self {
        self.alternatives.extend(alternatives);
        self
    }

    /// With another fact.
    #[must_use]
    pub fn fact(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.push((name, fact));
        self
    }

    /// With another fact, if there is one.
    #[must_use]
    pub fn maybe(self, name: &'static str, fact: Option<Fact>) -> Self {
        match fact {
            Some(fact) => self.fact(name, fact),
            None => self,
        }
    }

    /// With more evidence.
    #[must_use]
    pub fn evidence(mut self, ids: impl IntoIterator<Item = GlobalId>) -> Self {
        self.evidence.extend(ids);
        self
    }

    /// Its id: the same while the same thing is wrong. It is also the idempotency key of its remedy, so that pressing a button
    /// twice is pressing it once, and pressing it when the same has gone wrong anew is not.
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
