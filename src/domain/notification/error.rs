//! Refusals of the use cases about notifications, one enum each.

use crate::domain::database::MayFault;
use crate::domain::fault::{Fault, UseCaseError};
use crate::domain::member::StartVerificationRefusal;

use super::model::{
    AlertKind, Channel, MOST_ADDRESSES, NotificationAddress, NotificationDefaults, NotificationSettings,
};

/// Reasons why settings are not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateSettingsRefusal {
    /// The member does not exist.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// This kind cannot be switched off for this channel.
    #[error("{} cannot be switched off for {}: a critical alert needs at least one working channel", .kind.as_str(), .channel.as_str())]
    Locked {
        /// The index of the preference in the input.
        at: usize,
        /// The kind of the preference.
        kind: AlertKind,
        /// The channel of the preference.
        channel: Channel,
    },
    /// The settings were changed since the expected version. Carries the current settings.
    #[error("the settings were changed in the meantime: their version is {}", .0.version)]
    VersionConflict(Box<NotificationSettings>),
    /// The account's defaults were changed since the expected version. Carries the current defaults.
    #[error("the defaults were changed in the meantime: their version is {}", .0.version)]
    DefaultsConflict(Box<NotificationDefaults>),
}

/// Reason why the settings of several members are not changed. None of them are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct UpdateManyError {
    /// The index of the member; `None` where the error is about the change itself.
    pub at: Option<usize>,
    /// The reason.
    pub error: UseCaseError<UpdateSettingsRefusal>,
}

impl<E: Into<UseCaseError<UpdateSettingsRefusal>>> From<E> for UpdateManyError {
    fn from(error: E) -> Self {
        let error = error.into();
        Self { at: None, error }
    }
}

impl MayFault for UpdateManyError {
    fn fault(&self) -> Option<&Fault> {
        self.error.fault()
    }
}

/// Reasons why no test is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendTestRefusal {
    /// The member does not exist.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// The limit for tests, or for mail to unverified addresses, is reached.
    #[error("too many tests were sent to this member or in this account: retry in {retry_after_seconds} s")]
    TooMany {
        /// Seconds until another test is possible.
        retry_after_seconds: u32,
    },
}

/// Reasons why alerts are not marked. None of them is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkRefusal {
    /// This alert is not in the member's inbox.
    #[error("this alert is not in the member's inbox")]
    NotFound {
        /// The index of the alert in the input; `None` for the alert up to which to mark.
        at: Option<usize>,
    },
}

/// Reasons why a delivery is not sent again. It does not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResendRefusal {
    /// The delivery does not exist, or the actor may not see it.
    #[error("this delivery does not exist")]
    NotFound,
    /// The delivery cannot be sent again, for this reason.
    #[error("this delivery cannot be sent again: {0}")]
    NotResendable(&'static str),
    /// The limit for mail to unverified addresses is reached.
    #[error("today's limit of mail to unverified addresses is reached: retry in {retry_after_seconds} s")]
    TooMany {
        /// Seconds until the mail can be sent again.
        retry_after_seconds: u32,
    },
}

/// Reasons why no code is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendVerificationRefusal {
    /// No code is made, for this reason.
    #[error(transparent)]
    Start(#[from] StartVerificationRefusal),
    /// The mail system refuses the mail.
    #[error("the mail system does not accept mail for this address")]
    Rejected(String),
}

/// Why the requested state of a notification address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// A member or a key of the team vouches for an address.
    #[error(
        "only the platform can vouch for addresses; a team verifies an address with sendNotificationAddressVerification and verifyNotificationAddress"
    )]
    VouchingOfPlatform,
    /// The account already has a notification address with this e-mail address. Carries the current one.
    #[error("another notification address of the account has this e-mail address")]
    EmailTaken(Box<NotificationAddress>),
}

/// Reasons why no notification address is added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddAddressRefusal {
    /// The requested address is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidAddress),
    /// The account has the maximum number of addresses.
    #[error("an account has at most {MOST_ADDRESSES} notification addresses: remove one first")]
    Limit,
}

/// Reasons why a notification address is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateAddressRefusal {
    /// The requested change is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidAddress),
    /// The address does not exist, or it was removed.
    #[error("this notification address does not exist")]
    NotFound,
    /// The address was changed since the expected version. Carries the current one.
    #[error("the notification address was changed in the meantime: its version is {}", .0.contact.version)]
    VersionConflict(Box<NotificationAddress>),
}

/// Reasons why a notification address is not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveAddressRefusal {
    /// The address does not exist.
    #[error("this notification address does not exist")]
    NotFound,
}
