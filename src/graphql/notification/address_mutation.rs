//! Mutations of notification addresses.

use std::collections::BTreeSet;

use async_graphql::{InputObject, MaybeUndefined};

use super::address::NotificationAddress;
use super::refusals::{unsent_to_address, unverified_address};
use super::settings::AlertKind;
use crate::domain::fault::Fault;
use crate::domain::member::ContactPatch;
use crate::domain::notification::model::{self, AddressPatch, AddressWishes, NewAddress};
use crate::graphql::context::Scope;
use crate::graphql::id::Id;
use crate::graphql::inputs::{changed, patched};
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::Failure;
use crate::graphql::scalars::TimeZone;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, NotificationAddressId};

/// An address to be added.
#[derive(InputObject, Debug)]
pub(crate) struct AddNotificationAddressInput {
    /// The account of the address. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// The team's label for the address, such as Accounting.
    label: String,
    /// The e-mail address. It is UNVERIFIED, and gets nothing, until it is confirmed, unless `emailVerified` is true. An account
    /// has each address at most once: `EMAIL_TAKEN`.
    email: String,
    /// Whether the platform has verified that address: mail is sent to it at once. Only platform keys can vouch for addresses:
    /// FORBIDDEN for others.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// The kinds of alerts that it gets: those about the balance, top-ups, cards and freezing. Other kinds go to members only.
    alert_kinds: Vec<AlertKind>,
    /// `LOW_BALANCE` is sent when available falls to or below this. When left out: at the account's auto top-up trigger.
    low_balance_threshold: Option<Credits>,
    /// The language that messages are written in, as a BCP 47 tag such as de. When left out: en.
    locale: Option<String>,
    /// The time zone that messages are written in. When left out: the account's.
    timezone: Option<TimeZone>,
}

/// Changes to a notification address. Fields that are left out do not change.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateNotificationAddressInput {
    /// The address.
    notification_address_id: Id<NotificationAddressId>,
    /// The team's label for the address.
    label: MaybeUndefined<String>,
    /// The e-mail address. A new one is UNVERIFIED until it is confirmed, unless `emailVerified` is true. A verified address that
    /// is replaced gets a mail about the change.
    email: MaybeUndefined<String>,
    /// Whether the platform has verified that address: mail is sent to it at once. Only platform keys can vouch for addresses:
    /// FORBIDDEN for others. Requires `email`.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// The complete list of the kinds of alerts that it gets.
    alert_kinds: MaybeUndefined<Vec<AlertKind>>,
    /// `LOW_BALANCE` is sent when available falls to or below this. Null follows the account's auto top-up trigger.
    low_balance_threshold: MaybeUndefined<Credits>,
    /// The language that messages are written in, e.g. en or de.
    locale: MaybeUndefined<String>,
    /// The time zone that messages are written in.
    timezone: MaybeUndefined<TimeZone>,
    /// Refused as `VERSION_CONFLICT` when this is not the current version.
    expected_version: Option<i32>,
}

/// A notification address to remove.
#[derive(InputObject, Debug)]
pub(crate) struct RemoveNotificationAddressInput {
    /// The address.
    notification_address_id: Id<NotificationAddressId>,
}

/// The notification address to which a mail is sent, so that its reader can confirm it.
#[derive(InputObject, Debug)]
pub(crate) struct SendNotificationAddressVerificationInput {
    /// The address.
    notification_address_id: Id<NotificationAddressId>,
}

/// A code that was sent to a notification address.
#[derive(InputObject, Debug)]
pub(crate) struct VerifyNotificationAddressInput {
    /// The address.
    notification_address_id: Id<NotificationAddressId>,
    /// The code from the mail.
    code: String,
}

