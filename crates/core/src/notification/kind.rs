//! The kinds of alerts, and the rule of each.

use crate::primitives::actor::Permission;

crate::text_enum! {
    /// The kind of an alert.
    AlertKind {
        /// Available credits are at or below the member's own threshold.
        LowBalance = "LOW_BALANCE",
        /// No credits are available.
        BalanceDepleted = "BALANCE_DEPLETED",
        /// Enough is available again after one of the two kinds above.
        BalanceRecovered = "BALANCE_RECOVERED",
        /// A top-up was paid and credited.
        TopUpSucceeded = "TOP_UP_SUCCEEDED",
        /// A top-up was declined.
        TopUpFailed = "TOP_UP_FAILED",
        /// The bank requires the customer to authenticate.
        TopUpActionRequired = "TOP_UP_ACTION_REQUIRED",
        /// The money of a top-up was returned, or is disputed: see [`Reversal`].
        TopUpReversed = "TOP_UP_REVERSED",
        /// Auto top-up was paused automatically.
        AutoTopUpPaused = "AUTO_TOP_UP_PAUSED",
        /// Auto top-up would exceed its cap or a ceiling.
        CapReached = "CAP_REACHED",
        /// Credits are about to expire.
        CreditsExpiring = "CREDITS_EXPIRING",
        /// The default card is about to expire.
        CardExpiring = "CARD_EXPIRING",
        /// Credits were deducted for a session.
        SessionCharged = "SESSION_CHARGED",
        /// Credits were returned for a session.
        SessionRefunded = "SESSION_REFUNDED",
        /// A session was not resolved in time, and its hold was released.
        SessionUnresolved = "SESSION_UNRESOLVED",
        /// The account was frozen.
        AccountFrozen = "ACCOUNT_FROZEN",
        /// The account is active again.
        AccountUnfrozen = "ACCOUNT_UNFROZEN",
        /// Mail to a member bounces.
        ContactBouncing = "CONTACT_BOUNCING",
        /// An API key of the team was created or revoked.
        ApiKeyChanged = "API_KEY_CHANGED",
        /// A member requested a test of alerts.
        Test = "TEST",
    }
}

crate::text_enum! {
    /// How much an alert matters.
    Severity {
        /// Information; no action is needed.
        Info = "INFO",
        /// Something will fail unless a member acts.
        Warning = "WARNING",
        /// Something has failed.
        Critical = "CRITICAL",
    }
}

crate::text_enum! {
    /// The channel by which an alert reaches a recipient.
    Channel {
        /// E-mail.
        Email = "EMAIL",
        /// The member's inbox, and its live stream.
        InApp = "IN_APP",
    }
}

crate::text_enum! {
    /// What happened to the money of a top-up.
    Reversal {
        /// Money was returned, by a refund or because the payment failed late.
        Refunded = "REFUNDED",
        /// A refund failed later, and its money came back.
        RefundFailed = "REFUND_FAILED",
        /// The cardholder disputes the payment at the bank.
        DisputeOpened = "DISPUTE_OPENED",
        /// The bank decided for the cardholder.
        DisputeLost = "DISPUTE_LOST",
        /// The bank decided for the platform.
        DisputeWon = "DISPUTE_WON",
    }
}

crate::text_enum! {
    /// What a member can do about an alert.
    NextStep {
        /// Buy credits.
        TopUp = "TOP_UP",
        /// Retry the top-up.
        RetryTopUp = "RETRY_TOP_UP",
        /// Add another card.
        UpdatePaymentMethod = "UPDATE_PAYMENT_METHOD",
        /// Confirm the payment at the bank.
        Authenticate = "AUTHENTICATE",
        /// Allow auto top-up to spend more.
        RaiseCap = "RAISE_CAP",
        /// Review the rule of auto top-up: change or resume it.
        ReviewAutoTopUp = "REVIEW_AUTO_TOP_UP",
        /// Enter an address at which mail arrives.
        UpdateContact = "UPDATE_CONTACT",
        /// Review the team's API keys.
        ReviewApiKeys = "REVIEW_API_KEYS",
        /// Read the credit log.
        ViewCreditLog = "VIEW_CREDIT_LOG",
        /// No action is needed.
        None = "NONE",
    }
}

