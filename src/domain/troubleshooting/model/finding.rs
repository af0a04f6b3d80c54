//! One thing that is wrong: what it is, since when, what proves it and what mends it.

use data_encoding::BASE32_DNSSEC;
use sha2::{Digest, Sha256};

use crate::domain::notification::model::{Channel, Severity};
use crate::primitives::actor::Side;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, DeliveryId, GlobalId, MemberId, PaymentMethodId, SessionId, TopUpId};
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
    /// Send a code to a member's address.
    SendContactVerification(MemberId),
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
}

impl Remedy {
    /// Something that a person must choose first, or do elsewhere.
    pub const fn by_hand(action: RemedyAction) -> Self {
        Self {
            action,
            call: None,
            url: None,
        }
    }

    /// Something that can be done as it stands.
    pub const fn ready(action: RemedyAction, call: Call) -> Self {
        Self {
            action,
            call: Some(call),
            url: None,
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
        }
    }

    /// The finding as an actor of this side gets it: sessions are completed by the platform, so the team asks for that.
    #[must_use]
    pub fn seen_by(mut self, side: Side) -> Self {
        let is_of_platform = matches!(self.remedy.call, Some(Call::CompleteSessions(_)));
        if side == Side::Team && is_of_platform {
            self.remedy = Remedy::by_hand(RemedyAction::ContactSupport);
            self.facts.retain(|(name, _)| *name != "action");
            return self.fact("action", Fact::Key(RemedyAction::ContactSupport.as_str()));
        }
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
