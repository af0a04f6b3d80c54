//! Addresses that get alerts and are no member's: accounting, for example.
//!
//! Who reads there need not be of the team. So such an address gets what is about the account's credits and money, and nothing about its
//! members; it gets nothing before it is verified; and it may refuse everything, because nobody there has undertaken to read anything.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::kind::{AlertKind, Channel};
use super::settings::{NotificationSettings, QuietHours};
use crate::domain::member::{Change, Contact, ContactPatch, Vouch};
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, NotificationAddressId};

/// Notification addresses of an account at the same time, at most.
pub const MOST_ADDRESSES: usize = 20;

/// What a notification address gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressWishes {
    /// The kinds of alerts.
    pub kinds: BTreeSet<AlertKind>,
    /// `LOW_BALANCE` is sent when what is available falls to or below this; else at the trigger of auto top-up.
    pub low_balance_threshold: Option<Credits>,
}

/// An address that gets alerts and is no member's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationAddress {
    /// Its id.
    pub id: NotificationAddressId,
    /// The account.
    pub account_id: AccountId,
    /// What the team calls it.
    pub label: String,
    /// Where mail goes, and how far that is to be trusted. Its version is the version of the whole.
    pub contact: Contact,
    /// Since when mail goes there and that is trusted so far.
    pub contact_since: Timestamp,
    /// What it gets.
    pub wishes: AddressWishes,
    /// Who added it.
    pub created_by: Cause,
    /// When it was added.
    pub created_at: Timestamp,
    /// Since when it gets nothing.
    pub removed_at: Option<Timestamp>,
}

/// A notification address to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAddress {
    /// What the team calls it.
    pub label: String,
    /// Where mail goes.
    pub email: String,
    /// Whether the platform vouches for it.
    pub email_verified: bool,
    /// What it gets.
    pub wishes: AddressWishes,
    /// The language of mail, as a BCP 47 tag; English when it is not known.
    pub locale: Option<String>,
    /// Times in mail are this zone's; the account's when it is not known.
    pub timezone: Option<Tz>,
}

/// A change of a notification address: what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPatch {
    /// What the team calls it.
    pub label: Option<String>,
    /// Where mail goes.
    pub contact: ContactPatch,
    /// The kinds of alerts that it gets.
    pub kinds: Option<BTreeSet<AlertKind>>,
    /// See [`AddressWishes::low_balance_threshold`].
    pub low_balance_threshold: Change<Credits>,
}

impl NotificationAddress {
    /// This address with the patch applied, under the next version if that changes anything.
    #[must_use]
    pub(in crate::domain::notification) fn patched(self, patch: &AddressPatch, vouched: Option<Vouch>) -> Self {
        let before = self.clone();
        let mut after = Self {
            contact: self.contact.patched(&patch.contact, vouched),
            ..self
        };
        after.label = patch.label.clone().unwrap_or(after.label);
        after.wishes.kinds = patch.kinds.clone().unwrap_or(after.wishes.kinds);
        match patch.low_balance_threshold {
            Change::Keep => {}
            Change::Clear => after.wishes.low_balance_threshold = None,
            Change::Set(threshold) => after.wishes.low_balance_threshold = Some(threshold),
        }
        if after != before {
            after.contact.version = before.contact.version.saturating_add(1);
        }
        after
    }

    /// This address without the kinds that `refused` names.
    #[must_use]
    pub(in crate::domain::notification) fn without(self, refused: &BTreeSet<AlertKind>) -> Self {
        let kinds = self.wishes.kinds.difference(refused).copied().collect();
        let patch = AddressPatch {
            kinds: Some(kinds),
            ..AddressPatch::nothing()
        };
        self.patched(&patch, None)
    }

    /// This address as it is once it is removed: nothing goes there, and where it was is forgotten.
    #[must_use]
    pub(in crate::domain::notification) fn removed(self, now: Timestamp) -> Self {
        let contact = self.contact.with_email(Change::Clear);
        Self {
            contact,
            removed_at: Some(now),
            ..self
        }
    }
}

impl AddressPatch {
    /// A change of nothing.
    pub(in crate::domain::notification) const fn nothing() -> Self {
        Self {
            label: None,
            contact: ContactPatch {
                expected_version: None,
                email: Change::Keep,
                email_verified: false,
                locale: None,
                timezone: None,
            },
            kinds: None,
            low_balance_threshold: Change::Keep,
        }
    }
}

/// What a recipient wants to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wishes {
    /// A member: by their settings, and where these say nothing by defaults.
    Member(NotificationSettings),
    /// An address that is no member's: what was chosen for it, by e-mail, and nothing else.
    Address(AddressWishes),
}

impl Wishes {
    /// What was said about a kind and a channel.
    pub fn preference(&self, kind: AlertKind, channel: Channel) -> Option<bool> {
        match self {
            Self::Member(settings) => settings.preference(kind, channel),
            Self::Address(wishes) => Some(channel == Channel::Email && wishes.kinds.contains(&kind)),
        }
    }

    /// When mail that is not critical waits.
    pub const fn quiet_hours(&self) -> Option<QuietHours> {
        match self {
            Self::Member(settings) => settings.quiet_hours,
            Self::Address(_) => None,
        }
    }

    /// At which level the recipient is to be notified that the balance is low: their own, else the rule's.
    pub fn low_level(&self, trigger: Option<Credits>) -> Option<Credits> {
        match self {
            Self::Member(settings) => settings.low_balance_threshold.or(trigger),
            Self::Address(wishes) if wishes.kinds.contains(&AlertKind::LowBalance) => {
                wishes.low_balance_threshold.or(trigger)
            }
            Self::Address(_) => None,
        }
    }

    /// Whether the recipient has said that they want no mail of this kind.
    pub(in crate::domain::notification) fn is_mail_off(&self, kind: AlertKind) -> bool {
        match self {
            // What the account says may change, and is not what the member has said.
            Self::Member(settings) => {
                settings.preferences.get(&(kind, Channel::Email)) == Some(&false) || !kind.is_optional(Channel::Email)
            }
            Self::Address(wishes) => !wishes.kinds.contains(&kind),
        }
    }
}
