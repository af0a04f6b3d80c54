//! Findings.

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

/// The three complaints that people come with.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::Symptom")]
pub(crate) enum Symptom {
    /// The credit balance does not increase although it is topped up.
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
    /// A top-up was not paid, and none after it was.
    TopUpFailed,
    /// The bank waits for the cardholder to confirm a payment.
    TopUpNeedsAuthentication,
    /// For more than five minutes nobody has known whether a card was charged.
    TopUpOutcomeUnknown,
    /// Credits are low, and auto top-up is off.
    AutoTopUpOffAndLow,
    /// Auto top-up waits for somebody.
    AutoTopUpPaused,
    /// Auto top-up would buy, and its cap leaves no room.
    CapReached,
    /// Auto top-up is on and has no card that it can charge.
    PaymentMethodMissing,
    /// The card that would be charged is past its date.
    PaymentMethodExpired,
    /// Auto top-up starts only when there is too little left for a session as large as nine of ten are at the most, or a booking
    /// was refused above its trigger within 24 hours.
    TriggerBelowTypicalSession,
    /// Auto top-up buys less at a time than such a session takes.
    AmountBelowTypicalSession,
    /// Sessions are over, and their deduction is on its way.
    SessionsProcessing,
    /// Sessions are over, and their deduction is later than is usual.
    SessionsOverdue,
    /// The account is frozen.
    AccountFrozen,
    /// No owner or admin would hear that credits run low.
    LowBalanceMuted,
    /// An owner or admin has no e-mail address.
    ContactMissing,
    /// Nobody has shown that mail to an owner or admin arrives.
    ContactUnverified,
    /// Mail to a member comes back.
    ContactBouncing,
    /// Mail was given up, or has been tried in vain more than once.
    EmailDeliveryFailing,
}

/// One thing that is wrong, with its evidence and its remedy: the help page as data.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    finding: model::Finding,
    explained: Explained,
}

/// All that is wrong in an account, the worst first, in the viewer's language.
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

/// One thing that is wrong, with its evidence and its remedy: the help page as data.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl Finding {
    /// Stable while the same thing is wrong; another one when it goes wrong anew.
    async fn id(&self) -> ID {
        ID(self.finding.id())
    }

    /// What is wrong, for programs.
    async fn code(&self) -> FindingCode {
        self.finding.code.into()
    }

    /// Which complaint it explains.
    async fn symptom(&self) -> Symptom {
        self.finding.code.symptom().into()
    }

    /// How much it matters.
    async fn severity(&self) -> AlertSeverity {
        self.finding.severity.into()
    }

    /// What is wrong in a line, in the viewer's language.
    async fn summary(&self) -> &str {
        &self.explained.summary
    }

    /// Why, in plain words with the actual figures, in the viewer's language.
    async fn cause(&self) -> &str {
        &self.explained.cause
    }

    /// Since when it has been so. Where it follows from the balance, since the balance last changed.
    async fn since(&self) -> Timestamp {
        self.finding.since
    }

    /// The things that prove it, at most 10. What the viewer may not see is left out.
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

    /// What mends it.
    async fn remedy(&self) -> Remedy {
        Remedy::new(&self.finding, &self.explained)
    }
}
