//! The account's rule for topping itself up, and what its evaluations came to.

use async_graphql::{Context, Enum, ID, Object};

use super::TopUp;
use super::payment_method::PaymentMethod;
use crate::domain::top_up::AutoTopUpView;
use crate::domain::top_up::model::{self, StoredDecision};
use crate::graphql::connection::{PageArguments, connection, relay};
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::ledger::Actor;
use crate::graphql::member::Money;
use crate::graphql::viewer::in_language;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::{GlobalId, IdKind};
use crate::primitives::money;

/// Whether the rule works.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::AutoTopUpState")]
pub(crate) enum AutoTopUpState {
    /// Switched off.
    Off,
    /// At work.
    Active,
    /// Switched on, and waiting for somebody to do something.
    Paused,
}

/// Why the rule is paused. `ACCOUNT_FROZEN` shows while the account is frozen; the stored pause comes back after it.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::ShownPauseReason")]
pub(crate) enum AutoTopUpPauseReason {
    /// Declined three times in a row.
    RepeatedDeclines,
    /// Declined for a reason that does not pass by itself.
    CardRefused,
    /// The bank wants the cardholder to authenticate.
    AuthenticationRequired,
    /// Money of a top-up went back or is disputed. Only resumeAutoTopUp ends this.
    TopUpReversed,
    /// One amount costs less than the payment service charges.
    AmountInvalid,
    /// One amount costs more than was consented to.
    ConsentNeeded,
    /// The account is frozen or closed.
    AccountFrozen,
    /// There is no card that could be charged.
    PaymentMethodMissing,
    /// The rule's card is past its date.
    PaymentMethodExpired,
    /// The rule's card was declined so often in 30 days that it is not tried again.
    TooManyDeclines,
}

/// What an evaluation of the rule came to.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::DecisionOutcome")]
pub(crate) enum TopUpDecisionOutcome {
    /// A top-up was started.
    Triggered,
    /// A booking was refused for want of credits, but what is available is above the trigger.
    AboveTrigger,
    /// A top-up is under way already.
    TopUpOpen,
    /// One has only just succeeded.
    CoolingDown,
    /// The bank has declined the card only just: it is tried again later.
    RecentlyDeclined,
    /// The monthly cap leaves no room for an amount.
    CapReached,
    /// The operator's ceilings for one day leave no room.
    CeilingReached,
    /// One amount costs less than the payment service charges.
    AmountInvalid,
    /// One amount costs more than was consented to.
    ConsentNeeded,
    /// The rule is paused.
    Paused,
    /// There is no card that could be charged.
    NoPaymentMethod,
    /// The account is frozen or closed.
    AccountFrozen,
    /// The rule is off.
    Off,
}

/// The rule by which the account tops itself up.
#[derive(Clone, Debug)]
pub(crate) struct AutoTopUp(AutoTopUpView);

impl AutoTopUp {
    pub(in crate::graphql) fn new(view: AutoTopUpView) -> Self {
        Self(view)
    }
}

/// The rule by which the account tops itself up.
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

    /// Whether it is switched on.
    async fn enabled(&self) -> bool {
        self.0.rule.is_enabled
    }

    /// Whether it works.
    async fn state(&self) -> AutoTopUpState {
        self.0.state.into()
    }

    /// Why it does not, though it is switched on.
    async fn pause_reason(&self) -> Option<AutoTopUpPauseReason> {
        self.0.pause_reason.map(Into::into)
    }

    /// Top up when available is at or below this.
    async fn trigger(&self) -> Option<Credits> {
        self.0.rule.trigger
    }

    /// Buy this much, as many times over as one charge needs to end above the trigger.
    async fn amount(&self) -> Option<Credits> {
        self.0.rule.amount
    }

    /// Most money charged automatically per calendar month in the account's time zone. Null: no cap.
    async fn monthly_cap(&self) -> Option<Money> {
        let currency = self.0.spent.currency;
        let cap = self.0.rule.monthly_cap_minor;
        cap.map(|minor| money::Money { minor, currency }.into())
    }

    /// What of the cap is used up: charged automatically this month, or being charged.
    async fn spent_this_month(&self) -> Money {
        self.0.spent.into()
    }

    /// When the month ends and the cap begins anew.
    async fn cap_resets_at(&self) -> Option<Timestamp> {
        Some(self.0.cap_resets_at)
    }

    /// The card that it charges.
    async fn payment_method(&self, ctx: &Context<'_>) -> Option<Result<PaymentMethod, ApiError>> {
        nullable(async {
            let Some(id) = self.0.rule.payment_method_id else {
                return Ok(None);
            };
            let method = scope(ctx)?.loaders.payment_method(self.0.rule.account_id, id).await?;
            Ok(method.map(PaymentMethod::new))
        })
        .await
    }

    /// Who consented to what it may take.
    async fn consented_by(&self) -> Option<Actor> {
        let consent = self.0.rule.consent.as_ref()?;
        Some(Actor::new(self.0.rule.account_id, consent.by))
    }

    /// When they did.
    async fn consented_at(&self) -> Option<Timestamp> {
        self.0.rule.consent.as_ref().map(|consent| consent.at)
    }

    /// Why a top-up was or was not started, newest first.
    async fn decisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same list.")] after: Option<String>,
    ) -> Option<Result<TopUpDecisionConnection, ApiError>> {
        nullable(async {
            let scope = scope(ctx)?;
            let account_id = self.0.rule.account_id;
            let place = CursorScope::of(&["top_up_decisions", &account_id.number().to_string()]);
            let request = PageArguments::forward(first, after).request(place)?;
            let rules = &scope.services.auto_top_ups;
            let page = rules.decisions(scope.actor(), account_id, &request).await?;
            let page = relay(page.map(TopUpDecision::new), place, false);
            Ok(Some(TopUpDecisionConnection::new(page)))
        })
        .await
    }

    /// Grows with every change of its settings or its pause; for expectedVersion.
    async fn version(&self) -> i32 {
        self.0.rule.version
    }
}

/// What one evaluation of the rule came to. One that comes to the same no again is kept once.
#[derive(Clone, Debug)]
pub(crate) struct TopUpDecision(StoredDecision);

impl TopUpDecision {
    pub(in crate::graphql) fn new(decision: StoredDecision) -> Self {
        Self(decision)
    }
}

/// What one evaluation of the rule came to. One that comes to the same no again is kept once.
#[Object]
impl TopUpDecision {
    /// Opaque id, for `node`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// When it was last come to.
    async fn decided_at(&self) -> Timestamp {
        self.0.decided_at
    }

    /// What it came to.
    async fn outcome(&self) -> TopUpDecisionOutcome {
        self.0.outcome.into()
    }

    /// What was available then.
    async fn available(&self) -> Credits {
        self.0.available
    }

    /// The trigger that was held against.
    async fn trigger(&self) -> Option<Credits> {
        self.0.trigger
    }

    /// The reason, in words for people, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn message(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        scope(ctx)?.in_words(&self.0.message).await
    }

    /// The top-up that was started.
    async fn top_up(&self, ctx: &Context<'_>) -> Option<Result<TopUp, ApiError>> {
        nullable(async {
            let Some(id) = self.0.top_up_id else {
                return Ok(None);
            };
            let top_up = scope(ctx)?.loaders.top_up(self.0.account_id, id).await?;
            Ok(top_up.map(TopUp::new))
        })
        .await
    }
}

connection! {
    /// A page of decisions.
    TopUpDecisionConnection, TopUpDecisionEdge of TopUpDecision
}
