//! Mutations of top-ups, cards and the rule.

use async_graphql::{InputObject, MaybeUndefined};

use super::payload::{
    AddPaymentMethodPayload, CancelTopUpPayload, CreateTopUpPayload, RefundTopUpPayload, RemovePaymentMethodPayload,
    ResumeAutoTopUpPayload, RetryTopUpPayload, SetDefaultPaymentMethodPayload, StartPaymentMethodSetupPayload,
    UpdateAutoTopUpPayload,
};
use super::refusals::auto_top_up_failure;
use crate::domain::top_up::gateway::CardSetup;
use crate::domain::top_up::model::{AutoTopUpPatch, PaymentMethod};
use crate::domain::top_up::{AutoTopUpChange, AutoTopUpView, ChangedTopUp, NewRefund, NewTopUp, TopUpRetry};
use crate::graphql::context::Scope;
use crate::graphql::id::{Id, Named};
use crate::graphql::inputs::patched;
use crate::graphql::payload::mutations;
use crate::graphql::refusals::Failure;
use crate::graphql::scalars::Decimal;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId, PaymentMethodId, TopUpId};

/// A top-up to start.
#[derive(InputObject, Debug)]
pub(crate) struct CreateTopUpInput {
    /// The account that buys. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// The member on whose behalf an API key acts.
    acting_member_id: Option<Id<MemberId>>,
    /// The number of credits to buy.
    credits: Credits,
    /// The card to charge; the default card when left out.
    payment_method_id: Option<Id<PaymentMethodId>>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// Makes the next attempt at the same top-up.
#[derive(InputObject, Debug)]
pub(crate) struct RetryTopUpInput {
    /// The top-up to retry.
    top_up_id: Id<TopUpId>,
    /// The member on whose behalf an API key acts.
    acting_member_id: Option<Id<MemberId>>,
    /// A different card than last time.
    payment_method_id: Option<Id<PaymentMethodId>>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// A top-up to cancel.
#[derive(InputObject, Debug)]
pub(crate) struct CancelTopUpInput {
    /// The top-up to cancel.
    top_up_id: Id<TopUpId>,
}

/// A top-up whose money is refunded.
#[derive(InputObject, Debug)]
pub(crate) struct RefundTopUpInput {
    /// The top-up to refund.
    top_up_id: Id<TopUpId>,
    /// The number of its credits to refund: exactly these leave the balance. When left out, all that can be refunded.
    credits: Option<Credits>,
    /// Whether spent or held credits may be refunded too: the balance may become negative. Without it, the refund is limited to
    /// credits of this top-up that are unspent and available.
    #[graphql(default_with = "Some(false)")]
    allow_debt: Option<bool>,
    /// Whether the refund is allowed while the account is frozen or closed.
    #[graphql(default_with = "Some(false)")]
    allow_inactive: Option<bool>,
    /// A human-readable reason: 1 to 500 characters.
    reason: String,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// Changes to the rule. Fields that are left out keep their values. To enable the rule, consent: true, a trigger, an amount and
/// a payment method are needed.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateAutoTopUpInput {
    /// The account of the rule. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// The member on whose behalf an API key acts.
    acting_member_id: Option<Id<MemberId>>,
    /// Enables or disables the rule.
    enabled: MaybeUndefined<bool>,
    /// A top-up starts when available credits are at or below this; 0 or more.
    trigger: MaybeUndefined<Credits>,
    /// The credits of one amount; above 0.
    amount: MaybeUndefined<Credits>,
    /// The maximum money per month, in the currency's major unit; at least the price of one amount. Null removes the cap while
    /// the rule is disabled.
    monthly_cap: MaybeUndefined<Decimal>,
    /// The card to charge.
    payment_method_id: MaybeUndefined<Id<PaymentMethodId>>,
    /// A person agrees to the trigger, the amount, the cap and the price of one amount. Needed to enable the rule, and when any
    /// of these increases.
    consent: MaybeUndefined<bool>,
    /// Refused as `VERSION_CONFLICT` when this is not the current version.
    expected_version: Option<i32>,
}

/// A rule whose pause ends.
#[derive(InputObject, Debug)]
pub(crate) struct ResumeAutoTopUpInput {
    /// The account of the rule. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
}

/// A card to set up.
#[derive(InputObject, Debug)]
pub(crate) struct StartPaymentMethodSetupInput {
    /// The account of the card. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
}

/// A card to add.
#[derive(InputObject, Debug)]
pub(crate) struct AddPaymentMethodInput {
    /// The account of the card. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// The gateway's id of a payment method that was created in the browser.
    gateway_token: String,
    /// Whether it becomes the default card.
    #[graphql(default_with = "Some(true)")]
    make_default: Option<bool>,
}

/// A card to charge when no other is named.
#[derive(InputObject, Debug)]
pub(crate) struct SetDefaultPaymentMethodInput {
    /// The payment method.
    payment_method_id: Id<PaymentMethodId>,
}

/// A card to remove.
#[derive(InputObject, Debug)]
pub(crate) struct RemovePaymentMethodInput {
    /// The payment method to remove.
    payment_method_id: Id<PaymentMethodId>,
}

fn card_in(account_id: AccountId, id: Option<Id<PaymentMethodId>>) -> Result<Option<PaymentMethodId>, Failure> {
    id.map(|id| id.in_field(PaymentMethodId::FIELD, account_id)).transpose()
}

async fn create(scope: &Scope, input: CreateTopUpInput) -> Result<ChangedTopUp, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let new = NewTopUp {
        credits: input.credits,
        payment_method_id: card_in(account_id, input.payment_method_id)?,
        acting: scope.acting(account_id, input.acting_member_id)?,
        key: input.idempotency_key,
    };
    let created = scope.services.top_ups.create(scope.actor(), account_id, new).await;
    Ok(created?)
}

async fn retry(scope: &Scope, input: RetryTopUpInput) -> Result<ChangedTopUp, Failure> {
    let (account_id, top_up_id) = scope.object(input.top_up_id)?;
    let again = TopUpRetry {
        top_up_id,
        payment_method_id: card_in(account_id, input.payment_method_id)?,
        acting: scope.acting(account_id, input.acting_member_id)?,
        key: input.idempotency_key,
    };
    let retried = scope.services.top_ups.retry(scope.actor(), account_id, again).await;
    Ok(retried?)
}

async fn cancel(scope: &Scope, input: CancelTopUpInput) -> Result<ChangedTopUp, Failure> {
    let (account_id, top_up_id) = scope.object(input.top_up_id)?;
    let canceled = scope
        .services
        .top_ups
        .cancel(scope.actor(), account_id, top_up_id)
        .await;
    Ok(canceled?)
}

async fn refund(scope: &Scope, input: RefundTopUpInput) -> Result<ChangedTopUp, Failure> {
    let (account_id, top_up_id) = scope.object(input.top_up_id)?;
    let new = NewRefund {
        top_up_id,
        credits: input.credits,
        allow_debt: input.allow_debt.unwrap_or(false),
        allow_inactive: input.allow_inactive.unwrap_or(false),
        reason: input.reason,
        key: input.idempotency_key,
    };
    let refunded = scope.services.top_ups.refund(scope.actor(), account_id, new).await;
    Ok(refunded?)
}

async fn update_rule(scope: &Scope, input: UpdateAutoTopUpInput) -> Result<AutoTopUpView, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let card = patched("paymentMethodId", input.payment_method_id)?;
    let change = AutoTopUpChange {
        patch: AutoTopUpPatch {
            enabled: patched("enabled", input.enabled)?,
            trigger: patched("trigger", input.trigger)?,
            amount: patched("amount", input.amount)?,
            monthly_cap_minor: None,
            consent: patched("consent", input.consent)?.unwrap_or(false),
            expected_version: input.expected_version,
        },
        monthly_cap: input.monthly_cap.map_value(|cap| cap.0).into(),
        payment_method_id: card_in(account_id, card)?,
        acting: scope.acting(account_id, input.acting_member_id)?,
    };
    let rules = &scope.services.auto_top_ups;
    match rules.update(scope.actor(), account_id, change).await {
        Ok(view) => Ok(view),
        Err(error) => Err(auto_top_up_failure(scope, account_id, error).await),
    }
}

