//! Refusals as data: every reason for which a use case refuses, with its code, text and input field.
//!
//! The matches here deliberately have no `_`: a new refusal does not compile until it has a code and a text for clients.

use std::convert::Infallible;

use async_graphql::resolver_utils::EnumType;
use async_graphql::{ComplexObject, Context, Enum, SimpleObject};

use super::context::scope;
use super::errors::ApiError;
use crate::domain::fault::{Fault, InvalidInput, UseCaseError};
use crate::domain::ledger::LedgerError;
use crate::domain::ledger::model::{KeyRefusal, Refusal};
use crate::domain::member::{
    Account, AddMemberRefusal, Contact, CreateAccountRefusal, Member, RemoveMemberRefusal, StartVerificationRefusal,
    UpdateAccountRefusal, UpdateContactRefusal, UpdateMemberRefusal, UpsertMemberRefusal, VerifyContactRefusal,
};
use crate::domain::notification::model::{NotificationAddress, NotificationDefaults, NotificationSettings};
use crate::domain::notification::{Refused, SendVerificationRefusal};
use crate::domain::top_up::{AutoTopUpView, TopUp};
use crate::domain::webhook_endpoint::model::WebhookEndpoint;
use crate::primitives::actor::AccessError;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, SessionId};

/// Why a mutation was refused. Clients treat a code they do not know as VALIDATION.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserErrorCode {
    /// An input is not valid in any state: correct it and send it again.
    Validation,
    /// The object with the given id does not exist, or belongs to another account.
    NotFound,
    /// The caller lacks the permission for this.
    Forbidden,
    /// The key was used before with a different input.
    IdempotencyKeyReused,
    /// The key was used before, so long ago that its result is no longer stored. Nothing was done now: look for the result, and use a
    /// new key only for a new operation.
    IdempotencyKeyExpired,
    /// The object has changed since expectedVersion; the payload contains its current state.
    VersionConflict,
    /// Too few credits are available.
    InsufficientCredits,
    /// The account is frozen: it accepts no new bookings or purchases.
    AccountFrozen,
    /// The account is closed permanently.
    AccountClosed,
    /// The member was removed from the team.
    MemberRemoved,
    /// The session was completed, canceled or missed before; the payload contains its current state.
    SessionAlreadyResolved,
    /// The hold of the session expired and was released, and the credits are no longer available.
    SessionExpired,
    /// Another open session has this external id; the payload contains it.
    SessionExternalIdTaken,
    /// The charge is more than the held credits, without allowOverage or above the operator's limit.
    ChargeExceedsHold,
    /// The refund is more than what is left of the charge.
    RefundExceedsCharge,
    /// The top-up cannot be retried in its current state.
    TopUpNotRetryable,
    /// A top-up is in progress; the payload contains it.
    TopUpInProgress,
    /// The top-up can no longer be canceled.
    TopUpNotCancelable,
    /// There is no payment method to charge.
    PaymentMethodMissing,
    /// The payment method was suspended after refused charges.
    PaymentMethodSuspended,
    /// The gateway refused the payment method.
    PaymentMethodRefused,
    /// Too many payment methods were tried within 24 hours, in the account or by the caller.
    PaymentMethodTrialsExceeded,
    /// The change needs the consent of a person.
    ConsentRequired,
    /// The monthly cap is below the price of one amount.
    CapTooLow,
    /// This preference cannot be disabled.
    PreferenceLocked,
    /// The contact is not valid, so it cannot receive mail or be verified.
    ContactInvalid,
    /// The verification code is wrong or has expired.
    CodeInvalid,
    /// The delivery cannot be sent again.
    DeliveryNotResendable,
    /// Another account or member has this external id; the payload contains the object of this mutation in its current state.
    ExternalIdTaken,
    /// The account has the maximum number of lots with credits left.
    LotLimit,
    /// The account is busy: retry after retryAfterSeconds.
    Busy,
    /// Too many requests: retry after retryAfterSeconds.
    RateLimited,
    /// The team would have no owner.
    LastOwner,
    /// Another notification address of the account has this email; the payload contains it.
    EmailTaken,
    /// The account has the maximum number of notification addresses.
    NotificationAddressLimit,
    /// There is the maximum number of webhook endpoints.
    WebhookEndpointLimit,
    /// The webhook endpoint is disabled or deleted: nothing is sent to it.
    WebhookEndpointDisabled,
    /// The payment gateway does not answer.
    GatewayUnavailable,
}

