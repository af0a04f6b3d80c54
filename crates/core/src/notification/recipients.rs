//! How alerts reach the recipients of an account, at one instant. Troubleshooting uses it to explain why an alert did not arrive.

use crate::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{MemberId, NotificationAddressId};
use crate::primitives::timestamp::Timestamp;

use super::{AlertKind, Case, Channel, Delivery, NotificationAddress, NotificationSettings, Party, Verdict, resolve};

/// The recipients of an account, and mail that does not get through.
#[derive(Clone, Debug, Default)]
pub struct RecipientSnapshot {
    /// Owners and admins, then others whose mail bounces, or who want mail and have no verified address. Each group is in the order
    /// they joined.
    pub people: Vec<MemberRecipient>,
    /// Notification addresses that chose at least one kind, in the order they were added.
    pub addresses: Vec<AddressRecipient>,
    /// Mail of the last days that failed and was not sent since, oldest first.
    pub failing: Vec<Delivery>,
    /// Whether any mail of the last days is unsent or was given up. The result of a mail appends no event.
    pub has_unsent: bool,
}

/// How a member is reached.
#[derive(Clone, Debug)]
pub struct MemberRecipient {
    /// The member.
    pub member_id: MemberId,
    /// The name of the member.
    pub name: String,
    /// The role in the team.
    pub role: MemberRole,
    /// The e-mail address.
    pub email: Option<String>,
    /// The status of the address.
    pub contact: ContactStatus,
    /// The error of the mail system at the last bounce.
    pub bounce_message: Option<String>,
    /// Start of the current status of the address.
    pub contact_since: Timestamp,
    /// The notification settings of the member.
    pub settings: NotificationSettings,
    /// Time of the last change of the settings.
    pub settings_since: Timestamp,
}

/// How a notification address is reached.
#[derive(Clone, Debug)]
pub struct AddressRecipient {
    /// The notification address.
    pub id: NotificationAddressId,
    /// The team's label for the address.
    pub label: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The status of the address.
    pub contact: ContactStatus,
    /// The error of the mail system at the last bounce.
    pub bounce_message: Option<String>,
    /// Start of the current status of the address.
    pub contact_since: Timestamp,
}

impl AddressRecipient {
    /// Returns how this address is reached.
    pub fn of(address: NotificationAddress) -> Self {
        Self {
            id: address.id,
            label: address.label,
            email: address.contact.email,
            contact: address.contact.email_status,
            bounce_message: address.contact.bounce_message,
            contact_since: address.contact_since,
        }
    }
}

impl MemberRecipient {
    /// Whether this member gets alerts for admins.
    pub fn is_admin(&self) -> bool {
        matches!(self.role, MemberRole::Owner | MemberRole::Admin)
    }

    /// The low-balance threshold of this member: their own, else the rule's trigger.
    pub fn low_level(&self, trigger: Option<Credits>) -> Option<Credits> {
        self.settings.low_balance_threshold.or(trigger)
    }

    /// Whether an alert of this kind would reach the member by any channel. The resolver decides, as when an alert is raised.
    pub fn would_be_notified(&self, kind: AlertKind, now: Timestamp) -> bool {
        let mut channels = Channel::ALL.iter();
        channels.any(|channel| self.gets((kind, *channel), false, self.contact, now))
    }

    /// Whether any alert would be mailed to the member if their address were verified. The resolver decides, as when an alert is
    /// raised. Tests do not count: a person asks for each of them.
    pub fn would_be_mailed(&self, now: Timestamp) -> bool {
        let mut kinds = AlertKind::ALL.iter().filter(|kind| **kind != AlertKind::Test);
        kinds.any(|kind| self.gets((*kind, Channel::Email), true, ContactStatus::Verified, now))
    }

    fn gets(
        &self,
        (kind, channel): (AlertKind, Channel),
        is_subject: bool,
        contact: ContactStatus,
        now: Timestamp,
    ) -> bool {
        let case = Case {
            kind,
            channel,
            party: Some(Party::Member(self.role)),
            is_subject,
            preference: self.settings.preference(kind, channel),
            contact,
            has_ended: false,
            last_mail: None,
            quiet_until: None,
            now,
        };
        matches!(resolve(&case), Verdict::Send(_))
    }
}
