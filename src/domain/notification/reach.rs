//! Whom of a team news reaches, as one transaction sees it, for whoever finds out why something did not arrive.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId, NotificationAddressId};

use super::model::{
    AlertKind, Case, Channel, Delivery, DeliveryStatus, NotificationAddress, NotificationSettings, Party, Verdict,
    resolve,
};
use super::store;

/// So many people are looked at, and so many mails.
const MOST: u32 = 100;
/// Mail that was given up longer ago is no longer of interest.
const INTEREST_MILLIS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Those of a team who are to be told, and mail that does not get through.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Owners and admins, then others from whom mail comes back or who want mail and have no verified address, each in the order they
    /// joined.
    pub people: Vec<Reached>,
    /// Addresses that are no member's, for which some kind was chosen, in the order they were added.
    pub addresses: Vec<ReachedAddress>,
    /// Mail of the last days that failed and was not sent since, oldest first.
    pub failing: Vec<Delivery>,
    /// Whether any mail of the last days has not been sent yet, or was given up: what becomes of it is no event.
    pub has_unsent: bool,
}

/// How a member is reached.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Who.
    pub member_id: MemberId,
    /// What they are called.
    pub name: String,
    /// Their standing.
    pub role: MemberRole,
    /// The address.
    pub email: Option<String>,
    /// How far it is to be trusted.
    pub contact: ContactStatus,
    /// What the mail system said when it last bounced.
    pub bounce_message: Option<String>,
    /// Since when the address stands so.
    pub contact_since: Timestamp,
    /// What they want to be told of.
    pub settings: NotificationSettings,
    /// Since when they have said so.
    pub settings_since: Timestamp,
}

/// How an address that is no member's is reached.
#[derive(Clone, Debug)]
pub struct ReachedAddress {
    /// Which.
    pub id: NotificationAddressId,
    /// What the team calls it.
    pub label: String,
    /// The address.
    pub email: Option<String>,
    /// How far it is to be trusted.
    pub contact: ContactStatus,
    /// What the mail system said when it last bounced.
    pub bounce_message: Option<String>,
    /// Since when the address stands so.
    pub contact_since: Timestamp,
}

impl ReachedAddress {
    fn of(address: NotificationAddress) -> Self {
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

/// Whom of an account news reaches.
pub(in crate::domain) async fn reach(tx: &Transaction, account_id: AccountId, now: Timestamp) -> Result<Reach, Fault> {
    let since = now.plus_millis(-INTEREST_MILLIS);
    let people = store::reached(tx, account_id, MOST).await?;
    let addresses = store::addresses(tx, account_id).await?.into_iter();
    let wanting = addresses.filter(|address| !address.wishes.kinds.is_empty());
    let unsent = store::unsent(tx, account_id, since, MOST).await?;
    let has_unsent = !unsent.is_empty();
    let is_failing = |mail: &Delivery| {
        let was_tried = mail.attempts > 1 && mail.last_error.is_some();
        mail.status == DeliveryStatus::Failed || was_tried
    };
    Ok(Reach {
        people,
        addresses: wanting.map(ReachedAddress::of).collect(),
        failing: unsent.into_iter().filter(is_failing).collect(),
        has_unsent,
    })
}

impl Reached {
    /// Whether alerts for admins are for this member.
    pub fn is_admin(&self) -> bool {
        matches!(self.role, MemberRole::Owner | MemberRole::Admin)
    }

    /// At which level this member is told that the balance is low: their own, else the rule's.
    pub fn low_level(&self, trigger: Option<Credits>) -> Option<Credits> {
        self.settings.low_balance_threshold.or(trigger)
    }

    /// Whether an alert of this kind would reach the member by any channel, as the resolver says who decides when it is raised.
    pub fn would_hear(&self, kind: AlertKind, now: Timestamp) -> bool {
        let mut channels = Channel::ALL.iter();
        channels.any(|channel| self.gets((kind, *channel), false, self.contact, now))
    }

    /// Whether any alert would be mailed to the member if their address were verified, as the resolver says who decides when one is
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