/// A refusal that the caller can act upon.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub(super) struct UserError {
    /// The kind of refusal, for programs.
    pub code: UserErrorCode,
    /// The text in English.
    #[graphql(skip)]
    pub message: String,
    /// The path in the input, e.g. `["credits"]`. Null when no single field is the cause.
    pub field: Option<Vec<String>>,
    /// BUSY and `RATE_LIMITED`: when to retry.
    pub retry_after_seconds: Option<i32>,
    /// `INSUFFICIENT_CREDITS`: the number of missing credits.
    pub missing_credits: Option<Credits>,
    /// `INSUFFICIENT_CREDITS`: the number of available credits.
    pub available: Option<Credits>,
    /// `INSUFFICIENT_CREDITS`: the number of credits that are held for sessions, disputes and refunds.
    pub held: Option<Credits>,
}

#[ComplexObject]
impl UserError {
    /// A human-readable explanation in the viewer's language.
    async fn message(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        let scope = scope(ctx)?;
        let field = self.field.as_ref().map(|path| path.join("."));
        let refused = Refused {
            code: self.code.name(),
            message: &self.message,
            field: field.as_deref(),
            missing: self.missing_credits,
            retry_after_seconds: self.retry_after_seconds,
        };
        let reader = scope.reader().await?;
        let words = scope.services.wording.refusal(&refused, &reader.locale)?;
        Ok(words.unwrap_or_else(|| self.message.clone()))
    }
}

impl UserErrorCode {
    /// Returns the name that clients see.
    pub(super) fn name(self) -> &'static str {
        let items = <Self as EnumType>::items();
        items
            .iter()
            .find(|item| item.value == self)
            .map_or("", |item| item.name)
    }
}

impl UserError {
    pub(super) fn new(code: UserErrorCode, field: Option<&str>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: field.map(path),
            retry_after_seconds: None,
            missing_credits: None,
            available: None,
            held: None,
        }
    }

    /// Returns the same error with its path inside an item of a list.
    pub(super) fn within(mut self, item: &[&str]) -> Self {
        let mut field: Vec<String> = item.iter().map(|&segment| segment.to_owned()).collect();
        field.extend(self.field.take().unwrap_or_default());
        self.field = Some(field);
        self
    }
}

/// Splits a dotted path of the domain into the list of the contract.
fn path(dotted: &str) -> Vec<String> {
    dotted.split('.').map(str::to_owned).collect()
}

/// The object that a refusal is about, in its current state, where the contract promises it.
#[derive(Clone, Debug)]
pub(super) enum Present {
    Session(AccountId, SessionId),
    /// The balance of this account; a refused posting must return all its fields.
    Balance(AccountId),
    Account(Box<Account>),
    Member(Box<Member>),
    TopUp(Box<TopUp>),
    AutoTopUp(Box<AutoTopUpView>),
    Contact(Box<Contact>),
    Settings(Box<NotificationSettings>),
    Defaults(Box<NotificationDefaults>),
    Address(Box<NotificationAddress>),
    WebhookEndpoint(Box<WebhookEndpoint>),
}

/// Why a mutation had no effect.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The caller can act upon it.
    Refused(Box<UserError>, Option<Present>),
    /// The caller cannot act upon it.
    Fault(ApiError),
}

impl Failure {
    pub(super) fn new(code: UserErrorCode, field: Option<&str>, message: impl Into<String>) -> Self {
        Self::Refused(Box::new(UserError::new(code, field, message)), None)
    }

