//! Top-ups in the API: purchases of credits, cards, and the auto top-up rule.
//!
//! Called by the root types and by the account type. This module only converts types. The domain decides who may do what, and
//! all rules about purchases. Raw messages of banks and gateways never reach this module.

mod attempt;
mod auto_top_up;
mod mutation;
mod operating;
mod payload;
mod payment_method;
mod refusals;

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, SimpleObject};

use super::connection::connection;
use super::context::{public_id, scope};
use super::errors::{ApiError, Nullable, nullable};
use super::ledger::{Actor, CreditEntry, DateTimeRange, instants};
use super::live::{Interest, Topics, live_event, subscriptions};
use super::member::{Account, Money};
use crate::domain::event::EventContent;
use crate::domain::fault::InvalidInput;
use crate::domain::filter::AnyOf;
use crate::domain::top_up;
use crate::domain::top_up::model::{Attempt, AttemptOutcome, FailureCode, RetryRefusal};
use crate::graphql::by_id::find;
use crate::graphql::id::Id;
use crate::primitives::actor::Permission;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::TopUpId;

pub(super) use attempt::{TopUpAttempt, TopUpFailure};
pub(super) use auto_top_up::{AutoTopUp, TopUpDecision};
pub(super) use mutation::TopUpMutation;
pub(super) use operating::{OperatorMutation, OperatorQuery, RetryWebhookPayload};
pub(super) use payload::{
    AddPaymentMethodPayload, CancelTopUpPayload, CreateTopUpPayload, RefundTopUpPayload, RemovePaymentMethodPayload,
    ResumeAutoTopUpPayload, RetryTopUpPayload, SetDefaultPaymentMethodPayload, SettleTopUpPayload,
    StartPaymentMethodSetupPayload, UpdateAutoTopUpPayload,
};
pub(super) use payment_method::PaymentMethod;

/// The price of a top-up, and the limits of its size.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub(crate) struct TopUpQuote {
    #[graphql(skip)]
    price: Result<Money, String>,
    /// The smallest number of credits that can be bought.
    minimum: Credits,
    /// The largest number of credits that can be bought.
    maximum: Credits,
    /// The number of credits must be a multiple of this.
    step: Credits,
}

impl From<top_up::TopUpQuote> for TopUpQuote {
    fn from(quote: top_up::TopUpQuote) -> Self {
        Self {
            price: quote.price.map(Into::into),
            minimum: quote.minimum,
            maximum: quote.maximum,
            step: quote.step,
        }
    }
}

#[ComplexObject]
impl TopUpQuote {
    /// The price of the requested credits. Null with an error when they cannot be bought; the other fields are still returned.
    async fn price(&self) -> Nullable<Money> {
        Some(
            self.price
                .clone()
                .map_err(|message| ApiError::invalid("credits", message)),
        )
    }
}

/// The status of a top-up.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "top_up::TopUpStatus")]
pub(crate) enum TopUpStatus {
    /// Requested; the charge has not begun.
    Pending,
    /// Being charged.
    Processing,
    /// The bank requires the cardholder to authenticate.
    RequiresAction,
    /// Paid and credited.
    Succeeded,
    /// Not paid. It can be retried.
    Failed,
    /// Canceled before it was paid.
    Canceled,
    /// Paid, then reversed completely.
    Reversed,
    /// Paid, then disputed; the bank decides.
    Disputed,
}

/// What started a top-up.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "top_up::TopUpOrigin")]
pub(crate) enum TopUpOrigin {
    /// A member or an integration requested it.
    Manual,
    /// The account's auto top-up rule.
    Auto,
}

/// A filter for top-ups. All conditions must match; a condition that is left out or null does not restrict.
#[derive(InputObject, Debug, Default)]
pub(crate) struct TopUpFilter {
    /// Any of these statuses.
    statuses: Option<Vec<TopUpStatus>>,
    /// Any of these origins.
    origins: Option<Vec<TopUpOrigin>>,
    /// Requested in this range: from is inclusive, before is exclusive.
    created_at: Option<DateTimeRange>,
}

