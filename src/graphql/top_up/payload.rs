//! Payloads of the mutations of top-ups, cards and the rule.

use async_graphql::Context;

use super::{AutoTopUp, PaymentMethod, TopUp};
use crate::domain::top_up::gateway::CardSetup;
use crate::domain::top_up::{self, AutoTopUpView, ChangedTopUp};
use crate::graphql::errors::Nullable;
use crate::graphql::member::Account;
use crate::graphql::payload::payload;
use crate::graphql::scalars::LiveCursorText;

payload! {
    /// The result of createTopUp.
    CreateTopUpPayload,
    /// The result of retryTopUp.
    RetryTopUpPayload,
    /// The result of cancelTopUp.
    CancelTopUpPayload,
    /// The result of refundTopUp.
    RefundTopUpPayload,
    /// The result of settleTopUp.
    SettleTopUpPayload
    from ChangedTopUp => {
        /// The top-up in its current state. Null when refused, except for codes whose description says that the payload
        /// contains it.
        async fn top_up(&self) -> Option<TopUp> {
            let changed = self.0.done.as_ref().map(|(top_up, _)| top_up);
            changed.or_else(|| self.0.present()).cloned().map(TopUp::new)
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
    }
}

payload! {
    /// The result of updateAutoTopUp.
    UpdateAutoTopUpPayload,
    /// The result of resumeAutoTopUp.
    ResumeAutoTopUpPayload
    from AutoTopUpView => {
        /// The rule in its current state. Null when refused, except for codes whose description says that the payload
        /// contains it.
        async fn auto_top_up(&self) -> Option<AutoTopUp> {
            self.0.current().cloned().map(AutoTopUp::new)
        }

        /// The account. Null when refused.
        async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
            let view = self.0.done.as_ref()?;
            Some(Account::load(ctx, view.rule.account_id).await)
        }
    }
}

payload! {
    /// The result of addPaymentMethod.
    AddPaymentMethodPayload,
    /// The result of setDefaultPaymentMethod.
    SetDefaultPaymentMethodPayload,
    /// The result of removePaymentMethod.
    RemovePaymentMethodPayload
    from top_up::model::PaymentMethod => {
        /// The payment method in its current state. Null when refused.
        async fn payment_method(&self) -> Option<PaymentMethod> {
            self.0.done.clone().map(PaymentMethod::new)
        }

        /// The account. Null when refused.
        async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
            let method = self.0.done.as_ref()?;
            Some(Account::load(ctx, method.account_id).await)
        }
    }
}

payload! {
    /// The result of startPaymentMethodSetup.
    StartPaymentMethodSetupPayload
    from CardSetup => {
        /// The secret that the gateway's browser library needs to collect the card; card data never reaches this server.
        async fn client_secret(&self) -> Option<&str> {
            self.0.done.as_ref().map(|setup| setup.client_secret.as_str())
        }

        /// The public key that the gateway's browser library needs.
        async fn publishable_key(&self) -> Option<&str> {
            self.0.done.as_ref().map(|setup| setup.publishable_key.as_str())
        }
    }
}