async fn resume(scope: &Scope, input: ResumeAutoTopUpInput) -> Result<AutoTopUpView, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    match scope.services.auto_top_ups.resume(scope.actor(), account_id).await {
        Ok(view) => Ok(view),
        Err(error) => Err(auto_top_up_failure(scope, account_id, error).await),
    }
}

async fn start_setup(scope: &Scope, input: StartPaymentMethodSetupInput) -> Result<CardSetup, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let methods = &scope.services.payment_methods;
    Ok(methods.start_setup(scope.actor(), account_id).await?)
}

async fn add_card(scope: &Scope, input: AddPaymentMethodInput) -> Result<PaymentMethod, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let methods = &scope.services.payment_methods;
    let make_default = input.make_default.unwrap_or(true);
    Ok(methods
        .add(scope.actor(), account_id, input.gateway_token, make_default)
        .await?)
}

async fn set_default(scope: &Scope, input: SetDefaultPaymentMethodInput) -> Result<PaymentMethod, Failure> {
    let (account_id, id) = scope.object(input.payment_method_id)?;
    let methods = &scope.services.payment_methods;
    Ok(methods.set_default(scope.actor(), account_id, id).await?)
}

async fn remove_card(scope: &Scope, input: RemovePaymentMethodInput) -> Result<PaymentMethod, Failure> {
    let (account_id, id) = scope.object(input.payment_method_id)?;
    Ok(scope
        .services
        .payment_methods
        .remove(scope.actor(), account_id, id)
        .await?)
}