impl NextStep {
    /// Returns the permission that the step requires. `None` if all recipients may take it, or if it depends on the
    /// member that the alert is about.
    pub const fn permission(self) -> Option<Permission> {
        match self {
            Self::TopUp
            | Self::RetryTopUp
            | Self::UpdatePaymentMethod
            | Self::Authenticate
            | Self::RaiseCap
            | Self::ReviewAutoTopUp => Some(Permission::BuyCredits),
            Self::ReviewApiKeys => Some(Permission::ManageApiKeys),
            Self::UpdateContact | Self::ViewCreditLog | Self::None => None,
        }
    }
}

/// The members that an alert is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Owners only.
    Owners,
    /// Owners and admins.
    Admins,
    /// All members of the team.
    Everybody,
    /// The member that it is about.
    Subject,
    /// The member that it is about, owners and admins.
    SubjectAndAdmins,
}

/// How often mail of a kind is sent to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// For each alert: each is a separate fact.
    Each,
    /// At most once an hour. Several alerts within an hour share one mail.
    Gathered,
    /// Like [`Self::Gathered`], and at most once a day while the previous alert's condition lasts. A balance can swing about a
    /// threshold.
    Swinging,
}

/// The rule of a kind of alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How much the alert matters.
    pub severity: Severity,
    /// It cannot be switched off in the inbox, nor by e-mail if e-mail is on by default.
    pub locked: bool,
    /// The members that get it in the inbox.
    pub in_app: Audience,
    /// The members that can get it by e-mail.
    pub email: Audience,
    /// Whether they get it by e-mail by default.
    pub email_default: bool,
    /// What they can do about it.
    pub next_step: NextStep,
}

impl AlertKind {
    /// Returns the rule of this kind.
    pub const fn rule(self) -> Rule {
        use Severity::{Critical, Info, Warning};
        match self {
            Self::LowBalance => Rule::for_admins(Warning, true, NextStep::TopUp),
            Self::BalanceDepleted => Rule::for_admins(Critical, true, NextStep::TopUp).shown_to(Audience::Everybody),
            Self::BalanceRecovered => Rule::for_admins(Info, false, NextStep::None),
            Self::TopUpSucceeded => Rule::for_admins(Info, false, NextStep::ViewCreditLog),
            Self::TopUpFailed => Rule::for_admins(Critical, true, NextStep::RetryTopUp),
            Self::TopUpActionRequired => Rule::for_admins(Critical, true, NextStep::Authenticate),
            Self::TopUpReversed => Rule::for_admins(Critical, true, NextStep::ViewCreditLog),
            Self::AutoTopUpPaused | Self::CardExpiring => {
                let severity = if matches!(self, Self::CardExpiring) {
                    Warning
                } else {
                    Critical
                };
                Rule::for_admins(severity, true, NextStep::UpdatePaymentMethod)
            }
            Self::CapReached => Rule::for_admins(Warning, true, NextStep::RaiseCap),
            Self::CreditsExpiring => Rule::for_admins(Warning, true, NextStep::ViewCreditLog),
            Self::SessionCharged | Self::SessionRefunded => Rule::for_subject(NextStep::ViewCreditLog),
            Self::SessionUnresolved => Rule::for_admins(Warning, true, NextStep::None),
            Self::AccountFrozen => Rule::for_admins(Critical, true, NextStep::None).shown_to(Audience::Everybody),
            Self::AccountUnfrozen => Rule::for_admins(Info, false, NextStep::None).shown_to(Audience::Everybody),
            Self::ContactBouncing => {
                let rule = Rule::for_admins(Critical, false, NextStep::UpdateContact);
                rule.shown_to(Audience::SubjectAndAdmins)
            }
            Self::ApiKeyChanged => Rule {
                in_app: Audience::Owners,
                email: Audience::Owners,
                ..Rule::for_admins(Warning, true, NextStep::ReviewApiKeys)
            },
            Self::Test => Rule::for_subject(NextStep::None),
        }
    }