    pub(super) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::new(UserErrorCode::Validation, Some(field), message)
    }

    pub(super) fn not_found(field: &str, what: &str) -> Self {
        Self::new(
            UserErrorCode::NotFound,
            Some(field),
            format!("this {what} does not exist"),
        )
    }

    /// Converts the error of a use case, and its refusal by `refused`.
    pub(super) fn of<R>(error: UseCaseError<R>, refused: impl FnOnce(R) -> Self) -> Self {
        match error {
            UseCaseError::Refused(refusal) => refused(refusal),
            UseCaseError::Invalid(InvalidInput { field, message }) => Self::invalid(field, message),
            UseCaseError::Access(error) => error.into(),
            UseCaseError::Fault(fault) => fault.into(),
        }
    }

    pub(super) fn with(self, present: Present) -> Self {
        match self {
            Self::Refused(error, _) => Self::Refused(error, Some(present)),
            Self::Fault(_) => self,
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Fault(error)
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NotFound => Self::not_found("accountId", "account"),
            AccessError::OwnersOnly | AccessError::Forbidden(_) => {
                Self::new(UserErrorCode::Forbidden, None, error.to_string())
            }
        }
    }
}

impl From<Infallible> for Failure {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl<R> From<UseCaseError<R>> for Failure
where
    Self: From<R>,
{
    fn from(error: UseCaseError<R>) -> Self {
        Self::of(error, Self::from)
    }
}

/// The input fields that a refusal of the ledger may be about.
#[derive(Clone, Copy, Debug)]
pub(super) struct LedgerFields {
    pub account_id: AccountId,
    pub member: &'static str,
    pub session: &'static str,
    pub amount: &'static str,
}

impl LedgerFields {
    pub(super) fn failure(self, error: LedgerError) -> Failure {
        match error {
            LedgerError::Refused(refusal) => match self.refusal(&refusal) {
                Failure::Refused(error, None) => Failure::Refused(error, Some(Present::Balance(self.account_id))),
                failure => failure,
            },
            LedgerError::Access(error) => error.into(),
            LedgerError::Busy { retry_after_seconds } => Failure::Refused(
                Box::new(UserError {
                    retry_after_seconds: Some(i32::try_from(retry_after_seconds).unwrap_or(i32::MAX)),
                    ..UserError::new(
                        UserErrorCode::Busy,
                        None,
                        "this account has too many waiting commands; try again shortly",
                    )
                }),
                None,
            ),
            LedgerError::Fault(fault) => fault.into(),
        }
    }

