//! Refusals of the use cases about notifications, one enum each.

use crate::domain::database::MayFault;
use crate::domain::fault::{Fault, UseCaseError, refusals};
use crate::domain::member::StartVerificationRefusal;

use super::model::{
    AlertKind, Channel, MOST_ADDRESSES, NotificationAddress, NotificationDefaults, NotificationSettings,
};

refusals! {
    /// Reasons why settings are not changed.
    UpdateSettingsRefusal {
        /// The member does not exist.
        NotFound = "this member does not exist",
        /// The member left the team.
        MemberRemoved = "this member was removed from the team",
        /// This kind cannot be switched off for this channel.
        Locked {
            /// The index of the preference in the input.
            at: usize,
            /// The kind of the preference.
            kind: AlertKind,
            /// The channel of the preference.
            channel: Channel,
        } = "{kind} cannot be switched off for {channel}: a critical alert needs at least one working channel",
        /// The settings were changed since the expected version. Carries the current settings.
        VersionConflict(Box<NotificationSettings>) = "it was changed since expectedVersion: read it again, then repeat the change",
        /// The account's defaults were changed since the expected version. Carries the current defaults.
        DefaultsConflict(Box<NotificationDefaults>) = "it was changed since expectedVersion: read it again, then repeat the change",
    }
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

refusals! {
    /// Reasons why no test is sent.
    SendTestRefusal {
        /// The member does not exist.
        NotFound = "this member does not exist",
        /// The member left the team.
        MemberRemoved = "this member was removed from the team",
        /// The limit for tests, or for mail to unverified addresses, is reached.
        TooMany {
            /// Seconds until another test is possible.
            retry_after_seconds: u32,
        } = "too many tests were sent to this member or in this account: retry in {retry_after_seconds} s",
    }

    /// Reasons why alerts are not marked. None of them is.
    MarkRefusal {
        /// This alert is not in the member's inbox.
        NotFound {
            /// The index of the alert in the input; `None` for the alert up to which to mark.
            at: Option<usize>,
        } = "this alert is not in the member's inbox",
    }

    /// Reasons why a delivery is not sent again. It does not change.
    ResendRefusal {
        /// The delivery does not exist, or the actor may not see it.
        NotFound = "this delivery does not exist",
        /// The delivery cannot be sent again, for this reason.
        NotResendable(&'static str) = "this delivery cannot be sent again: {0}",
        /// The limit for mail to unverified addresses is reached.
        TooMany {
            /// Seconds until the mail can be sent again.
            retry_after_seconds: u32,
        } = "today's limit of mail to unverified addresses is reached: retry in {retry_after_seconds} s",
    }
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

refusals! {
    /// Why the requested state of a notification address is refused.
    InvalidAddress {
        /// A member or a key of the team vouches for an address.
        VouchingOfPlatform = "only the platform can vouch for addresses; a team verifies an address with sendNotificationAddressVerification and verifyNotificationAddress",
        /// The account already has a notification address with this e-mail address. Carries the current one.
        EmailTaken(Box<NotificationAddress>) = "another notification address of the account has this e-mail address",
    }
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

refusals! {
    /// Reasons why a notification address is not removed.
    RemoveAddressRefusal {
        /// The address does not exist.
        NotFound = "this notification address does not exist",
    }
}