    /// Returns the English name of the kind.
    pub const fn label(self) -> &'static str {
        match self {
            Self::LowBalance => "Low balance",
            Self::BalanceDepleted => "Out of credits",
            Self::BalanceRecovered => "Enough credits again",
            Self::TopUpSucceeded => "Top-up succeeded",
            Self::TopUpFailed => "Top-up failed",
            Self::TopUpActionRequired => "Top-up needs confirmation",
            Self::TopUpReversed => "Top-up refunded or disputed",
            Self::AutoTopUpPaused => "Auto top-up paused",
            Self::CapReached => "Monthly cap reached",
            Self::CreditsExpiring => "Credits about to expire",
            Self::CardExpiring => "Card about to expire",
            Self::SessionCharged => "Session charged",
            Self::SessionRefunded => "Session refunded",
            Self::SessionUnresolved => "Session not resolved",
            Self::AccountFrozen => "Account frozen",
            Self::AccountUnfrozen => "Account active again",
            Self::ContactBouncing => "Mail bounces",
            Self::ApiKeyChanged => "API key created or revoked",
            Self::Test => "Test",
        }
    }

    /// Returns how often mail of this kind is sent to a member.
    pub const fn pace(self) -> Pace {
        match self {
            Self::LowBalance | Self::BalanceDepleted | Self::BalanceRecovered => Pace::Swinging,
            Self::CreditsExpiring => Pace::Gathered,
            _ => Pace::Each,
        }
    }

    /// Returns whether alerts of this kind describe a condition that lasts and ends. The others are facts, which are
    /// never open.
    pub const fn is_condition(self) -> bool {
        match self {
            Self::LowBalance
            | Self::BalanceDepleted
            | Self::TopUpFailed
            | Self::TopUpActionRequired
            | Self::AutoTopUpPaused
            | Self::CapReached
            | Self::CreditsExpiring
            | Self::CardExpiring
            | Self::SessionUnresolved
            | Self::AccountFrozen
            | Self::ContactBouncing => true,
            Self::BalanceRecovered
            | Self::TopUpSucceeded
            | Self::TopUpReversed
            | Self::SessionCharged
            | Self::SessionRefunded
            | Self::AccountUnfrozen
            | Self::ApiKeyChanged
            | Self::Test => false,
        }
    }

    /// Returns whether an open alert of this kind may be about the account's rule, its card or its credits as a whole, and not
    /// about one entry, session or top-up. An evaluation of the account ends it.
    pub const fn is_standing(self) -> bool {
        match self {
            Self::AutoTopUpPaused | Self::CapReached | Self::CreditsExpiring | Self::CardExpiring => true,
            Self::LowBalance
            | Self::BalanceDepleted
            | Self::BalanceRecovered
            | Self::TopUpSucceeded
            | Self::TopUpFailed
            | Self::TopUpActionRequired
            | Self::TopUpReversed
            | Self::SessionCharged
            | Self::SessionRefunded
            | Self::SessionUnresolved
            | Self::AccountFrozen
            | Self::AccountUnfrozen
            | Self::ContactBouncing
            | Self::ApiKeyChanged
            | Self::Test => false,
        }
    }

    /// Returns an English description of the kind.
    pub const fn description(self) -> &'static str {
        match self {
            Self::LowBalance => "Available credits are at or below your threshold.",
            Self::BalanceDepleted => "No credits are available, so no sessions can be booked.",
            Self::BalanceRecovered => "Credits are available again after a low balance.",
            Self::TopUpSucceeded => "A top-up was paid and its credits were added.",
            Self::TopUpFailed => "A top-up could not be charged.",
            Self::TopUpActionRequired => "The bank requires the confirmation of a payment.",
            Self::TopUpReversed => "A top-up was refunded, or its payment is disputed.",
            Self::AutoTopUpPaused => "Automatic top-ups have paused.",
            Self::CapReached => "Automatic top-ups have reached a limit.",
            Self::CreditsExpiring => "Credits expire soon.",
            Self::CardExpiring => "The default card expires soon.",
            Self::SessionCharged => "Credits were deducted for one of your sessions.",
            Self::SessionRefunded => "Credits of one of your sessions were refunded.",
            Self::SessionUnresolved => "A session was not resolved in time, and its hold was released.",
            Self::AccountFrozen => "The account was frozen: it accepts no new bookings or top-ups.",
            Self::AccountUnfrozen => "The account is active again after a freeze.",
            Self::ContactBouncing => "Mail to a member of the team bounces.",
            Self::ApiKeyChanged => "An API key of the team was created, changed or revoked.",
            Self::Test => "A test of whether alerts arrive.",
        }
    }

    /// Returns the group in settings. `None` for tests, which have no preference.
    pub const fn group(self) -> Option<Group> {
        Some(match self {
            Self::LowBalance | Self::BalanceDepleted | Self::BalanceRecovered | Self::CreditsExpiring => Group::Balance,
            Self::TopUpSucceeded
            | Self::TopUpFailed
            | Self::TopUpActionRequired
            | Self::TopUpReversed
            | Self::AutoTopUpPaused
            | Self::CapReached
            | Self::CardExpiring => Group::TopUps,
            Self::SessionCharged | Self::SessionRefunded | Self::SessionUnresolved => Group::Sessions,
            Self::AccountFrozen | Self::AccountUnfrozen | Self::ContactBouncing | Self::ApiKeyChanged => Group::Account,
            Self::Test => return None,
        })
    }

    /// Returns whether a preference for this kind and channel cannot be switched off.
    pub const fn is_locked(self, channel: Channel) -> bool {
        let rule = self.rule();
        rule.locked
            && match channel {
                Channel::InApp => true,
                Channel::Email => rule.email_default,
            }
    }

    /// Returns whether members choose to get this kind by this channel. They request tests, so there is no
    /// choice for these.
    pub const fn is_optional(self, channel: Channel) -> bool {
        !self.is_locked(channel) && !matches!(self, Self::Test)
    }

    /// Returns whether alerts of this kind may go to addresses that belong to no member. Only alerts about the account's credits and money
    /// may. Readers there may be outside the team. They must learn nothing about its members, their sessions and its keys.
    pub const fn is_for_addresses(self) -> bool {
        matches!(self, Self::AccountFrozen | Self::AccountUnfrozen)
            || matches!(self.group(), Some(Group::Balance | Group::TopUps))
    }

    /// Returns whether mail of this kind is urgent: critical alerts, and tests, which must show how mail is delivered. Urgent mail
    /// also goes to unverified or bouncing addresses. It ignores quiet hours and is not combined with other mail.
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Test) || matches!(self.rule().severity, Severity::Critical)
    }

    /// Returns whether members get this kind by this channel by default.
    pub const fn is_on_by_default(self, channel: Channel) -> bool {
        match channel {
            Channel::InApp => true,
            Channel::Email => self.rule().email_default,
        }
    }
}

