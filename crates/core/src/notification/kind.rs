//! The kinds of alerts, and everything that is fixed about each.

use Severity::{Critical, Info, Warning};

use crate::primitives::actor::Permission;

/// Declares the kinds of alerts, each with everything that is fixed about it.
macro_rules! alert_kinds {
    ($(
        $(#[$doc:meta])* $kind:ident = $name:literal {
            label: $label:literal,
            description: $description:literal,
            group: $group:expr,
            span: $span:ident,
            pace: $pace:ident,
            rule: $rule:expr,
        }
    )+) => {
        crate::text_enum! {
            /// The kind of an alert.
            AlertKind { $($(#[$doc])* $kind = $name,)+ }
        }

        impl AlertKind {
            /// Returns the rule of this kind.
            pub const fn rule(self) -> Rule {
                match self { $(Self::$kind => $rule,)+ }
            }

            /// Returns the English name of the kind.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$kind => $label,)+ }
            }

            /// Returns an English description of the kind.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$kind => $description,)+ }
            }

            /// Returns the group in settings. `None` for tests, which have no preference.
            pub const fn group(self) -> Option<Group> {
                match self { $(Self::$kind => $group,)+ }
            }

            /// Returns how often mail of this kind is sent to a member.
            pub const fn pace(self) -> Pace {
                match self { $(Self::$kind => Pace::$pace,)+ }
            }

            const fn span(self) -> Span {
                match self { $(Self::$kind => Span::$span,)+ }
            }
        }
    };
}

/// How long an alert is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    /// Never: it is about something that happened once.
    Fact,
    /// As long as a condition of one entry, session, top-up, contact or balance lasts.
    Condition,
    /// As long as a condition of the rule, its card, the credits as a whole or a webhook endpoint lasts. An evaluation of the account ends it.
    Standing,
}

