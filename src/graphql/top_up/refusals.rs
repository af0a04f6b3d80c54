//! Refusals about top-ups, cards and the rule as data: see [`crate::graphql::refusals`].

use crate::domain::fault::{Refused, UseCaseError};
use crate::domain::ledger::model::{AccountStatus, Refusal};
use crate::domain::top_up::{AutoTopUpRefusal, PaymentMethodRefusal, TopUpRefusal};
use crate::graphql::context::Scope;
use crate::graphql::refusals::{Failure, Present, UserErrorCode as Code};
use crate::primitives::actor::Actor;
use crate::primitives::ids::AccountId;

impl From<TopUpRefusal> for Failure {
    fn from(error: TopUpRefusal) -> Self {
        let words = error.to_string();
        let refused = |code, field| Failure::new(code, field, words.clone());
        match error {
            TopUpRefusal::NotFound => refused(Code::NotFound, Some("topUpId")),
            TopUpRefusal::MemberNotFound => refused(Code::NotFound, Some("actingMemberId")),
            TopUpRefusal::MemberRemoved => refused(Code::MemberRemoved, Some("actingMemberId")),
            TopUpRefusal::CardNotFound => refused(Code::NotFound, Some("paymentMethodId")),
            TopUpRefusal::IdempotencyKey(refusal) => refusal.into(),
            TopUpRefusal::Halted { status, reason } => halted(status, reason),
            TopUpRefusal::InProgress(top_up) => refused(Code::TopUpInProgress, None).with(Present::TopUp(top_up)),
            TopUpRefusal::Over(top_up) => {
                let words = TopUpRefusal::words_for(top_up.status);
                Failure::new(Code::TopUpNotRetryable, None, words).with(Present::TopUp(top_up))
            }
            TopUpRefusal::TooManyDeclines(top_up) => {
                let failure = refused(Code::TopUpNotRetryable, Some("paymentMethodId"));
                match top_up {
                    Some(top_up) => failure.with(Present::TopUp(top_up)),
                    None => failure,
                }
            }
            TopUpRefusal::CardMissing => refused(Code::PaymentMethodMissing, None),
            TopUpRefusal::CardSuspended => refused(Code::PaymentMethodSuspended, Some("paymentMethodId")),
            TopUpRefusal::NotCancelable(top_up) => refused(Code::TopUpNotCancelable, None).with(Present::TopUp(top_up)),
            TopUpRefusal::RefundExceeds { .. } | TopUpRefusal::RefundExceedsUnspent { .. } => {
                refused(Code::RefundExceedsCharge, Some("credits"))
            }
        }
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

impl From<PaymentMethodRefusal> for Failure {
    fn from(error: PaymentMethodRefusal) -> Self {
        let words = error.to_string();
        let refused = |code, field| Self::new(code, field, words.clone());
        match error {
            PaymentMethodRefusal::NotFound => refused(Code::NotFound, Some("paymentMethodId")),
            PaymentMethodRefusal::Closed => refused(Code::AccountClosed, None),
            PaymentMethodRefusal::InUse => refused(Code::TopUpInProgress, Some("paymentMethodId")),
            PaymentMethodRefusal::TooMany => Self::invalid("gatewayToken", words),
            PaymentMethodRefusal::TooManyTried => refused(Code::PaymentMethodTrialsExceeded, None),
            PaymentMethodRefusal::Refused => refused(Code::PaymentMethodRefused, Some("gatewayToken")),
            PaymentMethodRefusal::GatewayUnavailable => refused(Code::GatewayUnavailable, None),
        }
    }
}

/// Converts the error of a rule that is not changed. A conflict also contains the current rule.
pub(super) async fn auto_top_up_failure(
    scope: &Scope,
    account_id: AccountId,
    error: UseCaseError<AutoTopUpRefusal>,
) -> Failure {
    let is_conflict = matches!(error, Refused(AutoTopUpRefusal::VersionConflict(_)));
    let failure = Failure::from(error);
    if !is_conflict {
        return failure;
    }
    // Every caller that may change the rule may see it.
    match scope.services.auto_top_ups.view(&Actor::System, account_id).await {
        Ok(view) => failure.with(Present::AutoTopUp(Box::new(view))),
        Err(error) => error.into(),
    }
}

impl From<AutoTopUpRefusal> for Failure {
    fn from(error: AutoTopUpRefusal) -> Self {
        let words = error.to_string();
        let refused = |code, field| Failure::new(code, field, words.clone());
        match error {
            AutoTopUpRefusal::VersionConflict(_) => refused(Code::VersionConflict, Some("expectedVersion")),
            AutoTopUpRefusal::MemberNotFound => refused(Code::NotFound, Some("actingMemberId")),
            AutoTopUpRefusal::MemberRemoved => refused(Code::MemberRemoved, Some("actingMemberId")),
            AutoTopUpRefusal::Closed => refused(Code::AccountClosed, None),
            AutoTopUpRefusal::CardNotFound => refused(Code::NotFound, Some("paymentMethodId")),
            AutoTopUpRefusal::CardMissing => refused(Code::PaymentMethodMissing, Some("paymentMethodId")),
            AutoTopUpRefusal::CardSuspended => refused(Code::PaymentMethodSuspended, Some("paymentMethodId")),
            AutoTopUpRefusal::ConsentRequired => refused(Code::ConsentRequired, Some("consent")),
            AutoTopUpRefusal::CapTooLow => refused(Code::CapTooLow, Some("monthlyCap")),
        }
    }
}
