//! Why a use case about notifications refuses: one enum for each.

use crate::domain::database::MayFault;
use crate::domain::fault::Fault;
use crate::domain::member::{InvalidInput, StartVerificationError};
use crate::primitives::actor::AccessError;

use super::model::{
    AlertKind, Channel, MOST_ADDRESSES, NotificationAddress, NotificationDefaults, NotificationSettings,
};

/// Why settings are not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateSettingsError {
    /// The account is not the caller's, or the settings not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no such member.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// Too many preferences at once, or one named twice.
    #[error("{0}")]
    Preferences(&'static str),
    /// Not an amount that a balance could fall to.
    #[error("must be 0 or more, and no more than an account can hold")]
    Threshold,
    /// They would end where they begin.
    #[error("must end at another time than they begin; null switches them off")]
    QuietHours,
    /// This kind cannot be switched off for this channel.
    #[error("{} cannot be switched off for {}: a critical alert keeps a way that works", .kind.as_str(), .channel.as_str())]
    Locked {
        /// Which of the preferences in the input.
        at: usize,
        /// Its kind.
        kind: AlertKind,
        /// Its channel.
        channel: Channel,
    },
    /// Somebody changed them since the version that was expected. They are given as they are now.
    #[error("the settings were changed in the meantime: their version is {}", .0.version)]
    VersionConflict(Box<NotificationSettings>),
    /// The account's defaults were changed since the version that was expected. They are given as they are now.
    #[error("the defaults were changed in the meantime: their version is {}", .0.version)]
    DefaultsConflict(Box<NotificationDefaults>),
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why the settings of several members are not changed. None of them are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct UpdateManyError {
    /// Which of the members it is about; `None` where it is about the change itself.
    pub at: Option<usize>,
    /// Why.
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

/// Why no test is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendTestError {
    /// The account is not the caller's, or the member not theirs to send a test to.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no such member.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// Enough tests were sent, or enough mail to addresses that are not verified.
    #[error("enough tests were sent to this member or in this account: ask again in {retry_after_seconds} s")]
    TooMany {
        /// When there is room again.
        retry_after_seconds: u32,
    },
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why alerts are not marked. None of them is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// The account is not the caller's, or the inbox not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Too many at once.
    #[error("at most {} alerts at once; with upTo there is no limit", super::alerts::MOST_MARKED)]
    TooMany,
    /// This alert is not in the member's inbox.
    #[error("this alert is not in the member's inbox")]
    NotFound {
        /// Which of those that are named; `None` for the one up to which to mark.
        at: Option<usize>,
    },
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a delivery is not sent again. It stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResendError {
    /// The account is not the caller's.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no such delivery, or it is not theirs to see.
    #[error("this delivery does not exist")]
    NotFound,
    /// It cannot be sent again, for this reason.
    #[error("this delivery cannot be sent again: {0}")]
    NotResendable(&'static str),
    /// Enough mail went to addresses that are not verified.
    #[error("enough mail was sent today to addresses that are not verified: ask again in {retry_after_seconds} s")]
    TooMany {
        /// When there is room again.
        retry_after_seconds: u32,
    },
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why no code is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendVerificationError {
    /// No code is made.
    #[error(transparent)]
    Start(#[from] StartVerificationError),
    /// The mail system will not have it.
    #[error("the mail system does not take mail for this address")]
    Rejected(String),
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What is wrong with what a notification address is to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// A text is no good.
    #[error(transparent)]
    Input(#[from] InvalidInput),
    /// A member or a key of the team vouches for an address.
    #[error(
        "only the platform vouches for addresses; a team verifies one with sendNotificationAddressVerification and \
         verifyNotificationAddress"
    )]
    VouchingOfPlatform,
    /// This kind is for members alone.
    #[error("alerts of kind {} are for members alone", .0.as_str())]
    Kind(AlertKind),
    /// Not an amount that a balance could fall to.
    #[error("must be 0 or more, and no more than an account can hold")]
    Threshold,
    /// The account has a notification address with this e-mail address. It is given as it is now.
    #[error("another notification address of the account has this e-mail address")]
    EmailTaken(Box<NotificationAddress>),
}

/// Why no notification address is added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddAddressError {
    /// The account is not the caller's, or its settings not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// What is asked for is no good.
    #[error(transparent)]
    Invalid(#[from] InvalidAddress),
    /// The account has as many as it may.
    #[error("an account has at most {MOST_ADDRESSES} notification addresses: remove one first")]
    Limit,
    /// An internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a notification address is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateAddressError {
    /// The account is not the caller's, or its settings not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// What is asked for is no good.
    #[error(transparent)]
    Invalid(#[from] InvalidAddress),
    /// There is no such address, or it was removed.
    #[error("this notification address does not exist")]
    NotFound,
    /// It was changed since the version that was expected. It is given as it is now.
    #[error("the notification address was changed in the meantime: its version is {}", .0.contact.version)]
    VersionConflict(Box<NotificationAddress>),
    /// An internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a notification address is not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveAddressError {
    /// The account is not the caller's, or its settings not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no such address.
    #[error("this notification address does not exist")]
    NotFound,
    /// An internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why what became of a mail is not noted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BounceError {
    /// There is no such account.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Nobody out there can mend it.
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
