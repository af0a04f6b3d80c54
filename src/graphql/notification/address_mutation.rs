//! Mutations of notification addresses.

use std::collections::BTreeSet;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::address::NotificationAddress;
use super::refusals::{unsent_to_address, unverified_address};
use super::settings::AlertKind;
use super::settings_mutation::change;
use crate::domain::fault::Fault;
use crate::domain::member::ContactPatch;
use crate::domain::notification::model::{self, AddressPatch, AddressWishes, NewAddress};
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::inputs::patched;
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Failure, Present, UserError};
use crate::graphql::scalars::TimeZone;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, IdKind, NotificationAddressId};

/// An address to be added.
#[derive(InputObject, Debug)]
pub(crate) struct AddNotificationAddressInput {
    /// To which account. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<ID>,
    /// What the team calls it, such as Accounting.
    label: String,
    /// The e-mail address. It is UNVERIFIED, and gets nothing, until it is confirmed, unless `emailVerified` says otherwise. Each address
    /// once an account: `EMAIL_TAKEN`.
    email: String,
    /// Whether the platform has verified that address: mail goes there at once. Only keys of the platform vouch for addresses: FORBIDDEN
    /// for others.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// The kinds of alerts that it gets: those about the balance, top-ups, cards and freezing. Others are for members alone.
    alert_kinds: Vec<AlertKind>,
    /// `LOW_BALANCE` is sent when available falls to or below this. Left out: at the account's auto top-up trigger.
    low_balance_threshold: Option<Credits>,
    /// The language that messages are written in, as a BCP 47 tag such as de. Left out: en.
    locale: Option<String>,
    /// The time zone that messages are written in. Left out: the account's.
    timezone: Option<TimeZone>,
}

/// Changes to a notification address. What is left out stays as it is.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateNotificationAddressInput {
    /// Which address.
    notification_address_id: ID,
    /// What the team calls it.
    label: MaybeUndefined<String>,
    /// The e-mail address; another one is UNVERIFIED until it is confirmed, unless `emailVerified` says otherwise. A verified address that
    /// is replaced gets a mail that says so.
    email: MaybeUndefined<String>,
    /// Whether the platform has verified that address: mail goes there at once. Only keys of the platform vouch for addresses: FORBIDDEN
    /// for others. Goes with `email`.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// The kinds of alerts that it gets: all of them.
    alert_kinds: MaybeUndefined<Vec<AlertKind>>,
    /// `LOW_BALANCE` is sent when available falls to or below this. Null follows the account's auto top-up trigger.
    low_balance_threshold: MaybeUndefined<Credits>,
    /// The language that messages are written in, e.g. en or de.
    locale: MaybeUndefined<String>,
    /// The time zone that messages are written in.
    timezone: MaybeUndefined<TimeZone>,
    /// Refused as `VERSION_CONFLICT` when this is not the newest version.
    expected_version: Option<i32>,
}

/// A notification address to remove.
#[derive(InputObject, Debug)]
pub(crate) struct RemoveNotificationAddressInput {
    /// Which address.
    notification_address_id: ID,
}

/// Which notification address to send a mail to, by which it is confirmed.
#[derive(InputObject, Debug)]
pub(crate) struct SendNotificationAddressVerificationInput {
    /// Which address.
    notification_address_id: ID,
}

/// A code that was sent to a notification address.
#[derive(InputObject, Debug)]
pub(crate) struct VerifyNotificationAddressInput {
    /// Which address.
    notification_address_id: ID,
    /// The code as it stands in the mail.
    code: String,
}

