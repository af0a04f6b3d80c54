//! Error messages for refusals about alerts, settings and notification addresses.

use crate::domain::member::{StartVerificationRefusal, VerifyContactRefusal};
use crate::domain::notification::{
    AddAddressRefusal, InvalidAddress, MarkRefusal, RemoveAddressRefusal, ResendRefusal, SendTestRefusal,
    SendVerificationRefusal, UpdateAddressRefusal, UpdateSettingsRefusal,
};
use crate::graphql::refusals::{
    Failure, Present, UserErrorCode, member_removed, rate_limited, version_conflict, vouching_of_platform,
};

const FIELD: &str = "notificationAddressId";

fn not_found() -> Failure {
    Failure::not_found(FIELD, "notification address")
}

impl From<InvalidAddress> for Failure {
    fn from(error: InvalidAddress) -> Self {
        let message = error.to_string();
        match error {
            InvalidAddress::VouchingOfPlatform => vouching_of_platform(message),
            InvalidAddress::EmailTaken(other) => {
                Self::new(UserErrorCode::EmailTaken, Some("email"), message).with(Present::Address(other))
            }
        }
    }
}

impl From<AddAddressRefusal> for Failure {
    fn from(error: AddAddressRefusal) -> Self {
        let message = error.to_string();
        match error {
            AddAddressRefusal::Invalid(error) => error.into(),
            AddAddressRefusal::Limit => Self::new(UserErrorCode::NotificationAddressLimit, None, message),
        }
    }
}

impl From<UpdateAddressRefusal> for Failure {
    fn from(error: UpdateAddressRefusal) -> Self {
        match error {
            UpdateAddressRefusal::Invalid(error) => error.into(),
            UpdateAddressRefusal::NotFound => not_found(),
            UpdateAddressRefusal::VersionConflict(address) => version_conflict().with(Present::Address(address)),
        }
    }
}

impl From<RemoveAddressRefusal> for Failure {
    fn from(error: RemoveAddressRefusal) -> Self {
        match error {
            RemoveAddressRefusal::NotFound => not_found(),
        }
    }
}

/// Why no verification mail went to a notification address.
pub(super) fn unsent_to_address(refusal: SendVerificationRefusal) -> Failure {
    let message = refusal.to_string();
    let invalid = |message: String| Failure::new(UserErrorCode::ContactInvalid, Some(FIELD), message);
    match refusal {
        SendVerificationRefusal::Start(refusal) => match refusal {
            StartVerificationRefusal::NotFound => not_found(),
            StartVerificationRefusal::NoAddress => {
                invalid("there is no e-mail address: the notification address was removed".to_owned())
            }
            StartVerificationRefusal::AlreadyVerified => invalid(message),
            StartVerificationRefusal::TooSoon { retry_after_seconds }
            | StartVerificationRefusal::TooMany { retry_after_seconds } => rate_limited(retry_after_seconds, message),
        },
        SendVerificationRefusal::Rejected(_) => invalid(message),
    }
}

/// Why a code does not verify a notification address.
pub(super) fn unverified_address(refusal: VerifyContactRefusal) -> Failure {
    match refusal {
        VerifyContactRefusal::NotFound => not_found(),
        VerifyContactRefusal::CodeInvalid => Failure::new(
            UserErrorCode::CodeInvalid,
            Some("code"),
            "this code is wrong or has expired: request another one with sendNotificationAddressVerification",
        ),
    }
}

impl From<SendTestRefusal> for Failure {
    fn from(error: SendTestRefusal) -> Self {
        match error {
            SendTestRefusal::NotFound => Self::not_found("memberId", "member"),
            SendTestRefusal::MemberRemoved => member_removed(),
            SendTestRefusal::TooMany { retry_after_seconds } => rate_limited(retry_after_seconds, error.to_string()),
        }
    }
}

impl From<ResendRefusal> for Failure {
    fn from(error: ResendRefusal) -> Self {
        match error {
            ResendRefusal::NotFound => Self::not_found("deliveryId", "delivery"),
            ResendRefusal::NotResendable(_) => Self::new(
                UserErrorCode::DeliveryNotResendable,
                Some("deliveryId"),
                error.to_string(),
            ),
            ResendRefusal::TooMany { retry_after_seconds } => rate_limited(retry_after_seconds, error.to_string()),
        }
    }
}

impl From<MarkRefusal> for Failure {
    fn from(error: MarkRefusal) -> Self {
        match error {
            MarkRefusal::NotFound { at: Some(at) } => Self::not_found(&format!("alertIds.{at}"), "alert"),
            MarkRefusal::NotFound { at: None } => Self::not_found("upTo", "alert"),
        }
    }
}

impl From<UpdateSettingsRefusal> for Failure {
    fn from(error: UpdateSettingsRefusal) -> Self {
        let message = error.to_string();
        match error {
            UpdateSettingsRefusal::NotFound => Self::not_found("memberId", "member"),
            UpdateSettingsRefusal::MemberRemoved => member_removed(),
            UpdateSettingsRefusal::Locked { at, .. } => {
                let field = format!("preferences.{at}.enabled");
                Self::new(UserErrorCode::PreferenceLocked, Some(&field), message)
            }
            UpdateSettingsRefusal::VersionConflict(settings) => version_conflict().with(Present::Settings(settings)),
            UpdateSettingsRefusal::DefaultsConflict(defaults) => version_conflict().with(Present::Defaults(defaults)),
        }
    }
}
