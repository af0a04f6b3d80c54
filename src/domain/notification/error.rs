//! Refusals of the use cases about notifications, one enum each.

use crate::domain::database::MayFault;
use crate::domain::fault::Fault;
use crate::domain::member::{InvalidInput, StartVerificationError};
use crate::primitives::actor::AccessError;

use super::model::{
    AlertKind, Channel, MOST_ADDRESSES, NotificationAddress, NotificationDefaults, NotificationSettings,
};

/// Reasons why settings are not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateSettingsError {
    /// The account belongs to another team, or the actor may not change the settings.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The member does not exist.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// Too many preferences at once, or one named twice.
    #[error("{0}")]
    Preferences(&'static str),
    /// The threshold is not an amount that a balance could fall to.
    #[error("must not be negative or more than an account can hold")]
    Threshold,
    /// The quiet hours end when they begin.
    #[error("must end at another time than they begin; null switches them off")]
    QuietHours,
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
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Reason why the settings of several members are not changed. None of them are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct UpdateManyError {
    /// The index of the member; `None` where the error is about the change itself.
    pub at: Option<usize>,
    /// The reason.
    pub error: UpdateSettingsError,
}

impl From<UpdateSettingsError> for UpdateManyError {
    fn from(error: UpdateSettingsError) -> Self {
        Self { at: None, error }
    }
}

impl From<AccessError> for UpdateManyError {
    fn from(error: AccessError) -> Self {
        UpdateSettingsError::from(error).into()
    }
}

impl From<Fault> for UpdateManyError {
    fn from(fault: Fault) -> Self {
        UpdateSettingsError::from(fault).into()
    }
}

impl MayFault for UpdateManyError {
    fn fault(&self) -> Option<&Fault> {
        self.error.fault()
    }
}

/// Reasons why no test is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendTestError {
    /// The account belongs to another team, or the actor may not send a test to the member.
    #[error(transparent)]
    Access(#[from] AccessError),
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
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Reasons why alerts are not marked. None of them is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// The account belongs to another team, or the actor may not change the inbox.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Too many alerts at once.
    #[error(
        "at most {} alerts are allowed at once; upTo has no limit",
        super::alerts::MOST_MARKED
    )]
    TooMany,
    /// This alert is not in the member's inbox.
    #[error("this alert is not in the member's inbox")]
    NotFound {
        /// The index of the alert in the input; `None` for the alert up to which to mark.
        at: Option<usize>,
    },
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Reasons why a delivery is not sent again. It does not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResendError {
    /// The account belongs to another team.
    #[error(transparent)]
    Access(#[from] AccessError),
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
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Reasons why no code is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendVerificationError {
    /// No code is made, for this reason.
    #[error(transparent)]
    Start(#[from] StartVerificationError),
    /// The mail system refuses the mail.
    #[error("the mail system does not accept mail for this address")]
    Rejected(String),
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What is wrong with the requested state of a notification address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// A text is invalid.
    #[error(transparent)]
    Input(#[from] InvalidInput),
    /// A member or a key of the team vouches for an address.
    #[error(
        "only the platform can vouch for addresses; a team verifies an address with sendNotificationAddressVerification and verifyNotificationAddress"
    )]
    VouchingOfPlatform,
    /// This kind goes to members only.
    #[error("alerts of kind {} are only for members", .0.as_str())]
    Kind(AlertKind),
    /// The threshold is not an amount that a balance could fall to.
    #[error("must not be negative or more than an account can hold")]
    Threshold,
    /// The account already has a notification address with this e-mail address. Carries the current one.
    #[error("another notification address of the account has this e-mail address")]
    EmailTaken(Box<NotificationAddress>),
}

/// Reasons why no notification address is added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddAddressError {
    /// The account belongs to another team, or the actor may not change its settings.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The requested address is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidAddress),
    /// The account has the maximum number of addresses.
    #[error("an account has at most {MOST_ADDRESSES} notification addresses: remove one first")]
    Limit,
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Reasons why a notification address is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateAddressError {
    /// The account belongs to another team, or the actor may not change its settings.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The requested change is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidAddress),
    /// The address does not exist, or it was removed.
    #[error("this notification address does not exist")]
    NotFound,
    /// The address was changed since the expected version. Carries the current one.
    #[error("the notification address was changed in the meantime: its version is {}", .0.contact.version)]
    VersionConflict(Box<NotificationAddress>),
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Reasons why a notification address is not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveAddressError {
    /// The account belongs to another team, or the actor may not change its settings.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The address does not exist.
    #[error("this notification address does not exist")]
    NotFound,
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Reasons why the result of a mail is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BounceError {
    /// The account does not exist.
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

macro_rules! may_fault {
    ($($error:ident),* $(,)?) => {$(
        impl MayFault for $error {
            fn fault(&self) -> Option<&Fault> {
                match self {
                    Self::Fault(fault) => Some(fault),
                    _ => None,
                }
            }
        }
    )*};
}

may_fault!(
    UpdateSettingsError,
    SendTestError,
    MarkError,
    ResendError,
    AddAddressError,
    UpdateAddressError,
    RemoveAddressError,
    BounceError
);
