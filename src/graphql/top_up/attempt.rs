//! Attempts at charging, and why they failed.

use async_graphql::{ComplexObject, Context, Enum, ID, Object, SimpleObject};

use super::payment_method::PaymentMethod;
use crate::domain::top_up::model::{self, Attempt};
use crate::graphql::by_id::find;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, Nullable};
use crate::graphql::ledger::Actor;
use crate::graphql::viewer::in_language;
use crate::primitives::clock::Timestamp;

/// The outcome of an attempt.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::AttemptOutcome")]
pub(crate) enum TopUpAttemptOutcome {
    /// Not finished: it waits or is being charged.
    Pending,
    /// Paid.
    Succeeded,
    /// The bank declined.
    Declined,
    /// The bank requires the cardholder to authenticate.
    RequiresAction,
    /// Ended without a charge and without a decline.
    Error,
    /// The gateway did not respond. The card may have been charged, which is being checked. Never retried with a new key.
    Unknown,
}

/// Why an attempt failed.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::FailureCode")]
pub(crate) enum TopUpFailureCode {
    /// The card's account has too little money.
    InsufficientFunds,
    /// The bank declined without a reason.
    CardDeclined,
    /// The card is expired.
    CardExpired,
    /// The card is lost, stolen, closed or permanently refused.
    CardBlocked,
    /// The bank requires the cardholder to authenticate.
    AuthenticationRequired,
    /// There was no card to charge.
    PaymentMethodMissing,
    /// The payment gateway did not respond in time; nothing was charged.
    GatewayUnavailable,
    /// The payment gateway does not charge this amount.
    AmountInvalid,
    /// The monthly cap is reached.
    CapReached,
    /// It is not known yet whether the card was charged.
    UnknownOutcome,
}

/// Who can fix a failure.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::FixBy")]
pub(crate) enum FixBy {
    /// The customer.
    Customer,
    /// The customer's bank.
    Bank,
    /// The operator of this service.
    Platform,
}

/// What to do next.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::NextStep")]
pub(crate) enum NextStep {
    /// Add money to the card's account, then call retryTopUp.
    AddFundsThenRetry,
    /// Ask the bank, then call retryTopUp.
    ContactBankThenRetry,
    /// Call addPaymentMethod, then retryTopUp with the new payment method.
    UpdatePaymentMethod,
    /// Finish authentication at actionUrl.
    Authenticate,
    /// Call retryTopUp: nothing else is needed first.
    Retry,
    /// Wait: Ledgerbell or its operator is working on it.
    Wait,
    /// Raise the monthly cap.
    RaiseCap,
    /// Nothing.
    None,
}

/// A human-readable explanation of why a top-up failed.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub(crate) struct TopUpFailure {
    /// The kind of failure, for programs.
    code: TopUpFailureCode,
    /// The text in English.
    #[graphql(skip)]
    message: &'static str,
    /// Whether a retry with the same card can succeed.
    retryable: bool,
    /// Who can fix it.
    fix_by: FixBy,
    /// What to do next.
    next_step: NextStep,
    /// Where to finish authentication, while `REQUIRES_ACTION`.
    action_url: Option<String>,
}

#[ComplexObject]
impl TopUpFailure {
    /// What went wrong and what to do: human-readable, in the viewer's language.
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

#[derive(Clone, Debug)]
pub(crate) struct TopUpAttempt(Attempt);

impl TopUpAttempt {
    pub(in crate::graphql) fn new(attempt: Attempt) -> Self {
        Self(attempt)
    }
}

/// One attempt to charge for a top-up.
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

    /// The outcome of the attempt.
    async fn outcome(&self) -> TopUpAttemptOutcome {
        self.0.outcome.into()
    }

    /// Why it failed. Null unless it failed.
    async fn failure_code(&self) -> Option<TopUpFailureCode> {
        self.0.failure_code.map(Into::into)
    }

    /// The card, also when it was removed since.
    async fn payment_method(&self, ctx: &Context<'_>) -> Nullable<PaymentMethod> {
        find(ctx, self.0.account_id, self.0.payment_method_id).await
    }

    /// The payment gateway's id of the charge, to find it there.
    async fn gateway_reference(&self) -> Option<&str> {
        self.0.object_id.as_deref()
    }

    /// When it was requested.
    async fn started_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it finished.
    async fn finished_at(&self) -> Option<Timestamp> {
        self.0.finished_at
    }

    /// Who requested it; Ledgerbell for automatic attempts.
    async fn actor(&self) -> Actor {
        Actor::new(self.0.account_id, self.0.actor)
    }
}