alert_kinds! {
    /// Available credits are at or below the member's own threshold.
    LowBalance = "LOW_BALANCE" {
        label: "Low balance",
        description: "Available credits are at or below your threshold.",
        group: Some(Group::Balance),
        span: Condition,
        pace: Swinging,
        rule: Rule::for_admins(Warning, true, NextStep::TopUp),
    }
    /// No credits are available.
    BalanceDepleted = "BALANCE_DEPLETED" {
        label: "Out of credits",
        description: "No credits are available, so no sessions can be booked.",
        group: Some(Group::Balance),
        span: Condition,
        pace: Swinging,
        rule: Rule::for_admins(Critical, true, NextStep::TopUp).shown_to(Audience::Everybody),
    }
    /// Enough is available again after one of the two kinds above.
    BalanceRecovered = "BALANCE_RECOVERED" {
        label: "Enough credits again",
        description: "Credits are available again after a low balance.",
        group: Some(Group::Balance),
        span: Fact,
        pace: Swinging,
        rule: Rule::for_admins(Info, false, NextStep::None),
    }
    /// A top-up was paid and credited.
    TopUpSucceeded = "TOP_UP_SUCCEEDED" {
        label: "Top-up succeeded",
        description: "A top-up was paid and its credits were added.",
        group: Some(Group::TopUps),
        span: Fact,
        pace: Each,
        rule: Rule::for_admins(Info, false, NextStep::ViewCreditLog),
    }
    /// A top-up was declined.
    TopUpFailed = "TOP_UP_FAILED" {
        label: "Top-up failed",
        description: "A top-up could not be charged.",
        group: Some(Group::TopUps),
        span: Condition,
        pace: Each,
        rule: Rule::for_admins(Critical, true, NextStep::RetryTopUp),
    }
    /// The bank requires the customer to authenticate.
    TopUpActionRequired = "TOP_UP_ACTION_REQUIRED" {
        label: "Top-up needs confirmation",
        description: "The bank requires the confirmation of a payment.",
        group: Some(Group::TopUps),
        span: Condition,
        pace: Each,
        rule: Rule::for_admins(Critical, true, NextStep::Authenticate),
    }
    /// The money of a top-up was returned, or is disputed: see [`Reversal`].
    TopUpReversed = "TOP_UP_REVERSED" {
        label: "Top-up refunded or disputed",
        description: "A top-up was refunded, or its payment is disputed.",
        group: Some(Group::TopUps),
        span: Fact,
        pace: Each,
        rule: Rule::for_admins(Critical, true, NextStep::ViewCreditLog),
    }
    /// Auto top-up was paused automatically.
    AutoTopUpPaused = "AUTO_TOP_UP_PAUSED" {
        label: "Auto top-up paused",
        description: "Automatic top-ups have paused.",
        group: Some(Group::TopUps),
        span: Standing,
        pace: Each,
        rule: Rule::for_admins(Critical, true, NextStep::UpdatePaymentMethod),
    }
    /// Auto top-up would exceed its cap or a ceiling.
    CapReached = "CAP_REACHED" {
        label: "Monthly cap reached",
        description: "Automatic top-ups have reached a limit.",
        group: Some(Group::TopUps),
        span: Standing,
        pace: Each,
        rule: Rule::for_admins(Warning, true, NextStep::RaiseCap),
    }
    /// Credits are about to expire.
    CreditsExpiring = "CREDITS_EXPIRING" {
        label: "Credits about to expire",
        description: "Credits expire soon.",
        group: Some(Group::Balance),
        span: Standing,
        pace: Gathered,
        rule: Rule::for_admins(Warning, true, NextStep::ViewCreditLog),
    }
    /// The default card is about to expire.
    CardExpiring = "CARD_EXPIRING" {
        label: "Card about to expire",
        description: "The default card expires soon.",
        group: Some(Group::TopUps),
        span: Standing,
        pace: Each,
        rule: Rule::for_admins(Warning, true, NextStep::UpdatePaymentMethod),
    }
    /// Credits were deducted for a session.
    SessionCharged = "SESSION_CHARGED" {
        label: "Session charged",
        description: "Credits were deducted for one of your sessions.",
        group: Some(Group::Sessions),
        span: Fact,
        pace: Each,
        rule: Rule::for_subject(NextStep::ViewCreditLog),
    }
    /// Credits were returned for a session.
    SessionRefunded = "SESSION_REFUNDED" {
        label: "Session refunded",
        description: "Credits of one of your sessions were refunded.",
        group: Some(Group::Sessions),
        span: Fact,
        pace: Each,
        rule: Rule::for_subject(NextStep::ViewCreditLog),
    }
    /// A session was not resolved in time, and its hold was released.
    SessionUnresolved = "SESSION_UNRESOLVED" {
        label: "Session not resolved",
        description: "A session was not resolved in time, and its hold was released.",
        group: Some(Group::Sessions),
        span: Condition,
        pace: Each,
        rule: Rule::for_admins(Warning, true, NextStep::None),
    }
    /// The account was frozen.
    AccountFrozen = "ACCOUNT_FROZEN" {
        label: "Account frozen",
        description: "The account was frozen: it accepts no new bookings or top-ups.",
        group: Some(Group::Account),
        span: Condition,
        pace: Each,
        rule: Rule::for_admins(Critical, true, NextStep::None).shown_to(Audience::Everybody),
    }
    /// The account is active again.
    AccountUnfrozen = "ACCOUNT_UNFROZEN" {
        label: "Account active again",
        description: "The account is active again after a freeze.",
        group: Some(Group::Account),
        span: Fact,
        pace: Each,
        rule: Rule::for_admins(Info, false, NextStep::None).shown_to(Audience::Everybody),
    }
    /// Mail to a member bounces.
    ContactBouncing = "CONTACT_BOUNCING" {
        label: "Mail bounces",
        description: "Mail to a member of the team bounces.",
        group: Some(Group::Account),
        span: Condition,
        pace: Each,
        rule: Rule::for_admins(Critical, false, NextStep::UpdateContact).shown_to(Audience::SubjectAndAdmins),
    }
    /// An API key of the team was created or revoked.
    ApiKeyChanged = "API_KEY_CHANGED" {
        label: "API key created or revoked",
        description: "An API key of the team was created, changed or revoked.",
        group: Some(Group::Account),
        span: Fact,
        pace: Each,
        rule: Rule::for_admins(Warning, true, NextStep::ReviewApiKeys).for_owners(),
    }
    /// A webhook endpoint was disabled, because it answered 410 or failed for days.
    WebhookEndpointDisabled = "WEBHOOK_ENDPOINT_DISABLED" {
        label: "Webhook endpoint disabled",
        description: "A webhook endpoint of the team failed for days or is gone, and gets nothing anymore.",
        group: Some(Group::Account),
        span: Standing,
        pace: Gathered,
        rule: Rule::for_admins(Warning, true, NextStep::ReviewWebhookEndpoints),
    }
    /// A member requested a test of alerts.
    Test = "TEST" {
        label: "Test",
        description: "A test of whether alerts arrive.",
        group: None,
        span: Fact,
        pace: Each,
        rule: Rule::for_subject(NextStep::None),
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
        /// Review the team's webhook endpoints: enable or delete them.
        ReviewWebhookEndpoints = "REVIEW_WEBHOOK_ENDPOINTS",
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
            Self::ReviewWebhookEndpoints => Some(Permission::ManageSettings),
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
    /// Returns whether alerts of this kind describe a condition that lasts and ends. The others are facts, which are
    /// never open.
    pub const fn is_condition(self) -> bool {
        !matches!(self.span(), Span::Fact)
    }

    /// Returns whether an open alert of this kind may be about the account's rule, its card, its credits as a whole or a webhook endpoint,
    /// and not about one entry, session or top-up. An evaluation of the account ends it.
    pub const fn is_standing(self) -> bool {
        matches!(self.span(), Span::Standing)
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

    const fn for_owners(mut self) -> Self {
        (self.in_app, self.email) = (Audience::Owners, Audience::Owners);
        self
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
