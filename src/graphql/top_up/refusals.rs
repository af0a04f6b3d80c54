//! Refusals about top-ups, cards and the rule as data: see [`crate::graphql::refusals`].

use crate::domain::ledger::model::{AccountStatus, Refusal};
use crate::domain::top_up::{AutoTopUpError, PaymentMethodError, TopUpError};
use crate::graphql::context::Scope;
use crate::graphql::refusals::{Failure, Present, UserErrorCode as Code};
use crate::primitives::actor::Actor;
use crate::primitives::ids::AccountId;

/// Converts the error of a top-up that is not started, retried, canceled or refunded.
pub(super) fn top_up_failure(error: TopUpError) -> Failure {
    let words = error.to_string();
    let refused = |code, field| Failure::new(code, field, words.clone());
    match error {
        TopUpError::Access(error) => error.into(),
        TopUpError::NotFound => refused(Code::NotFound, Some("topUpId")),
        TopUpError::MemberNotFound => refused(Code::NotFound, Some("actingMemberId")),
        TopUpError::MemberRemoved => refused(Code::MemberRemoved, Some("actingMemberId")),
        TopUpError::CardNotFound => refused(Code::NotFound, Some("paymentMethodId")),
        TopUpError::IdempotencyKeyReused => refused(Code::IdempotencyKeyReused, Some("idempotencyKey")),
        TopUpError::Invalid { field, message } => Failure::invalid(field, message),
        TopUpError::Halted { status, reason } => halted(status, reason),
        TopUpError::InProgress(top_up) => refused(Code::TopUpInProgress, None).with(Present::TopUp(top_up)),
        TopUpError::Over(top_up) => {
            let words = TopUpError::words_for(top_up.status);
            Failure::new(Code::TopUpNotRetryable, None, words).with(Present::TopUp(top_up))
        }
        TopUpError::TooManyDeclines(top_up) => {
            let failure = refused(Code::TopUpNotRetryable, Some("paymentMethodId"));
            match top_up {
                Some(top_up) => failure.with(Present::TopUp(top_up)),
                None => failure,
            }
        }
        TopUpError::CardMissing => refused(Code::PaymentMethodMissing, None),
        TopUpError::CardSuspended => refused(Code::PaymentMethodSuspended, Some("paymentMethodId")),
        TopUpError::NotCancelable(top_up) => refused(Code::TopUpNotCancelable, None).with(Present::TopUp(top_up)),
        TopUpError::RefundExceeds { .. } | TopUpError::RefundExceedsUnspent { .. } => {
            refused(Code::RefundExceedsCharge, Some("credits"))
        }
        TopUpError::Fault(fault) => fault.into(),
    }
}

fn halted(status: AccountStatus, reason: Option<String>) -> Failure {
    match status {
        AccountStatus::Closed => Failure::new(Code::AccountClosed, None, Refusal::AccountClosed.to_string()),
        AccountStatus::Frozen | AccountStatus::Active => {
            Failure::new(Code::AccountFrozen, None, Refusal::AccountFrozen { reason }.to_string())
        }
    }
}

impl From<PaymentMethodError> for Failure {
    fn from(error: PaymentMethodError) -> Self {
        let words = error.to_string();
        let refused = |code, field| Self::new(code, field, words.clone());
        match error {
            PaymentMethodError::Access(error) => error.into(),
            PaymentMethodError::NotFound => refused(Code::NotFound, Some("paymentMethodId")),
            PaymentMethodError::Invalid { field, message } => Self::invalid(field, message),
            PaymentMethodError::Closed => refused(Code::AccountClosed, None),
            PaymentMethodError::InUse => refused(Code::TopUpInProgress, Some("paymentMethodId")),
            PaymentMethodError::TooMany => Self::invalid("gatewayToken", words),
            PaymentMethodError::TooManyTried => refused(Code::PaymentMethodTrialsExceeded, None),
            PaymentMethodError::Refused => refused(Code::PaymentMethodRefused, Some("gatewayToken")),
            PaymentMethodError::GatewayUnavailable => refused(Code::GatewayUnavailable, None),
            PaymentMethodError::Fault(fault) => fault.into(),
        }
    }
}

/// Converts the error of a rule that is not changed. A conflict also contains the current rule.
pub(super) async fn auto_top_up_failure(scope: &Scope, account_id: AccountId, error: AutoTopUpError) -> Failure {
    let words = error.to_string();
    let refused = |code, field| Failure::new(code, field, words.clone());
    match error {
        AutoTopUpError::Access(error) => error.into(),
        AutoTopUpError::VersionConflict(_) => {
            let failure = refused(Code::VersionConflict, Some("expectedVersion"));
            // Every caller that may change the rule may see it.
            match scope.services.auto_top_ups.view(&Actor::System, account_id).await {
                Ok(view) => failure.with(Present::AutoTopUp(Box::new(view))),
                Err(error) => error.into(),
            }
        }
        AutoTopUpError::Invalid { field, message } => Failure::invalid(field, message),
        AutoTopUpError::MemberNotFound => refused(Code::NotFound, Some("actingMemberId")),
        AutoTopUpError::MemberRemoved => refused(Code::MemberRemoved, Some("actingMemberId")),
        AutoTopUpError::Closed => refused(Code::AccountClosed, None),
        AutoTopUpError::CardNotFound => refused(Code::NotFound, Some("paymentMethodId")),
        AutoTopUpError::CardMissing => refused(Code::PaymentMethodMissing, Some("paymentMethodId")),
        AutoTopUpError::CardSuspended => refused(Code::PaymentMethodSuspended, Some("paymentMethodId")),
        AutoTopUpError::ConsentRequired => refused(Code::ConsentRequired, Some("consent")),
        AutoTopUpError::CapTooLow => refused(Code::CapTooLow, Some("monthlyCap")),
        AutoTopUpError::Fault(fault) => fault.into(),
    }
}
