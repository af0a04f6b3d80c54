//! Tries at charging, and why they failed.

use async_graphql::{ComplexObject, Context, Enum, ID, Object, SimpleObject};

use super::payment_method::PaymentMethod;
use crate::domain::top_up::model::{self, Attempt};
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::ledger::Actor;
use crate::graphql::viewer::in_language;
use crate::primitives::clock::Timestamp;

/// What came of an attempt.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::AttemptOutcome")]
pub(crate) enum TopUpAttemptOutcome {
    /// Not over: it waits for its turn, or is being charged.
    Pending,
    /// Paid.
    Succeeded,
    /// The bank said no.
    Declined,
    /// The bank wants the cardholder to authenticate.
    RequiresAction,
    /// Ended without a charge and without a decline.
    Error,
    /// The gateway did not answer; the charge may have happened and is being looked up. Never retried with a new key.
    Unknown,
}

/// Why an attempt failed.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::FailureCode")]
pub(crate) enum TopUpFailureCode {
    /// The card's account holds too little.
    InsufficientFunds,
    /// The bank said no and did not say why.
    CardDeclined,
    /// The card is past its date.
    CardExpired,
    /// Lost, stolen, closed, or refused for good.
    CardBlocked,
    /// The bank wants the cardholder to authenticate.
    AuthenticationRequired,
    /// There was no card to charge.
    PaymentMethodMissing,
    /// The payment service did not answer in time; nothing was charged.
    GatewayUnavailable,
    /// The payment service does not charge such an amount.
    AmountInvalid,
    /// The monthly cap left no room.
    CapReached,
    /// Nobody knows yet whether the card was charged.
    UnknownOutcome,
}

/// Who can mend it.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::FixBy")]
pub(crate) enum FixBy {
    /// The customer.
    Customer,
    /// The customer's bank.
    Bank,
    /// Whoever runs this service.
    Platform,
}

/// What to do next.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::NextStep")]
pub(crate) enum NextStep {
    /// Put money on the card's account, then retryTopUp.
    AddFundsThenRetry,
    /// Ask the bank, then retryTopUp.
    ContactBankThenRetry,
    /// addPaymentMethod, then retryTopUp with it.
    UpdatePaymentMethod,
    /// Finish authentication at actionUrl.
    Authenticate,
    /// retryTopUp: nothing else is needed first.
    Retry,
    /// Wait: it is being seen to.
    Wait,
    /// Raise the monthly cap.
    RaiseCap,
    /// Nothing.
    None,
}

/// Why a top-up failed, in words for people.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub(crate) struct TopUpFailure {
    /// What kind of failure, for programs.
    code: TopUpFailureCode,
    /// In English.
    #[graphql(skip)]
    message: &'static str,
    /// Whether retrying the same card may help.
    retryable: bool,
    /// Who can mend it.
    fix_by: FixBy,
    /// What to do next.
    next_step: NextStep,
    /// Where to finish authentication, while `REQUIRES_ACTION`.
    action_url: Option<String>,
}

#[ComplexObject]
impl TopUpFailure {
    /// What was wrong and what to do, in words for people, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn message(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        scope(ctx)?.in_words(self.message).await
    }
}

impl TopUpFailure {
    pub(super) fn new(code: model::FailureCode, explained: model::Explanation, action_url: Option<String>) -> Self {
        Self {
            code: code.into(),
            message: explained.message,
            retryable: explained.retryable,
            fix_by: explained.fix_by.into(),
            next_step: explained.next_step.into(),
            action_url,
        }
    }
}

/// One try at charging for a top-up.
#[derive(Clone, Debug)]
pub(crate) struct TopUpAttempt(Attempt);

impl TopUpAttempt {
    pub(in crate::graphql) fn new(attempt: Attempt) -> Self {
        Self(attempt)
    }
}

/// One try at charging for a top-up.
#[Object]
impl TopUpAttempt {
    /// Opaque id, for `node`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// 1, 2, 3 … within its top-up.
    async fn number(&self) -> i32 {
        self.0.number
    }

    /// What came of it.
    async fn outcome(&self) -> TopUpAttemptOutcome {
        self.0.outcome.into()
    }

    /// Why it failed. Null unless it did.
    async fn failure_code(&self) -> Option<TopUpFailureCode> {
        self.0.failure_code.map(Into::into)
    }

    /// The card, also when it was taken away since.
    async fn payment_method(&self, ctx: &Context<'_>) -> Option<Result<PaymentMethod, ApiError>> {
        nullable(async {
            let loaders = &scope(ctx)?.loaders;
            let method = loaders
                .payment_method(self.0.account_id, self.0.payment_method_id)
                .await?;
            Ok(method.map(PaymentMethod::new))
        })
        .await
    }

    /// What the payment gateway calls the charge: for whoever looks it up there.
    async fn gateway_reference(&self) -> Option<&str> {
        self.0.object_id.as_deref()
    }

    /// When it was asked for.
    async fn started_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it was over.
    async fn finished_at(&self) -> Option<Timestamp> {
        self.0.finished_at
    }

    /// Who asked for it; Ledgerbell for automatic ones.
    async fn actor(&self) -> Actor {
        Actor::new(self.0.account_id, self.0.actor)
    }
}