/// The group of kinds in settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Available credits.
    Balance,
    /// Purchases, cards and auto top-up.
    TopUps,
    /// Booked uses of credits.
    Sessions,
    /// The account as a whole, and the contacts of members.
    Account,
}

impl Group {
    /// All groups, in the order of settings.
    pub const ALL: [Self; 4] = [Self::Balance, Self::TopUps, Self::Sessions, Self::Account];

    /// Returns the English name of the group.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Balance => "Balance",
            Self::TopUps => "Top-ups and cards",
            Self::Sessions => "Sessions",
            Self::Account => "Account and contact",
        }
    }
}

impl Channel {
    /// Returns the English name of the channel, which follows the name of a kind.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Email => "by e-mail",
            Self::InApp => "in the app",
        }
    }
}

impl Rule {
    /// Returns a rule for owners and admins. Critical kinds are locked.
    const fn for_admins(severity: Severity, email_default: bool, next_step: NextStep) -> Self {
        Self {
            severity,
            locked: matches!(severity, Severity::Critical),
            in_app: Audience::Admins,
            email: Audience::Admins,
            email_default,
            next_step,
        }
    }

    /// Returns a rule for information about one member.
    const fn for_subject(next_step: NextStep) -> Self {
        Self {
            severity: Severity::Info,
            locked: false,
            in_app: Audience::Subject,
            email: Audience::Subject,
            email_default: false,
            next_step,
        }
    }

    const fn shown_to(mut self, in_app: Audience) -> Self {
        self.in_app = in_app;
        self
    }

    /// Returns the members that the kind is for, by this channel.
    pub const fn audience(self, channel: Channel) -> Audience {
        match channel {
            Channel::InApp => self.in_app,
            Channel::Email => self.email,
        }
    }
}
