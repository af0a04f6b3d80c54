//! The results of mutations: the changed object, or why it was not changed.

use async_graphql::{Context, Interface};

use super::context::{Scope, scope};
use super::errors::{ApiError, Nullable};
use super::refusals::{Failure, Present, UserError};
use crate::domain::member::{Account, Contact, Member};
use crate::domain::notification::model::{NotificationAddress, NotificationDefaults, NotificationSettings};
use crate::domain::top_up::{AutoTopUpView, TopUp};
use crate::domain::webhook_endpoint::model::WebhookEndpoint;

macro_rules! mutation_payloads {
    ($($module:ident: $($payload:ident)+;)+) => {
        /// Allows one helper of a client to read every mutation.
        #[derive(Interface)]
        #[graphql(field(
            name = "user_errors",
            ty = "Vec<UserError>",
            desc = "Why nothing was changed. Empty on success."
        ))]
        #[allow(clippy::enum_variant_names, reason = "they are the names of the contract")]
        pub(super) enum MutationPayload {
            $($($payload(super::$module::$payload),)+)+
        }
    };
}

mutation_payloads! {
    ledger: AdjustCreditsPayload BookSessionPayload BookSessionsPayload CancelSessionPayload CompleteSessionPayload
        CompleteSessionsPayload GrantCreditsPayload RefundSessionPayload RescheduleSessionPayload;
    member: AddMemberPayload CloseAccountPayload CreateAccountPayload CreateApiKeyPayload CreateMemberTokenPayload
        FreezeAccountPayload RemoveMemberPayload RevokeApiKeyPayload UnfreezeAccountPayload UpdateAccountPayload
        UpdateMemberPayload UpsertMemberPayload;
    notification: AddNotificationAddressPayload ArchiveAlertsPayload MarkAlertsReadPayload
        RemoveNotificationAddressPayload ResendDeliveryPayload SendContactVerificationPayload
        SendNotificationAddressVerificationPayload SendTestNotificationPayload UpdateContactPayload
        UpdateNotificationAddressPayload UpdateNotificationDefaultsPayload UpdateNotificationSettingsPayload
        VerifyContactPayload VerifyNotificationAddressPayload;
    top_up: AddPaymentMethodPayload CancelTopUpPayload CreateTopUpPayload RefundTopUpPayload RemovePaymentMethodPayload
        ResumeAutoTopUpPayload RetryTopUpPayload RetryWebhookPayload SetDefaultPaymentMethodPayload SettleTopUpPayload
        StartPaymentMethodSetupPayload UpdateAutoTopUpPayload;
    webhook_endpoint: CreateWebhookEndpointPayload DeleteWebhookEndpointPayload ReplayWebhooksPayload
        RetryWebhookMessagePayload RotateWebhookEndpointSecretPayload SendTestWebhookPayload
        UpdateWebhookEndpointPayload;
}

/// The result of a mutation, unless it failed.
pub(super) struct Outcome<T> {
    /// The result, unless the mutation was refused.
    pub done: Option<T>,
    /// On a refusal: the current state of the object, where the contract promises it.
    pub present: Option<Present>,
    /// Why the mutation was refused.
    pub errors: Vec<UserError>,
}

impl<T> Outcome<T> {
    /// Separates refusals, which are data, from faults, which are errors.
    pub(super) fn settle(result: Result<T, Failure>) -> Result<Self, ApiError> {
        let (done, present, errors) = match result {
            Ok(done) => (Some(done), None, Vec::new()),
            Err(Failure::Refused(error, present)) => (None, present, vec![*error]),
            Err(Failure::Fault(error)) => return Err(error),
        };
        Ok(Self { done, present, errors })
    }

    /// Returns what the refusal contains, if it is of this type.
    pub(super) fn present<O: InRefusal>(&self) -> Option<&O> {
        self.present.as_ref().and_then(O::of)
    }
}

impl<T: InRefusal> Outcome<T> {
    /// Returns the changed object, or on a refusal its current state where the contract promises it.
    pub(super) fn current(&self) -> Option<&T> {
        self.done.as_ref().or_else(|| self.present())
    }
}

/// An object that a refusal may contain in its current state.
pub(super) trait InRefusal: Sized {
    /// Returns the object, if it is of this type.
    fn of(present: &Present) -> Option<&Self>;
}

macro_rules! in_refusals {
    ($($variant:ident($object:ty))*) => {$(
        impl InRefusal for $object {
            fn of(present: &Present) -> Option<&Self> {
                let Present::$variant(object) = present else {
                    return None;
                };
                Some(object)
            }
        }
    )*};
}

in_refusals! {
    Account(Account)
    Member(Member)
    TopUp(TopUp)
    AutoTopUp(AutoTopUpView)
    Contact(Contact)
    Settings(NotificationSettings)
    Defaults(NotificationDefaults)
    Address(NotificationAddress)
    WebhookEndpoint(WebhookEndpoint)
}

/// Executes a mutation: `use_case` reads the input and changes what it names; the result becomes the payload.
pub(super) async fn mutate<'a, I, T, P, F>(
    ctx: &Context<'a>,
    input: I,
    use_case: impl FnOnce(&'a Scope, I) -> F,
) -> Nullable<P>
where
    F: Future<Output = Result<T, Failure>>,
    P: From<Outcome<T>>,
{
    let outcome = async { Outcome::settle(use_case(scope(ctx)?, input).await) };
    Some(outcome.await.map(P::from))
}

/// Declares mutations: each has one input, a use case and a payload.
macro_rules! mutations {
    (
        $(#[$of:meta])* $root:ident {
            $($(#[$doc:meta])* $name:ident($input:ty: $desc:tt) -> $payload:ty = $use_case:expr;)+
        }
    ) => {
        $(#[$of])*
        #[derive(Default)]
        pub(crate) struct $root;

        $(#[$of])*
        #[async_graphql::Object]
        impl $root {
            $(
                $(#[$doc])*
                async fn $name(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = $desc)] input: $input,
                ) -> $crate::graphql::errors::Nullable<$payload> {
                    $crate::graphql::payload::mutate(ctx, input, $use_case).await
                }
            )+
        }
    };
}
pub(super) use mutations;

/// Declares the payloads of mutations with the same result: their own fields, and `userErrors`, whose description can be given.
macro_rules! payload {
    ($($(#[$doc:meta])* $name:ident),+ from $result:ty => $fields:tt) => {
        $crate::graphql::payload::payload! {
            $($(#[$doc])* $name),+ from $result, "Why nothing was changed. Empty on success." => $fields
        }
    };
    ($($(#[$doc:meta])* $name:ident),+ from $result:ty, $why:literal => $fields:tt) => {
        $($crate::graphql::payload::payload! { @one $(#[$doc])* $name, $result, $why, $fields })+
    };
    (@one $(#[$doc:meta])* $name:ident, $result:ty, $why:literal, { $($fields:tt)* }) => {
        $(#[$doc])*
        pub(crate) struct $name($crate::graphql::payload::Outcome<$result>);

        impl From<$crate::graphql::payload::Outcome<$result>> for $name {
            fn from(outcome: $crate::graphql::payload::Outcome<$result>) -> Self {
                Self(outcome)
            }
        }

        $(#[$doc])*
        #[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
        #[async_graphql::Object]
        impl $name {
            $($fields)*

            #[doc = $why]
            pub(crate) async fn user_errors(&self) -> Vec<$crate::graphql::refusals::UserError> {
                self.0.errors.clone()
            }
        }
    };
}
pub(super) use payload;
