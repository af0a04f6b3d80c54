//! What mutations answer: the thing they changed, or why they did not.

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
    ResumeAutoTopUpPayload, RetryTopUpPayload, SetDefaultPaymentMethodPayload, StartPaymentMethodSetupPayload,
    UpdateAutoTopUpPayload,
};

/// Lets one helper unwrap every mutation.
#[derive(Interface)]
#[graphql(field(
    name = "user_errors",
    ty = "Vec<UserError>",
    desc = "Why nothing was changed. Empty when it was."
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

/// How a mutation ended, short of a fault.
pub(super) struct Outcome<T> {
    /// What came of it, unless it was refused.
    pub done: Option<T>,
    /// On a refusal: the thing as it is now, where the contract promises it.
    pub present: Option<Present>,
    /// Why it was refused.
    pub errors: Vec<UserError>,
}

impl<T> Outcome<T> {
    /// Parts refusals, which are data, from faults, which are errors.
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
