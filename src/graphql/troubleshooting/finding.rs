//! Findings in the API.

use async_graphql::{Context, Enum, ID, Object};
use futures_util::future::join_all;

use super::remedy::Remedy;
use crate::domain::troubleshooting::{Explained, model};
use crate::graphql::context::scope;
use crate::graphql::errors::ApiError;
use crate::graphql::node::{Node, find};
use crate::graphql::notification::AlertSeverity;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// The three problems that people report.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::Symptom")]
pub(crate) enum Symptom {
    /// The credit balance does not increase after a top-up.
    TopUpFailed,
    /// Deductions do not show at once.
    DeductionNotShowing,
    /// Notifications are not received.
    NotificationNotReceived,
}

/// What is wrong.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::FindingCode")]
pub(crate) enum FindingCode {
    /// A top-up was not paid, and no later top-up was paid.
    TopUpFailed,
    /// The bank waits for the cardholder to confirm a payment.
    TopUpNeedsAuthentication,
    /// It has been unknown for more than five minutes whether a card was charged.
    TopUpOutcomeUnknown,
    /// Credits are low, and auto top-up is disabled.
    AutoTopUpOffAndLow,
    /// Auto top-up is paused until a person acts.
    AutoTopUpPaused,
    /// Auto top-up would buy, but its cap is reached.
    CapReached,
    /// Auto top-up is enabled, but has no card to charge.
    PaymentMethodMissing,
    /// The card that would be charged is expired.
    PaymentMethodExpired,
    /// When auto top-up starts, too few credits are left for a session at least as large as nine of ten sessions. Or a booking
    /// was refused above its trigger within 24 hours.
    TriggerBelowTypicalSession,
    /// Auto top-up buys fewer credits at a time than such a session takes.
    AmountBelowTypicalSession,
    /// Sessions have ended, and their deduction is pending.
    SessionsProcessing,
    /// Sessions have ended, and their deduction is later than usual.
    SessionsOverdue,
    /// The account is frozen.
    AccountFrozen,
    /// No owner or admin would be notified when credits run low.
    LowBalanceMuted,
    /// An owner or admin has no e-mail address.
    ContactMissing,
    /// The address of an owner or admin is not verified.
    ContactUnverified,
    /// Mail to a member bounces.
    ContactBouncing,
    /// Mail was given up, or more than one attempt to send it has failed.
    EmailDeliveryFailing,
}

#[derive(Clone, Debug)]
pub(crate) struct Finding {
    finding: model::Finding,
    explained: Explained,
}

/// Returns all findings of an account, most severe first, in the viewer's language.
pub(in crate::graphql) async fn findings(ctx: &Context<'_>, account_id: AccountId) -> Result<Vec<Finding>, ApiError> {
    let scope = scope(ctx)?;
    let services = &scope.services;
    let found = services.troubleshooting.findings(scope.actor(), account_id).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let reader = scope.reader().await?;
    let findings = found.into_iter().map(|finding| {
        let explained = services.explaining.explain(&finding, reader)?;
        Ok(Finding { finding, explained })
    });
    findings.collect()
}

/// One problem with its evidence and its remedy: the help page as data.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl Finding {
    /// Stable while the same problem lasts; different when the problem occurs again.
    async fn id(&self) -> ID {
        ID(self.finding.id())
    }

    /// What is wrong, for programs.
    async fn code(&self) -> FindingCode {
        self.finding.code.into()
    }

    /// The problem that it explains.
    async fn symptom(&self) -> Symptom {
        self.finding.code.symptom().into()
    }

    /// The severity of the problem.
    async fn severity(&self) -> AlertSeverity {
        self.finding.severity.into()
    }

    /// What is wrong in one line, in the viewer's language.
    async fn summary(&self) -> &str {
        &self.explained.summary
    }

    /// Why, in plain words with the actual figures, in the viewer's language.
    async fn cause(&self) -> &str {
        &self.explained.cause
    }

    /// Since when the problem has lasted. If it follows from the balance: since the balance last changed.
    async fn since(&self) -> Timestamp {
        self.finding.since
    }

    /// The objects that prove it, at most 10. Objects that the viewer may not see are left out.
    async fn evidence(&self, ctx: &Context<'_>) -> Result<Vec<Node>, ApiError> {
        let ids: Vec<ID> = self.finding.evidence.iter().map(|id| ID(id.to_string())).collect();
        let found = join_all(ids.iter().map(|id| find(ctx, id))).await;
        let mut evidence = Vec::with_capacity(found.len());
        for node in found {
            match node {
                Ok(node) => evidence.extend(node),
                Err(ApiError::Forbidden(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(evidence)
    }

    /// What fixes it.
    async fn remedy(&self) -> Remedy {
        Remedy::new(&self.finding, &self.explained)
    }
}