    fn refusal(self, refusal: &Refusal) -> Failure {
        use UserErrorCode as Code;
        let message = refusal.to_string();
        let refused = |code, field| Failure::new(code, field, message.clone());
        let missing = |code, missing| {
            let error = UserError::new(code, Some(self.amount), message.clone());
            let missing_credits = Some(missing);
            Failure::Refused(
                Box::new(UserError {
                    missing_credits,
                    ..error
                }),
                None,
            )
        };
        let session = |failure: Failure, id: &SessionId| failure.with(Present::Session(self.account_id, *id));
        match refusal {
            Refusal::IdempotencyKey(refusal) => (*refusal).into(),
            Refusal::InsufficientCredits {
                missing: credits,
                available,
                held,
            } => match missing(Code::InsufficientCredits, *credits) {
                Failure::Refused(error, present) => Failure::Refused(
                    Box::new(UserError {
                        available: Some(*available),
                        held: Some(*held),
                        ..*error
                    }),
                    present,
                ),
                fault @ Failure::Fault(_) => fault,
            },
            Refusal::AccountFrozen { reason: _ } => refused(Code::AccountFrozen, None),
            Refusal::AccountClosed => refused(Code::AccountClosed, None),
            Refusal::MemberNotFound => refused(Code::NotFound, Some(self.member)),
            Refusal::MemberRemoved => refused(Code::MemberRemoved, Some(self.member)),
            Refusal::ActingMemberNotFound => refused(Code::NotFound, Some("actingMemberId")),
            Refusal::ActingMemberRemoved => refused(Code::MemberRemoved, Some("actingMemberId")),
            Refusal::SessionNotFound => refused(Code::NotFound, Some(self.session)),
            Refusal::SessionAlreadyResolved { session_id, status: _ } => {
                session(refused(Code::SessionAlreadyResolved, Some(self.session)), session_id)
            }
            Refusal::SessionExpired {
                session_id,
                missing: credits,
            } => session(missing(Code::SessionExpired, *credits), session_id),
            Refusal::SessionExternalIdTaken { session_id } => {
                session(refused(Code::SessionExternalIdTaken, Some("externalId")), session_id)
            }
            Refusal::ChargeExceedsHold {
                at_most: _,
                with_overage: _,
            } => refused(Code::ChargeExceedsHold, Some(self.amount)),
            Refusal::FeeExceedsBooked { booked: _ } => refused(Code::Validation, Some("fee")),
            Refusal::RefundExceedsCharge { .. } | Refusal::RefundExceedsUnspent { .. } => {
                refused(Code::RefundExceedsCharge, Some(self.amount))
            }
            Refusal::EntryNotFound => refused(Code::NotFound, Some("reversesEntryId")),
            Refusal::NotReversible(_) => refused(Code::Validation, Some("reversesEntryId")),
            Refusal::LotLimit => refused(Code::LotLimit, None),
            Refusal::Invalid { field, message: _ } => refused(Code::Validation, Some(field)),
            Refusal::Overflow => refused(Code::Validation, Some(self.amount)),
            Refusal::AlreadyCredited { entry_id: _ } => refused(Code::Validation, None),
        }
    }
}

impl From<KeyRefusal> for Failure {
    fn from(refusal: KeyRefusal) -> Self {
        let code = match refusal {
            KeyRefusal::Reused => UserErrorCode::IdempotencyKeyReused,
            KeyRefusal::Expired { used_at: _ } => UserErrorCode::IdempotencyKeyExpired,
        };
        Self::new(code, Some("idempotencyKey"), refusal.to_string())
    }
}

fn external_id_of_platform(message: String) -> Failure {
    Failure::new(UserErrorCode::Forbidden, Some("externalId"), message)
}

pub(super) fn vouching_of_platform(message: String) -> Failure {
    Failure::new(UserErrorCode::Forbidden, Some("emailVerified"), message)
}

fn last_owner() -> Failure {
    Failure::new(
        UserErrorCode::LastOwner,
        None,
        "a team must keep at least one owner: make another member an owner first",
    )
}

fn external_id_taken(what: &str) -> Failure {
    Failure::new(
        UserErrorCode::ExternalIdTaken,
        Some("externalId"),
        format!("another {what} has this externalId"),
    )
}

pub(super) fn version_conflict() -> Failure {
    Failure::new(
        UserErrorCode::VersionConflict,
        Some("expectedVersion"),
        "it was changed since expectedVersion: read it again, then repeat the change",
    )
}

impl From<CreateAccountRefusal> for Failure {
    fn from(error: CreateAccountRefusal) -> Self {
        match error {
            CreateAccountRefusal::ExternalIdTaken(account) => {
                external_id_taken("account").with(Present::Account(account))
            }
        }
    }
}

impl From<UpdateAccountRefusal> for Failure {
    fn from(error: UpdateAccountRefusal) -> Self {
        match error {
            UpdateAccountRefusal::ExternalIdOfPlatform => external_id_of_platform(error.to_string()),
            UpdateAccountRefusal::ExternalIdTaken(account) => {
                external_id_taken("account").with(Present::Account(account))
            }
            UpdateAccountRefusal::VersionConflict(account) => version_conflict().with(Present::Account(account)),
        }
    }
}

impl From<AddMemberRefusal> for Failure {
    fn from(error: AddMemberRefusal) -> Self {
        match error {
            AddMemberRefusal::ExternalIdOfPlatform => external_id_of_platform(error.to_string()),
            AddMemberRefusal::VouchingOfPlatform => vouching_of_platform(error.to_string()),
            AddMemberRefusal::ExternalIdTaken(member) => external_id_taken("member").with(Present::Member(member)),
        }
    }
}

impl From<UpsertMemberRefusal> for Failure {
    fn from(error: UpsertMemberRefusal) -> Self {
        match error {
            UpsertMemberRefusal::ExternalIdOfPlatform => external_id_of_platform(error.to_string()),
            UpsertMemberRefusal::LastOwner => last_owner(),
        }
    }
}

impl From<UpdateMemberRefusal> for Failure {
    fn from(error: UpdateMemberRefusal) -> Self {
        match error {
            UpdateMemberRefusal::NotFound => Self::not_found("memberId", "member"),
            UpdateMemberRefusal::ExternalIdOfPlatform => external_id_of_platform(error.to_string()),
            UpdateMemberRefusal::MemberRemoved => member_removed(),
            UpdateMemberRefusal::LastOwner => last_owner(),
            UpdateMemberRefusal::ExternalIdTaken(member) => external_id_taken("member").with(Present::Member(member)),
            UpdateMemberRefusal::VersionConflict(member) => version_conflict().with(Present::Member(member)),
        }
    }
}

impl From<RemoveMemberRefusal> for Failure {
    fn from(error: RemoveMemberRefusal) -> Self {
        match error {
            RemoveMemberRefusal::NotFound => Self::not_found("memberId", "member"),
            RemoveMemberRefusal::LastOwner => last_owner(),
        }
    }
}

pub(super) fn member_removed() -> Failure {
    Failure::new(
        UserErrorCode::MemberRemoved,
        Some("memberId"),
        "this member was removed from the team",
    )
}

impl From<UpdateContactRefusal> for Failure {
    fn from(error: UpdateContactRefusal) -> Self {
        match error {
            UpdateContactRefusal::NotFound => Self::not_found("memberId", "member"),
            UpdateContactRefusal::MemberRemoved => member_removed(),
            UpdateContactRefusal::VouchingOfPlatform => vouching_of_platform(error.to_string()),
            UpdateContactRefusal::VersionConflict(contact) => version_conflict().with(Present::Contact(contact)),
        }
    }
}

impl From<VerifyContactRefusal> for Failure {
    fn from(error: VerifyContactRefusal) -> Self {
        match error {
            VerifyContactRefusal::NotFound => Self::not_found("memberId", "member"),
            VerifyContactRefusal::CodeInvalid => Self::new(UserErrorCode::CodeInvalid, Some("code"), error.to_string()),
        }
    }
}

impl From<SendVerificationRefusal> for Failure {
    fn from(error: SendVerificationRefusal) -> Self {
        let message = error.to_string();
        let invalid = |message: String| Self::new(UserErrorCode::ContactInvalid, Some("memberId"), message);
        match error {
            SendVerificationRefusal::Start(error) => match error {
                StartVerificationRefusal::NotFound => Self::not_found("memberId", "member"),
                StartVerificationRefusal::NoAddress | StartVerificationRefusal::AlreadyVerified => invalid(message),
                StartVerificationRefusal::TooSoon { retry_after_seconds }
                | StartVerificationRefusal::TooMany { retry_after_seconds } => {
                    rate_limited(retry_after_seconds, message)
                }
            },
            SendVerificationRefusal::Rejected(_) => invalid(message),
        }
    }
}

pub(super) fn rate_limited(retry_after_seconds: u32, message: String) -> Failure {
    let error = UserError {
        retry_after_seconds: Some(i32::try_from(retry_after_seconds).unwrap_or(i32::MAX)),
        ..UserError::new(UserErrorCode::RateLimited, None, message)
    };
    Failure::Refused(Box::new(error), None)
}