/// Declares a payload with the address, whose description says which state of it this is.
macro_rules! address_payload {
    ($(#[$doc:meta])* $name:ident, $current:literal) => {
        payload! {
            $(#[$doc])*
            $name
            from model::NotificationAddress => {
                #[doc = $current]
                async fn notification_address(&self) -> Option<NotificationAddress> {
                    self.0.current().cloned().map(NotificationAddress::new)
                }
            }
        }
    };
}

address_payload! {
    /// The result of addNotificationAddress.
    AddNotificationAddressPayload,
    "The new address. Null when refused, but for `EMAIL_TAKEN`: the one that has the e-mail address."
}

address_payload! {
    /// The result of updateNotificationAddress.
    UpdateNotificationAddressPayload,
    "The current address. Null when refused, except for `VERSION_CONFLICT`, and `EMAIL_TAKEN`: the one that has the e-mail address."
}

address_payload! {
    /// The result of removeNotificationAddress.
    RemoveNotificationAddressPayload,
    "The removed address. Null when refused."
}

address_payload! {
    /// The result of sendNotificationAddressVerification.
    SendNotificationAddressVerificationPayload,
    "The address that the mail went to. Null when refused."
}

address_payload! {
    /// The result of verifyNotificationAddress.
    VerifyNotificationAddressPayload,
    "The verified address. Null when refused."
}

fn kinds(field: &str, kinds: Vec<AlertKind>) -> Result<BTreeSet<model::AlertKind>, Failure> {
    if kinds.len() > 100 {
        return Err(Failure::invalid(field, "must have at most 100 values"));
    }
    Ok(kinds.into_iter().map(Into::into).collect())
}

async fn add(scope: &Scope, input: AddNotificationAddressInput) -> Result<model::NotificationAddress, Failure> {
    let account_id = scope.account_for(input.account_id)?;
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
    let (account_id, id) = scope.object(input.notification_address_id)?;
    if input.email.is_null() {
        let message = "must not be null: remove the notification address instead";
        return Err(Failure::invalid("email", message));
    }
    let chosen = patched("alertKinds", input.alert_kinds)?;
    let patch = AddressPatch {
        label: patched("label", input.label)?,
        contact: ContactPatch {
            expected_version: input.expected_version,
            email: changed(input.email),
            email_verified: input.email_verified.unwrap_or_default(),
            locale: patched("locale", input.locale)?,
            timezone: patched("timezone", input.timezone)?.map(|zone| zone.0),
        },
        kinds: chosen.map(|chosen| kinds("alertKinds", chosen)).transpose()?,
        low_balance_threshold: changed(input.low_balance_threshold),
    };
    let addresses = &scope.services.notification_addresses;
    Ok(addresses.update(scope.actor(), account_id, id, patch).await?)
}

async fn remove(scope: &Scope, input: RemoveNotificationAddressInput) -> Result<model::NotificationAddress, Failure> {
    let (account_id, id) = scope.object(input.notification_address_id)?;
    let addresses = &scope.services.notification_addresses;
    Ok(addresses.remove(scope.actor(), account_id, id).await?)
}

async fn send_verification(
    scope: &Scope,
    input: SendNotificationAddressVerificationInput,
) -> Result<model::NotificationAddress, Failure> {
    let (account_id, id) = scope.object(input.notification_address_id)?;
    let sent = scope.services.verification.send(scope.actor(), account_id, id).await;
    sent.map_err(|error| Failure::of(error, unsent_to_address))?;
    current(scope, account_id, id).await
}

async fn verify(scope: &Scope, input: VerifyNotificationAddressInput) -> Result<model::NotificationAddress, Failure> {
    let (account_id, id) = scope.object(input.notification_address_id)?;
    let contacts = &scope.services.contacts;
    let verified = contacts.verify(scope.actor(), account_id, id, input.code).await;
    verified.map_err(|error| Failure::of(error, unverified_address))?;
    current(scope, account_id, id).await
}

/// Reads the current address.
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

mutations! {
    /// Mutations of notification addresses.
    AddressMutation {
        /// Adds an address that gets alerts by e-mail and belongs to no member: at most 20 per account. It gets nothing before it is
        /// verified: see sendNotificationAddressVerification. [auth: `MANAGE_SETTINGS`]
        add_notification_address(AddNotificationAddressInput: "The new address.")
            -> AddNotificationAddressPayload = add;

        /// Changes the label, the e-mail address or the alerts of a notification address. [auth: `MANAGE_SETTINGS`]
        update_notification_address(UpdateNotificationAddressInput: "The changes.")
            -> UpdateNotificationAddressPayload = update;

        /// Removes a notification address: it gets no further mail, and the e-mail address is deleted. [auth: `MANAGE_SETTINGS`]
        remove_notification_address(RemoveNotificationAddressInput: "The address to remove.")
            -> RemoveNotificationAddressPayload = remove;

        /// Sends a mail to a notification address, so that its reader can confirm it. It contains a code for verifyNotificationAddress. If the
        /// server has a public address, it also contains a link that works without signing in. At most one per minute.
        /// [auth: `MANAGE_SETTINGS`]
        send_notification_address_verification(SendNotificationAddressVerificationInput: "The address to send the code to.")
            -> SendNotificationAddressVerificationPayload = send_verification;

        /// Verifies a notification address by the code that was sent to it, which shows that its reader agrees. After five wrong codes, or a
        /// quarter of an hour, a new code is needed. [auth: `MANAGE_SETTINGS`]
        verify_notification_address(VerifyNotificationAddressInput: "The code, and the address that it verifies.")
            -> VerifyNotificationAddressPayload = verify;
    }
}