mutations! {
    TopUpMutation {
        /// Starts a top-up. It is charged within seconds; follow its status. [auth: `BUY_CREDITS`]
        create_top_up(CreateTopUpInput: "The credits, and the card to charge.") -> CreateTopUpPayload = create;

        /// Retries a failed top-up, optionally with a different card. Repeated calls make one attempt: while one is in progress,
        /// the response is `TOP_UP_IN_PROGRESS` with the top-up. [auth: `BUY_CREDITS`]
        retry_top_up(RetryTopUpInput: "The top-up.") -> RetryTopUpPayload = retry;

        /// Cancels a top-up that is not being charged. A top-up that waits for the cardholder is canceled when the payment gateway
        /// has confirmed it. [auth: `BUY_CREDITS`]
        cancel_top_up(CancelTopUpInput: "The top-up.") -> CancelTopUpPayload = cancel;

        /// Refunds money of a top-up to its card. The credits are deducted when the refund is accepted. [auth: `REFUND_TOP_UPS`]
        refund_top_up(RefundTopUpInput: "The top-up, the credits to refund, and the reason.")
            -> RefundTopUpPayload = refund;

        /// Changes the rule by which the account buys credits automatically. [auth: `BUY_CREDITS`]
        update_auto_top_up(UpdateAutoTopUpInput: "The changes.") -> UpdateAutoTopUpPayload = update_rule;

        /// Ends the rule's pause. [auth: `BUY_CREDITS`]
        resume_auto_top_up(ResumeAutoTopUpInput: "The account of the rule.") -> ResumeAutoTopUpPayload = resume;

        /// Starts to collect a card in the browser. Card data never reaches this server. [auth: `BUY_CREDITS`]
        start_payment_method_setup(StartPaymentMethodSetupInput: "The account of the card.")
            -> StartPaymentMethodSetupPayload = start_setup;

        /// Adds a card that the browser has sent to the payment gateway. [auth: `BUY_CREDITS`]
        add_payment_method(AddPaymentMethodInput: "The card.") -> AddPaymentMethodPayload = add_card;

        /// Sets the card that is charged when no other is named. A rule that charges the default card follows.
        /// [auth: `BUY_CREDITS`]
        set_default_payment_method(SetDefaultPaymentMethodInput: "The card.")
            -> SetDefaultPaymentMethodPayload = set_default;

        /// Removes a card. Refused while it is being charged. [auth: `BUY_CREDITS`]
        remove_payment_method(RemovePaymentMethodInput: "The card.") -> RemovePaymentMethodPayload = remove_card;
    }
}
