//! Confirms a notification address by the link of a mail, without signing in, because its readers need not be members.
//!
//! A signed link names the address that the mail went to, and when the link was made. It is valid for a week and for that address only. It
//! does nothing once the address has newer information: it was confirmed, or mail to it has bounced.

use std::fmt;
use std::sync::Arc;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::{self, Contact, ContactStatus};
use crate::primitives::clock::{Clock, DAY, Timestamp};
use crate::primitives::ids::{AccountId, GlobalId, NotificationAddressId, RecipientId};

use super::link_key::LinkKey;
use super::model::NotificationAddress;
use super::store;

/// How long a link is valid.
const LINK_LIVES_MILLIS: i64 = 7 * DAY;

/// Makes and reads links that confirm an address. Cloning is cheap.
#[derive(Clone)]
pub struct ConfirmLinks {
    key: LinkKey,
    /// Without a base URL no links are made. Codes confirm as well.
    base_url: Option<String>,
}

impl fmt::Debug for ConfirmLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfirmLinks")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// The claims of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Order {
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

impl ConfirmLinks {
    /// Signs with a key derived from `secret`. Links begin with `public_url`.
    pub fn new(secret: &[u8], public_url: Option<&str>) -> Self {
        Self {
            key: LinkKey::derive(secret, "ledgerbell address confirmation link 1"),
            base_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
        }
    }

    /// Makes a link that confirms a notification address, for a mail to it. `None` for contacts of members, who sign in and enter a code.
    pub(super) fn make(&self, contact: &Contact, made_at: Timestamp) -> Option<String> {
        let base_url = self.base_url.as_ref()?;
        let (RecipientId::Address(id), Some(email)) = (contact.recipient, &contact.email) else {
            return None;
        };
        let claims = format!(
            "{}.{}.{}",
            id.global(contact.account_id),
            self.key.address(email),
            made_at.millis()
        );
        Some(format!("{base_url}/confirm-address?token={}", self.key.token(&claims)))
    }

    /// Reads a token. `None` if it was not made here.
    fn open(&self, token: &str) -> Option<Order> {
        let claims = self.key.claims(token)?;
        let mut parts = claims.split('.');
        let (id, address, made_at) = (parts.next()?, parts.next()?, parts.next()?);
        let id: GlobalId = id.parse().ok()?;
        let RecipientId::Address(address_id) = RecipientId::of_global(id)? else {
            return None;
        };
        Some(Order {
            account_id: id.account_id,
            id: address_id,
            address: address.to_owned(),
            made_at: Timestamp::from_millis(made_at.parse().ok()?),
        })
    }

    fn is_address(&self, order: &Order, email: &str) -> bool {
        self.key.address(email) == order.address
    }

    /// What an order offers, given the current address.
    fn offered(&self, order: &Order, address: Option<&NotificationAddress>, now: Timestamp) -> Confirmation {
        let locale = address.map_or("en", |address| &address.contact.locale).to_owned();
        let is_it = |address: &&NotificationAddress| {
            let email = address.contact.email.as_deref();
            email.is_some_and(|email| self.is_address(order, email))
        };
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
    links: ConfirmLinks,
}

impl Confirming {
    /// Confirms the addresses of this database.
    pub fn new((database, clock): (Database, Clock), ledger: Ledger, links: ConfirmLinks) -> Self {
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
    order: &Order,
    links: &ConfirmLinks,
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
    use crate::primitives::ids::MemberId;

    fn contact(recipient: impl Into<RecipientId>) -> Contact {
        let email = Some("Books@example.com".to_owned());
        Contact::new(AccountId::from_number(7), recipient, (email, None, None), Tz::UTC)
    }

    #[test]
    fn a_link_is_for_one_address_and_members_get_none() {
        let links = ConfirmLinks::new(b"secret", Some("https://bell.example/"));
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
        assert!(links.is_address(&order, "books@EXAMPLE.com") && !links.is_address(&order, "bob@example.com"));
        assert_eq!(links.open(&token[1..]), None);
        assert_eq!(ConfirmLinks::new(b"other", None).open(token), None);
        let unsubscribe = LinkKey::derive(b"secret", "ledgerbell unsubscribe link 1");
        assert_eq!(unsubscribe.claims(token), None, "each purpose has a key of its own");
        assert_eq!(
            links.make(&contact(MemberId::from_uuid(Uuid::from_u128(9))), made_at),
            None
        );
        assert_eq!(ConfirmLinks::new(b"secret", None).make(&contact(id), made_at), None);
    }
}
