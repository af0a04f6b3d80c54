//! Alerts, deliveries and notification settings in the API.
//!
//! The schema's roots call it. This module only converts types; the domain decides who is notified of what, and who may change it.

mod address;
mod address_mutation;
mod alert;
mod alert_mutation;
mod alert_subscription;
mod contact_mutation;
mod defaults;
mod delivery;
mod inbox_item;
mod matrix;
mod refusals;
mod settings;
mod settings_mutation;

pub(super) use address::NotificationAddress;
pub(super) use address_mutation::{
    AddNotificationAddressPayload, AddressMutation, RemoveNotificationAddressPayload,
    SendNotificationAddressVerificationPayload, UpdateNotificationAddressPayload, VerifyNotificationAddressPayload,
};
pub(super) use alert::{Alert, AlertConnection, AlertFilter, AlertSeverity, inbox, unread_count};
pub(super) use alert_mutation::{
    AlertMutation, ArchiveAlertsPayload, MarkAlertsReadPayload, ResendDeliveryPayload, SendTestNotificationPayload,
};
pub(super) use alert_subscription::{AlertEvent, AlertSubscription, AlertsEvent, inbox_of, seen_of};
pub(super) use contact_mutation::{
    ContactMutation, SendContactVerificationPayload, UpdateContactPayload, VerifyContactPayload,
};
pub(super) use defaults::{DefaultsMutation, NotificationDefaults, UpdateNotificationDefaultsPayload};
pub(super) use delivery::{Delivery, DeliveryConnection, DeliveryFilter, deliveries};
pub(super) use inbox_item::{InboxItem, seen_by_viewer};
pub(super) use settings::NotificationSettings;
pub(super) use settings_mutation::{SettingsMutation, UpdateNotificationSettingsPayload};

use async_graphql::MaybeUndefined;

use super::context::Scope;
use super::id::Id;
use super::refusals::Failure;
use crate::primitives::ids::{AccountId, MemberId};

/// The member whose contact, settings or inbox an input is about: the named one, else the viewer. Null is refused: a page that lost
/// the id of another member must not change the viewer's own data.
fn member_for(scope: &Scope, member_id: MaybeUndefined<Id<MemberId>>) -> Result<(AccountId, MemberId), Failure> {
    if member_id.is_null() {
        return Err(Failure::invalid(
            "memberId",
            "must not be null; leave it out for the viewer",
        ));
    }
    if let MaybeUndefined::Value(id) = member_id {
        return scope.object(id);
    }
    match (scope.actor().own_account(), scope.actor().member_id()) {
        (Some(account_id), Some(member_id)) => Ok((account_id, member_id)),
        _ => Err(Failure::invalid("memberId", "is required: an API key is not a member")),
    }
}
