//! Payloads of the mutations of top-ups, cards and the rule.

use async_graphql::{Context, Object};

use super::{AutoTopUp, PaymentMethod, TopUp};
use crate::domain::top_up::gateway::CardSetup;
use crate::domain::top_up::{self, Answered, AutoTopUpView};
use crate::graphql::errors::Nullable;
use crate::graphql::member::Account;
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Present, UserError};
use crate::graphql::scalars::LiveCursorText;

/// Declares the payload of a mutation of one top-up.
macro_rules! top_up_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(super) Outcome<Answered>);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The top-up in its current state. Null when refused, except for codes whose description says that the payload
            /// contains it.
            async fn top_up(&self) -> Option<TopUp> {
                match (&self.0.done, &self.0.present) {
                    (Some((top_up, _)), _) => Some(TopUp::new(top_up.clone())),
                    (None, Some(Present::TopUp(top_up))) => Some(TopUp::new((**top_up).clone())),
                    (None, _) => None,
                }
            }

            /// The account. Null when refused.
            async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
                let (top_up, _) = self.0.done.as_ref()?;
                Some(Account::load(ctx, top_up.account_id).await)
            }

            /// The position in the account's event stream right after the mutation. Null when refused.
            async fn live_cursor(&self) -> Option<LiveCursorText> {
                let (_, cursor) = self.0.done.as_ref()?;
                Some(LiveCursorText(cursor.encode()))
            }

            /// Why nothing was changed. Empty on success.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

top_up_payload! {
    /// The result of createTopUp.
    CreateTopUpPayload
}
top_up_payload! {
    /// The result of retryTopUp.
    RetryTopUpPayload
}
top_up_payload! {
    /// The result of cancelTopUp.
    CancelTopUpPayload
}
top_up_payload! {
    /// The result of refundTopUp.
    RefundTopUpPayload
}
top_up_payload! {
    /// The result of settleTopUp.
    SettleTopUpPayload
}

/// Declares the payload of a mutation of the rule.
macro_rules! auto_top_up_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(super) Outcome<AutoTopUpView>);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The rule in its current state. Null when refused, except for codes whose description says that the payload
            /// contains it.
            async fn auto_top_up(&self) -> Option<AutoTopUp> {
                match (&self.0.done, &self.0.present) {
                    (Some(view), _) => Some(AutoTopUp::new(view.clone())),
                    (None, Some(Present::AutoTopUp(view))) => Some(AutoTopUp::new((**view).clone())),
                    (None, _) => None,
                }
            }

            /// The account. Null when refused.
            async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
                let view = self.0.done.as_ref()?;
                Some(Account::load(ctx, view.rule.account_id).await)
            }

            /// Why nothing was changed. Empty on success.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

auto_top_up_payload! {
    /// The result of updateAutoTopUp.
    UpdateAutoTopUpPayload
}
auto_top_up_payload! {
    /// The result of resumeAutoTopUp.
    ResumeAutoTopUpPayload
}

/// Declares the payload of a mutation of one card.
macro_rules! payment_method_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(super) Outcome<top_up::model::PaymentMethod>);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The payment method in its current state. Null when refused.
            async fn payment_method(&self) -> Option<PaymentMethod> {
                self.0.done.clone().map(PaymentMethod::new)
            }

            /// The account. Null when refused.
            async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
                let method = self.0.done.as_ref()?;
                Some(Account::load(ctx, method.account_id).await)
            }

            /// Why nothing was changed. Empty on success.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

payment_method_payload! {
    /// The result of addPaymentMethod.
    AddPaymentMethodPayload
}
payment_method_payload! {
    /// The result of setDefaultPaymentMethod.
    SetDefaultPaymentMethodPayload
}
payment_method_payload! {
    /// The result of removePaymentMethod.
    RemovePaymentMethodPayload
}

pub(crate) struct StartPaymentMethodSetupPayload(pub(super) Outcome<CardSetup>);

/// The result of startPaymentMethodSetup.
#[Object]
impl StartPaymentMethodSetupPayload {
    /// The secret that the gateway's browser library needs to collect the card; card data never reaches this server.
    async fn client_secret(&self) -> Option<&str> {
        self.0.done.as_ref().map(|setup| setup.client_secret.as_str())
    }

    /// The public key that the gateway's browser library needs.
    async fn publishable_key(&self) -> Option<&str> {
        self.0.done.as_ref().map(|setup| setup.publishable_key.as_str())
    }

    /// Why nothing was changed. Empty on success.
    pub(crate) async fn user_errors(&self) -> Vec<UserError> {
        self.0.errors.clone()
    }
}
