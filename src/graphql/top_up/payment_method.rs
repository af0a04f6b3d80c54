//! Cards in the API.

use async_graphql::{Context, Enum, ID, Object};

use crate::domain::top_up::model;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::ApiError;
use crate::primitives::clock::Timestamp;

/// The status of a payment method.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::PaymentMethodStatus")]
pub(crate) enum PaymentMethodStatus {
    /// It can be charged.
    Active,
    /// It expires within 30 days.
    Expiring,
    /// It is expired.
    Expired,
    /// The bank refused it for a reason that is permanent. A successful manual top-up with it ends the suspension, unless the
    /// bank blocked the card.
    Suspended,
}

#[derive(Clone, Debug)]
pub(crate) struct PaymentMethod(model::PaymentMethod);

impl PaymentMethod {
    pub(in crate::graphql) fn new(method: model::PaymentMethod) -> Self {
        Self(method)
    }
}

/// A card that the payment gateway stores. Its number is never here.
#[Object]
impl PaymentMethod {
    /// Opaque id, for `node` and mutations.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// The card's brand, such as visa.
    async fn brand(&self) -> &str {
        &self.0.brand
    }

    /// The last four digits.
    async fn last4(&self) -> &str {
        &self.0.last4
    }

    /// The month after which it expires, 1 to 12.
    async fn expiry_month(&self) -> i32 {
        self.0.expiry_month
    }

    /// The year of that month.
    async fn expiry_year(&self) -> i32 {
        self.0.expiry_year
    }

    /// The current status.
    #[allow(clippy::unused_async, reason = "resolvers are async")]
    async fn status(&self, ctx: &Context<'_>) -> Result<PaymentMethodStatus, ApiError> {
        Ok(self.0.status(scope(ctx)?.now()).into())
    }

    /// Whether it is charged when no other is named.
    async fn is_default(&self) -> bool {
        self.0.is_default
    }

    /// When it was added.
    async fn added_at(&self) -> Timestamp {
        self.0.added_at
    }

    /// When the bank last declined it.
    async fn last_declined_at(&self) -> Option<Timestamp> {
        self.0.last_declined_at
    }
}