macro_rules! address_payload {
    ($(#[$doc:meta])* $name:ident, $when:literal) => {
        $(#[$doc])*
        pub(crate) struct $name(Outcome<model::NotificationAddress>);

        $(#[$doc])*
        #[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
        #[Object]
        impl $name {
            #[doc = $when]
            async fn notification_address(&self) -> Option<NotificationAddress> {
                match (&self.0.done, &self.0.present) {
                    (Some(address), _) => Some(NotificationAddress::new(address.clone())),
                    (None, Some(Present::Address(address))) => Some(NotificationAddress::new((**address).clone())),
                    (None, _) => None,
                }
            }

            /// Why nothing was changed. Empty when it was.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

address_payload! {
    /// What addNotificationAddress answers.
    AddNotificationAddressPayload,
    "The new address. Null when refused, but for `EMAIL_TAKEN`: the one that has the e-mail address."
}
address_payload! {
    /// What updateNotificationAddress answers.
    UpdateNotificationAddressPayload,
    "The current address. Null when refused, but for `VERSION_CONFLICT`, and `EMAIL_TAKEN`: the one that has the e-mail address."
}
address_payload! {
    /// What removeNotificationAddress answers.
    RemoveNotificationAddressPayload,
    "The removed address. Null when refused."
}
address_payload! {
    /// What sendNotificationAddressVerification answers.
    SendNotificationAddressVerificationPayload,
    "The address that the mail went to. Null when refused."
}
address_payload! {
    /// What verifyNotificationAddress answers.
    VerifyNotificationAddressPayload,
    "The verified address. Null when refused."
}

fn kinds(field: &str, kinds: Vec<AlertKind>) -> Result<BTreeSet<model::AlertKind>, Failure> {
    if kinds.len() > 100 {
        return Err(Failure::invalid(field, "must have at most 100 values"));
    }
    Ok(kinds.into_iter().map(Into::into).collect())
}

fn address_of(scope: &Scope, id: &ID) -> Result<(AccountId, NotificationAddressId), Failure> {
    let named = ("notificationAddressId", "notification address");
    let (account_id, uuid) = scope.account_of(None, id, IdKind::NotificationAddress, named)?;
    Ok((account_id, NotificationAddressId::from_uuid(uuid)))
}

async fn add(scope: &Scope, input: AddNotificationAddressInput) -> Result<model::NotificationAddress, Failure> {
    let account_id = scope.account_for(input.account_id.as_ref())?;
    let new = NewAddress {
        label: input.label,
        email: input.email,
        email_verified: input.email_verified.unwrap_or_default(),
        wishes: AddressWishes {
            kinds: kinds("alertKinds", input.alert_kinds)?,
            low_balance_threshold: input.low_balance_threshold,
        },
        locale: input.locale,
        timezone: input.timezone.map(|zone| zone.0),
    };
    let addresses = &scope.services.notification_addresses;
    Ok(addresses.add(scope.actor(), account_id, new).await?)
}

async fn update(scope: &Scope, input: UpdateNotificationAddressInput) -> Result<model::NotificationAddress, Failure> {
    let (account_id, id) = address_of(scope, &input.notification_address_id)?;
    if input.email.is_null() {
        let message = "must not be null: remove the notification address instead";
        return Err(Failure::invalid("email", message));
    }
    let chosen = patched("alertKinds", input.alert_kinds)?;
    let patch = AddressPatch {
        label: patched("label", input.label)?,
        contact: ContactPatch {
            expected_version: input.expected_version,
            email: change(input.email, |email| email),
            email_verified: input.email_verified.unwrap_or_default(),
            locale: patched("locale", input.locale)?,
            timezone: patched("timezone", input.timezone)?.map(|zone| zone.0),
        },
        kinds: chosen.map(|chosen| kinds("alertKinds", chosen)).transpose()?,
        low_balance_threshold: change(input.low_balance_threshold, |credits| credits),
    };
    let addresses = &scope.services.notification_addresses;
    Ok(addresses.update(scope.actor(), account_id, id, patch).await?)
}

async fn remove(scope: &Scope, id: &ID) -> Result<model::NotificationAddress, Failure> {
    let (account_id, id) = address_of(scope, id)?;
    let addresses = &scope.services.notification_addresses;
    Ok(addresses.remove(scope.actor(), account_id, id).await?)
}

async fn send_verification(scope: &Scope, id: &ID) -> Result<model::NotificationAddress, Failure> {
    let (account_id, id) = address_of(scope, id)?;
    let sent = scope.services.verification.send(scope.actor(), account_id, id).await;
    sent.map_err(unsent_to_address)?;
    current(scope, account_id, id).await
}

async fn verify(scope: &Scope, input: VerifyNotificationAddressInput) -> Result<model::NotificationAddress, Failure> {
    let (account_id, id) = address_of(scope, &input.notification_address_id)?;
    let contacts = &scope.services.contacts;
    let verified = contacts.verify(scope.actor(), account_id, id, input.code).await;
    verified.map_err(unverified_address)?;
    current(scope, account_id, id).await
}

/// The address as it is now.
async fn current(
    scope: &Scope,
    account_id: AccountId,
    id: NotificationAddressId,
) -> Result<model::NotificationAddress, Failure> {
    let addresses = &scope.services.notification_addresses;
    let mut found = addresses.by_ids(scope.actor(), account_id, &[id]).await?;
    let missing = || Fault::Internal("a contact has no notification address".to_owned());
    Ok(found.remove(&id).ok_or_else(missing)?)
}

/// Mutations of notification addresses.
#[derive(Default)]
pub(crate) struct AddressMutation;

/// Mutations of notification addresses.
#[Object]
impl AddressMutation {
    /// Adds an address that gets alerts by e-mail and is no member's: at most 20 an account. It gets nothing before it is verified: see
    /// sendNotificationAddressVerification. [auth: `MANAGE_SETTINGS`]
    async fn add_notification_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address.")] input: AddNotificationAddressInput,
    ) -> Option<Result<AddNotificationAddressPayload, ApiError>> {
        nullable(async {
            let outcome = Outcome::settle(add(scope(ctx)?, input).await)?;
            Ok(Some(AddNotificationAddressPayload(outcome)))
        })
        .await
    }

    /// Changes what a notification address is called, where it is and what it gets. [auth: `MANAGE_SETTINGS`]
    async fn update_notification_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: UpdateNotificationAddressInput,
    ) -> Option<Result<UpdateNotificationAddressPayload, ApiError>> {
        nullable(async {
            let outcome = Outcome::settle(update(scope(ctx)?, input).await)?;
            Ok(Some(UpdateNotificationAddressPayload(outcome)))
        })
        .await
    }

    /// Removes a notification address: nothing is sent there any more, and the e-mail address is forgotten. [auth: `MANAGE_SETTINGS`]
    async fn remove_notification_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: RemoveNotificationAddressInput,
    ) -> Option<Result<RemoveNotificationAddressPayload, ApiError>> {
        nullable(async {
            let removed = remove(scope(ctx)?, &input.notification_address_id).await;
            Ok(Some(RemoveNotificationAddressPayload(Outcome::settle(removed)?)))
        })
        .await
    }

    /// Sends a mail to a notification address, by which its reader confirms it: with a code for verifyNotificationAddress, and a link that
    /// is followed without signing in, where the server has a public address. At most one a minute. [auth: `MANAGE_SETTINGS`]
    async fn send_notification_address_verification(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: SendNotificationAddressVerificationInput,
    ) -> Option<Result<SendNotificationAddressVerificationPayload, ApiError>> {
        nullable(async {
            let sent = send_verification(scope(ctx)?, &input.notification_address_id).await;
            Ok(Some(SendNotificationAddressVerificationPayload(Outcome::settle(sent)?)))
        })
        .await
    }

    /// Takes back the code that was sent to a notification address, which shows that its reader agrees. Five wrong codes, or a quarter of
    /// an hour, and a new one is needed. [auth: `MANAGE_SETTINGS`]
    async fn verify_notification_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose code it is.")] input: VerifyNotificationAddressInput,
    ) -> Option<Result<VerifyNotificationAddressPayload, ApiError>> {
        nullable(async {
            let outcome = Outcome::settle(verify(scope(ctx)?, input).await)?;
            Ok(Some(VerifyNotificationAddressPayload(outcome)))
        })
        .await
    }
}
