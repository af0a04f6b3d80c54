//! Confirms a notification address by the link of a mail, without signing in, because its readers need not be members.
//!
//! A signed link names the address that the mail went to, and when the link was made. It is valid for a week and for that address only. It
//! does nothing once the address has newer information: it was confirmed, or mail to it has bounced.

use std::sync::Arc;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::{self, Contact, ContactStatus};
use crate::primitives::clock::{Clock, DAY, Timestamp};
use crate::primitives::ids::{AccountId, GlobalId, NotificationAddressId, RecipientId};

use super::mail_links::{LinkOrder, MailLinks};
use super::model::NotificationAddress;
use super::store;

/// How long a link is valid.
const LINK_LIVES_MILLIS: i64 = 7 * DAY;

/// The claims of a link that confirms an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmOrder {
    account_id: AccountId,
    id: NotificationAddressId,
    address: String,
    made_at: Timestamp,
}

/// What a link that confirms an address offers to its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The language of the address, as a BCP 47 tag.
    pub locale: String,
    /// The state of the confirmation.
    pub state: ConfirmationState,
}

/// The state of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmationState {
    /// The address is not confirmed yet.
    Open,
    /// The address is confirmed.
    Done,
    /// There is nothing to confirm: the link is too old, or the address was removed or changed.
    Gone,
}

impl LinkOrder for ConfirmOrder {
    const PURPOSE: &'static str = "ledgerbell address confirmation link 1";
    const PATH: &'static str = "/confirm-address";
    const NEEDS_HTTPS: bool = false;

    fn claims(&self) -> String {
        let id = self.id.global(self.account_id);
        format!("{id}.{}.{}", self.address, self.made_at.millis())
    }

    fn of_claims(claims: &str) -> Option<Self> {
        let mut parts = claims.split('.');
        let (id, address, made_at) = (parts.next()?, parts.next()?, parts.next()?);
        let id: GlobalId = id.parse().ok()?;
        let RecipientId::Address(address_id) = RecipientId::of_global(id)? else {
            return None;
        };
        Some(Self {
            account_id: id.account_id,
            id: address_id,
            address: address.to_owned(),
            made_at: Timestamp::from_millis(made_at.parse().ok()?),
        })
    }

    fn address(&self) -> &str {
        &self.address
    }
}

impl MailLinks<ConfirmOrder> {
    /// Makes a link that confirms a notification address, for a mail to it. `None` for contacts of members, who sign in and enter a code.
    pub(super) fn make(&self, contact: &Contact, made_at: Timestamp) -> Option<String> {
        let (RecipientId::Address(id), Some(email)) = (contact.recipient, &contact.email) else {
            return None;
        };
        self.link(&ConfirmOrder {
            account_id: contact.account_id,
            id,
            address: self.address(email),
            made_at,
        })
    }

    /// What an order offers, given the current address.
    fn offered(&self, order: &ConfirmOrder, address: Option<&NotificationAddress>, now: Timestamp) -> Confirmation {
        let locale = address.map_or("en", |address| &address.contact.locale).to_owned();
        let is_it = |address: &&NotificationAddress| self.is_address(order, address.contact.email.as_deref());
        let state = match address.filter(is_it) {
            None => ConfirmationState::Gone,
            Some(address) if address.contact.email_status == ContactStatus::Verified => ConfirmationState::Done,
            Some(address) => {
                let is_newest = address.contact_since <= order.made_at;
                let is_young = now.millis() - order.made_at.millis() < LINK_LIVES_MILLIS;
                if is_newest && is_young {
                    ConfirmationState::Open
                } else {
                    ConfirmationState::Gone
                }
            }
        };
        Confirmation { locale, state }
    }
}

/// Confirms addresses for the holders of links. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Confirming {
    database: Database,
    clock: Clock,
    ledger: Ledger,
    links: MailLinks<ConfirmOrder>,
}

