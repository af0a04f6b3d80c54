//! The auto top-up rule of an account, and its decisions.

use async_graphql::{Context, Enum, ID, Object};

use super::TopUp;
use super::payment_method::PaymentMethod;
use crate::domain::top_up::AutoTopUpView;
use crate::domain::top_up::model::{self, StoredDecision};
use crate::graphql::by_id::find;
use crate::graphql::connection::{PageArguments, connection};
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::ledger::Actor;
use crate::graphql::member::Money;
use crate::graphql::viewer::in_language;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::{GlobalId, IdKind};
use crate::primitives::money;

/// Whether the rule starts top-ups.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::AutoTopUpState")]
pub(crate) enum AutoTopUpState {
    /// The rule is disabled.
    Off,
    /// The rule is enabled and starts top-ups.
    Active,
    /// The rule is enabled, but starts no top-ups until a person fixes the cause.
    Paused,
}

/// Why the rule is paused. `ACCOUNT_FROZEN` is shown while the account is frozen; a stored pause is shown again after that.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::ShownPauseReason")]
pub(crate) enum AutoTopUpPauseReason {
    /// Declined three times in a row.
    RepeatedDeclines,
    /// Declined for a reason that is permanent.
    CardRefused,
    /// The bank requires the cardholder to authenticate.
    AuthenticationRequired,
    /// Money of a top-up was returned or is disputed. Only resumeAutoTopUp ends this pause.
    TopUpReversed,
    /// One amount costs less than the payment gateway charges.
    AmountInvalid,
    /// One amount costs more than the consent covers.
    ConsentNeeded,
    /// The account is frozen or closed.
    AccountFrozen,
    /// There is no card to charge.
    PaymentMethodMissing,
    /// The rule's card is expired.
    PaymentMethodExpired,
    /// The rule's card was declined so often in 30 days that it is not charged again.
    TooManyDeclines,
}

/// The result of an evaluation of the rule.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::DecisionOutcome")]
pub(crate) enum TopUpDecisionOutcome {
    /// A top-up was started.
    Triggered,
    /// A booking was refused because of missing credits, but the available credits are above the trigger.
    AboveTrigger,
    /// A top-up is already in progress.
    TopUpOpen,
    /// A top-up has just succeeded.
    CoolingDown,
    /// The bank has just declined the card: the charge is retried later.
    RecentlyDeclined,
    /// The monthly cap does not allow another amount.
    CapReached,
    /// The operator's daily limits do not allow another amount.
    CeilingReached,
    /// One amount costs less than the payment gateway charges.
    AmountInvalid,
    /// One amount costs more than the consent covers.
    ConsentNeeded,
    /// The rule is paused.
    Paused,
    /// There is no card to charge.
    NoPaymentMethod,
    /// The account is frozen or closed.
    AccountFrozen,
    /// The rule is disabled.
    Off,
}

#[derive(Clone, Debug)]
pub(crate) struct AutoTopUp(AutoTopUpView);

impl AutoTopUp {
    pub(in crate::graphql) fn new(view: AutoTopUpView) -> Self {
        Self(view)
    }
}

/// The rule by which the account buys credits automatically.
#[Object]
impl AutoTopUp {
    /// Opaque id, for `node`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(GlobalId::new(
            IdKind::AutoTopUp,
            self.0.rule.account_id,
            uuid::Uuid::nil(),
        ))
    }

    /// Whether the rule is enabled.
    async fn enabled(&self) -> bool {
        self.0.rule.is_enabled
    }

    /// Whether the rule starts top-ups.
    async fn state(&self) -> AutoTopUpState {
        self.0.state.into()
    }

    /// Why the rule is paused although it is enabled.
    async fn pause_reason(&self) -> Option<AutoTopUpPauseReason> {
        self.0.pause_reason.map(Into::into)
    }

    /// A top-up starts when available credits are at or below this.
    async fn trigger(&self) -> Option<Credits> {
        self.0.rule.trigger
    }

    /// The credits of one amount. One charge buys as many amounts as are needed to end above the trigger.
    async fn amount(&self) -> Option<Credits> {
        self.0.rule.amount
    }

    /// The maximum money charged automatically per calendar month in the account's time zone. Null: no cap.
    async fn monthly_cap(&self) -> Option<Money> {
        let currency = self.0.spent.currency;
        let cap = self.0.rule.monthly_cap_minor;
        cap.map(|minor| money::Money { minor, currency }.into())
    }

    /// The used part of the cap: charged automatically this month, or being charged.
    async fn spent_this_month(&self) -> Money {
        self.0.spent.into()
    }

    /// When the month ends and the cap starts again.
    async fn cap_resets_at(&self) -> Option<Timestamp> {
        Some(self.0.cap_resets_at)
    }

    /// The card that it charges.
    async fn payment_method(&self, ctx: &Context<'_>) -> Nullable<PaymentMethod> {
        find(ctx, self.0.rule.account_id, self.0.rule.payment_method_id?).await
    }

    /// Who consented to the charges.
    async fn consented_by(&self) -> Option<Actor> {
        let consent = self.0.rule.consent.as_ref()?;
        Some(Actor::new(self.0.rule.account_id, consent.by))
    }

    /// When the consent was given.
    async fn consented_at(&self) -> Option<Timestamp> {
        self.0.rule.consent.as_ref().map(|consent| consent.at)
    }

    /// Why a top-up was or was not started, newest first.
    async fn decisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many to return, at most 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same list.")] after: Option<String>,
    ) -> Nullable<TopUpDecisionConnection> {
        nullable(async {
            let scope = scope(ctx)?;
            let account_id = self.0.rule.account_id;
            let list = CursorScope::of(&["top_up_decisions", &account_id.number().to_string()]);
            let request = PageArguments::forward(first, after).request(list)?;
            let rules = &scope.services.auto_top_ups;
            let page = rules.decisions(scope.actor(), account_id, &request).await?;
            let page = request.relay(page.map(TopUpDecision::new));
            Ok(Some(TopUpDecisionConnection::new(page)))
        })
        .await
    }

    /// Increases with every change of its settings or its pause; for expectedVersion.
    async fn version(&self) -> i32 {
        self.0.rule.version
    }
}

#[derive(Clone, Debug)]
pub(crate) struct TopUpDecision(StoredDecision);

impl TopUpDecision {
    pub(in crate::graphql) fn new(decision: StoredDecision) -> Self {
        Self(decision)
    }
}

/// The result of one evaluation of the rule. Consecutive evaluations with the same negative result are stored once.
#[Object]
impl TopUpDecision {
    /// Opaque id, for `node`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// When it was last made.
    async fn decided_at(&self) -> Timestamp {
        self.0.decided_at
    }

    /// The result.
    async fn outcome(&self) -> TopUpDecisionOutcome {
        self.0.outcome.into()
    }

    /// The available credits at that time.
    async fn available(&self) -> Credits {
        self.0.available
    }

    /// The trigger at that time.
    async fn trigger(&self) -> Option<Credits> {
        self.0.trigger
    }

    /// The reason: human-readable, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn message(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        scope(ctx)?.in_words(&self.0.message).await
    }

    /// The top-up that was started.
    async fn top_up(&self, ctx: &Context<'_>) -> Nullable<TopUp> {
        find(ctx, self.0.account_id, self.0.top_up_id?).await
    }
}

connection! {
    /// A page of decisions.
    TopUpDecisionConnection, TopUpDecisionEdge of TopUpDecision
}
