//! The results of mutations: the changed object, or why it was not changed.

use async_graphql::Interface;

use super::errors::ApiError;
use super::ledger::{
    AdjustCreditsPayload, BookSessionPayload, BookSessionsPayload, CancelSessionPayload, CompleteSessionPayload,
    CompleteSessionsPayload, GrantCreditsPayload, RefundSessionPayload, RescheduleSessionPayload,
};
use super::member::{
    AddMemberPayload, CloseAccountPayload, CreateAccountPayload, CreateApiKeyPayload, CreateMemberTokenPayload,
    FreezeAccountPayload, RemoveMemberPayload, RevokeApiKeyPayload, UnfreezeAccountPayload, UpdateAccountPayload,
    UpdateMemberPayload, UpsertMemberPayload,
};
use super::notification::{
    AddNotificationAddressPayload, ArchiveAlertsPayload, MarkAlertsReadPayload, RemoveNotificationAddressPayload,
    ResendDeliveryPayload, SendContactVerificationPayload, SendNotificationAddressVerificationPayload,
    SendTestNotificationPayload, UpdateContactPayload, UpdateNotificationAddressPayload,
    UpdateNotificationDefaultsPayload, UpdateNotificationSettingsPayload, VerifyContactPayload,
    VerifyNotificationAddressPayload,
};
use super::refusals::{Failure, Present, UserError};
use super::top_up::{
    AddPaymentMethodPayload, CancelTopUpPayload, CreateTopUpPayload, RefundTopUpPayload, RemovePaymentMethodPayload,
    ResumeAutoTopUpPayload, RetryTopUpPayload, RetryWebhookPayload, SetDefaultPaymentMethodPayload, SettleTopUpPayload,
    StartPaymentMethodSetupPayload, UpdateAutoTopUpPayload,
};

/// Allows one helper of a client to read every mutation.
#[derive(Interface)]
#[graphql(field(
    name = "user_errors",
    ty = "Vec<UserError>",
    desc = "Why nothing was changed. Empty on success."
))]
pub(super) enum MutationPayload {
    BookSession(BookSessionPayload),
    RescheduleSession(RescheduleSessionPayload),
    CompleteSession(CompleteSessionPayload),
    CancelSession(CancelSessionPayload),
    RefundSession(RefundSessionPayload),
    BookSessions(BookSessionsPayload),
    CompleteSessions(CompleteSessionsPayload),
    GrantCredits(GrantCreditsPayload),
    AdjustCredits(AdjustCreditsPayload),
    CreateAccount(CreateAccountPayload),
    UpdateAccount(UpdateAccountPayload),
    FreezeAccount(FreezeAccountPayload),
    UnfreezeAccount(UnfreezeAccountPayload),
    CloseAccount(CloseAccountPayload),
    AddMember(AddMemberPayload),
    UpsertMember(UpsertMemberPayload),
    UpdateMember(UpdateMemberPayload),
    RemoveMember(RemoveMemberPayload),
    CreateMemberToken(CreateMemberTokenPayload),
    CreateApiKey(CreateApiKeyPayload),
    RevokeApiKey(RevokeApiKeyPayload),
    CreateTopUp(CreateTopUpPayload),
    RetryTopUp(RetryTopUpPayload),
    CancelTopUp(CancelTopUpPayload),
    RefundTopUp(RefundTopUpPayload),
    SettleTopUp(SettleTopUpPayload),
    RetryWebhook(RetryWebhookPayload),
    UpdateAutoTopUp(UpdateAutoTopUpPayload),
    ResumeAutoTopUp(ResumeAutoTopUpPayload),
    StartPaymentMethodSetup(StartPaymentMethodSetupPayload),
    AddPaymentMethod(AddPaymentMethodPayload),
    SetDefaultPaymentMethod(SetDefaultPaymentMethodPayload),
    RemovePaymentMethod(RemovePaymentMethodPayload),
    UpdateNotificationSettings(UpdateNotificationSettingsPayload),
    UpdateNotificationDefaults(UpdateNotificationDefaultsPayload),
    UpdateContact(UpdateContactPayload),
    VerifyContact(VerifyContactPayload),
    SendContactVerification(SendContactVerificationPayload),
    AddNotificationAddress(AddNotificationAddressPayload),
    UpdateNotificationAddress(UpdateNotificationAddressPayload),
    RemoveNotificationAddress(RemoveNotificationAddressPayload),
    SendNotificationAddressVerification(SendNotificationAddressVerificationPayload),
    VerifyNotificationAddress(VerifyNotificationAddressPayload),
    SendTestNotification(SendTestNotificationPayload),
    ResendDelivery(ResendDeliveryPayload),
    MarkAlertsRead(MarkAlertsReadPayload),
    ArchiveAlerts(ArchiveAlertsPayload),
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
        match result {
            Ok(done) => Ok(Self {
                done: Some(done),
                present: None,
                errors: Vec::new(),
            }),
            Err(Failure::Refused(error, present)) => Ok(Self {
                done: None,
                present,
                errors: vec![*error],
            }),
            Err(Failure::Fault(error)) => Err(error),
        }
    }
}