impl Confirming {
    /// Confirms the addresses of this database.
    pub fn new((database, clock): (Database, Clock), ledger: Ledger, links: MailLinks<ConfirmOrder>) -> Self {
        Self {
            database,
            clock,
            ledger,
            links,
        }
    }

    /// Returns what the link with this token offers, and changes nothing. `None` when no such link was made here.
    pub async fn offer(&self, token: &str) -> Result<Option<Confirmation>, Fault> {
        let Some(order) = self.links.open(token) else {
            return Ok(None);
        };
        let found = store::address(self.database.read(), order.account_id, order.id).await?;
        Ok(Some(self.links.offered(&order, found.as_ref(), self.clock.now())))
    }

    /// Does what the link with this token offers. Repeating it changes nothing. `None` when no such link was made here.
    pub async fn carry_out(&self, token: &str) -> Result<Option<Confirmation>, Fault> {
        let Some(order) = self.links.open(token) else {
            return Ok(None);
        };
        let account_id = order.account_id;
        let work = Arc::new((order, self.links.clone()));
        let done = self.ledger.change(account_id, move |tx, locked| {
            let work = Arc::clone(&work);
            Box::pin(async move { Ok::<_, QueryError>(confirm_locked(tx, locked, &work.0, &work.1).await?) })
        });
        match done.await {
            Ok(confirmation) => Ok(Some(confirmation)),
            Err(QueryError::Access(_)) => Ok(Some(Confirmation {
                locale: "en".to_owned(),
                state: ConfirmationState::Gone,
            })),
            Err(error) => Err(error.into_fault()),
        }
    }
}

async fn confirm_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    order: &ConfirmOrder,
    links: &MailLinks<ConfirmOrder>,
) -> Result<Confirmation, Fault> {
    let found = store::address(tx, order.account_id, order.id).await?;
    let offered = links.offered(order, found.as_ref(), locked.now);
    let (ConfirmationState::Open, Some(address)) = (offered.state, found) else {
        return Ok(offered);
    };
    let verified = address.contact.with_status(ContactStatus::Verified, None);
    member::record_contact(tx, locked, &verified).await?;
    let state = ConfirmationState::Done;
    Ok(Confirmation { state, ..offered })
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use uuid::Uuid;

    use super::*;
    use crate::domain::notification::UnsubscribeOrder;
    use crate::primitives::ids::MemberId;

    fn contact(recipient: impl Into<RecipientId>) -> Contact {
        let email = Some("Books@example.com".to_owned());
        Contact::new(AccountId::from_number(7), recipient, (email, None, None), Tz::UTC)
    }

    #[test]
    fn a_link_is_for_one_address_and_members_get_none() {
        let links = MailLinks::<ConfirmOrder>::new(b"secret", Some("https://bell.example/"));
        let (id, made_at) = (
            NotificationAddressId::from_uuid(Uuid::from_u128(9)),
            Timestamp::from_millis(5),
        );
        let link = links.make(&contact(id), made_at).expect("a link");
        let (_, token) = link
            .split_once("https://bell.example/confirm-address?token=")
            .expect("a token");
        let order = links.open(token).expect("is ours");
        assert_eq!((order.id, order.made_at), (id, made_at));
        assert!(
            links.is_address(&order, Some("books@EXAMPLE.com")) && !links.is_address(&order, Some("bob@example.com"))
        );
        assert_eq!(links.open(&token[1..]), None);
        assert_eq!(MailLinks::<ConfirmOrder>::new(b"other", None).open(token), None);
        let unsubscribe = MailLinks::<UnsubscribeOrder>::new(b"secret", None);
        assert_eq!(unsubscribe.open(token), None, "each purpose has a key of its own");
        assert!(
            UnsubscribeOrder::of_claims(&order.claims()).is_some(),
            "only the key differs"
        );
        assert_eq!(
            links.make(&contact(MemberId::from_uuid(Uuid::from_u128(9))), made_at),
            None
        );
        let without_url = MailLinks::<ConfirmOrder>::new(b"secret", None);
        assert_eq!(without_url.make(&contact(id), made_at), None);
    }
}
