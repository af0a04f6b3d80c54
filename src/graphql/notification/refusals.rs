//! Error messages for refusals about notification addresses.

use crate::domain::member::{StartVerificationError, VerifyContactError};
use crate::domain::notification::{
    AddAddressError, InvalidAddress, RemoveAddressError, SendVerificationError, UpdateAddressError,
};
use crate::graphql::refusals::{Failure, Present, UserErrorCode, rate_limited, version_conflict, vouching_of_platform};

const FIELD: &str = "notificationAddressId";

fn not_found() -> Failure {
    Failure::not_found(FIELD, "notification address")
}

impl From<InvalidAddress> for Failure {
    fn from(error: InvalidAddress) -> Self {
        let message = error.to_string();
        match error {
            InvalidAddress::Input(error) => error.into(),
            InvalidAddress::VouchingOfPlatform => vouching_of_platform(message),
            InvalidAddress::Kind(_) => Self::invalid("alertKinds", message),
            InvalidAddress::Threshold => Self::invalid("lowBalanceThreshold", message),
            InvalidAddress::EmailTaken(other) => {
                Self::new(UserErrorCode::EmailTaken, Some("email"), message).with(Present::Address(other))
            }
        }
    }
}

impl From<AddAddressError> for Failure {
    fn from(error: AddAddressError) -> Self {
        let message = error.to_string();
        match error {
            AddAddressError::Access(error) => error.into(),
            AddAddressError::Invalid(error) => error.into(),
            AddAddressError::Limit => Self::new(UserErrorCode::NotificationAddressLimit, None, message),
            AddAddressError::Fault(fault) => fault.into(),
        }
    }
}

impl From<UpdateAddressError> for Failure {
    fn from(error: UpdateAddressError) -> Self {
        match error {
            UpdateAddressError::Access(error) => error.into(),
            UpdateAddressError::Invalid(error) => error.into(),
            UpdateAddressError::NotFound => not_found(),
            UpdateAddressError::VersionConflict(address) => version_conflict().with(Present::Address(address)),
            UpdateAddressError::Fault(fault) => fault.into(),
        }
    }
}

impl From<RemoveAddressError> for Failure {
    fn from(error: RemoveAddressError) -> Self {
        match error {
            RemoveAddressError::Access(error) => error.into(),
            RemoveAddressError::NotFound => not_found(),
            RemoveAddressError::Fault(fault) => fault.into(),
        }
    }
}

/// Why no verification mail went to a notification address.
pub(super) fn unsent_to_address(error: SendVerificationError) -> Failure {
    let message = error.to_string();
    let invalid = |message: String| Failure::new(UserErrorCode::ContactInvalid, Some(FIELD), message);
    match error {
        SendVerificationError::Start(error) => match error {
            StartVerificationError::Access(error) => error.into(),
            StartVerificationError::NotFound => not_found(),
            StartVerificationError::NoAddress => {
                invalid("there is no e-mail address: the notification address was removed".to_owned())
            }
            StartVerificationError::AlreadyVerified => invalid(message),
            StartVerificationError::TooSoon { retry_after_seconds }
            | StartVerificationError::TooMany { retry_after_seconds } => rate_limited(retry_after_seconds, message),
            StartVerificationError::Fault(fault) => fault.into(),
        },
        SendVerificationError::Rejected(_) => invalid(message),
        SendVerificationError::Fault(fault) => fault.into(),
    }
}

/// Why a code does not verify a notification address.
pub(super) fn unverified_address(error: VerifyContactError) -> Failure {
    match error {
        VerifyContactError::Access(error) => error.into(),
        VerifyContactError::NotFound => not_found(),
        VerifyContactError::CodeInvalid => Failure::new(
            UserErrorCode::CodeInvalid,
            Some("code"),
            "this code is wrong or has expired: request another one with sendNotificationAddressVerification",
        ),
        VerifyContactError::Fault(fault) => fault.into(),
    }
}