impl TopUpFilter {
    pub(super) fn into_domain(self) -> Result<top_up::TopUpFilter, InvalidInput> {
        Ok(top_up::TopUpFilter {
            statuses: AnyOf::new("filter.statuses", self.statuses)?,
            origins: AnyOf::new("filter.origins", self.origins)?,
            created_at: instants("filter.createdAt", self.created_at)?,
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct TopUp(top_up::TopUp);

impl TopUp {
    pub(super) fn new(top_up: top_up::TopUp) -> Self {
        Self(top_up)
    }
}

/// A purchase of credits.
#[Object]
impl TopUp {
    /// Opaque id, for `node`, filters and mutations.
    pub(super) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// The current status.
    async fn status(&self) -> TopUpStatus {
        self.0.status.into()
    }

    /// What started it.
    async fn origin(&self) -> TopUpOrigin {
        self.0.origin.into()
    }

    /// The number of credits that it buys.
    async fn credits(&self) -> Credits {
        self.0.credits
    }

    /// The price: fixed when it was requested, the same for every attempt.
    async fn price(&self) -> Money {
        self.0.price.into()
    }

    /// Who requested it; Ledgerbell for automatic top-ups.
    async fn requested_by(&self) -> Actor {
        Actor::new(self.0.account_id, self.0.requested_by)
    }

    /// All attempts to charge, oldest first.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<TopUpAttempt>, ApiError> {
        let attempts = scope(ctx)?.loaders.attempts(self.0.account_id, self.0.id).await?;
        Ok(attempts
            .unwrap_or_default()
            .into_iter()
            .map(TopUpAttempt::new)
            .collect())
    }

    /// A human-readable explanation of the last failure, with what to do next. Null unless the last attempt failed, needs
    /// action, or has an unknown outcome.
    async fn failure(&self, ctx: &Context<'_>) -> Nullable<TopUpFailure> {
        nullable(async {
            let code = match self.0.status {
                top_up::TopUpStatus::Failed | top_up::TopUpStatus::RequiresAction => self.0.failure_code,
                top_up::TopUpStatus::Processing => {
                    let attempts = scope(ctx)?.loaders.attempts(self.0.account_id, self.0.id).await?;
                    let is_unknown = |attempt: &Attempt| attempt.outcome == AttemptOutcome::Unknown;
                    let is_unknown = attempts.unwrap_or_default().last().is_some_and(is_unknown);
                    is_unknown.then_some(FailureCode::UnknownOutcome)
                }
                _ => None,
            };
            let Some(code) = code else {
                return Ok(None);
            };
            let can_retry = scope(ctx)?.loaders.can_retry(self.0.account_id, self.0.id).await?;
            let is_worn_out = can_retry == Some(Err(RetryRefusal::TooManyDeclines));
            let explained = code.explain(self.0.action_url.is_some(), is_worn_out);
            Ok(Some(TopUpFailure::new(code, explained, self.0.action_url.clone())))
        })
        .await
    }

    /// Whether retryTopUp would be accepted now without another card.
    async fn can_retry(&self, ctx: &Context<'_>) -> Result<bool, ApiError> {
        let can_retry = scope(ctx)?.loaders.can_retry(self.0.account_id, self.0.id).await?;
        Ok(can_retry.is_some_and(|can_retry| can_retry.is_ok()))
    }

    /// When the next automatic attempt is scheduled.
    async fn next_attempt_at(&self) -> Option<Timestamp> {
        self.0.next_attempt_at
    }

    /// The entry of the credit log that added its credits. Null until it succeeded.
    async fn entry(&self, ctx: &Context<'_>) -> Nullable<CreditEntry> {
        find(ctx, self.0.account_id, self.0.entry_id?).await
    }

    /// Its entries in the credit log, oldest first: what it added, then what was reversed. Contains the first 100; entryCount
    /// is the total number, and creditLog lists all.
    async fn entries(&self, ctx: &Context<'_>) -> Result<Vec<CreditEntry>, ApiError> {
        let entries = scope(ctx)?
            .loaders
            .entries_of_top_up(self.0.account_id, self.0.id)
            .await?;
        let entries = entries.unwrap_or_default().entries;
        Ok(entries.into_iter().map(CreditEntry::new).collect())
    }

    /// The number of its entries in the credit log.
    async fn entry_count(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        let entries = scope(ctx)?
            .loaders
            .entries_of_top_up(self.0.account_id, self.0.id)
            .await?;
        Ok(entries.map_or(0, |entries| i32::try_from(entries.total).unwrap_or(i32::MAX)))
    }

    /// The number of its credits that were reversed because money was returned.
    async fn credits_reversed(&self) -> Credits {
        self.0.credits_reversed
    }

    /// The account that buys.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account, ApiError> {
        Account::load(ctx, self.0.account_id).await
    }

    /// When it was requested.
    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> Timestamp {
        self.0.updated_at
    }
}

connection! {
    /// A page of top-ups.
    TopUpConnection, TopUpEdge of TopUp with live_cursor
}

live_event! {
    /// A change of a top-up.
    TopUpEvent {
        /// The top-up in its current state. Null unless the signal is ITEM.
        async fn top_up(&self, ctx: &Context<'_>) -> Nullable<TopUp> {
            find(ctx, self.0.account_id(), self.0.event()?.content.top_up_id()?).await
        }

        /// The status that this event set; topUp has the current status. Null unless the signal is ITEM.
        async fn status(&self) -> Option<TopUpStatus> {
            match self.0.event()?.content {
                EventContent::TopUpUpdated { status, .. } => status.map(Into::into),
                _ => None,
            }
        }
    }
}

subscriptions! {
    TopUpSubscription {
        /// Each change of a top-up. [auth: `READ_CREDIT_LOG`]
        top_up_updated(ctx, top_up_id: Option<Id<TopUpId>> = "Only this top-up; all when left out.") -> TopUpEvent {
            account_id: "Whose top-ups; the viewer's own account when left out.",
            after: "Events after this cursor are sent first. When left out, the stream starts with the next change.",
            interest: |scope, account_id| {
                scope.actor().require(account_id, Permission::ReadCreditLog)?;
                Ok(Interest {
                    top_up_id: top_up_id.map(|id| id.in_argument(account_id)).transpose()?,
                    ..Interest::in_topics(Topics::TOP_UPS)
                })
            },
        }
    }
}
