//! Unsubscribing by a link in a mail, without signing in (RFC 8058).
//!
//! A signed link names a recipient (a member or a notification address), kinds of alerts and the address that the mail went to. Its holder
//! can switch mail of those kinds to that recipient off, and nothing else. So it needs no expiry. A link to a previous address does not
//! switch off mail to the current one.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member;
use crate::primitives::ids::{AccountId, GlobalId, RecipientId};

use super::mail_links::{LinkOrder, MailLinks};
use super::model::{AlertKind, Channel};
use super::settings::switch_kinds_off;
use super::store;

/// The claims of a link that unsubscribes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsubscribeOrder {
    account_id: AccountId,
    recipient: RecipientId,
    kinds: BTreeSet<AlertKind>,
    address: String,
}

/// What a link offers to its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The kinds whose mail is switched off.
    pub kinds: BTreeSet<AlertKind>,
    /// The language of the recipient, as a BCP 47 tag.
    pub locale: String,
    /// Whether the recipient is a member, who sees the alerts in the app as well.
    pub is_member: bool,
    /// The state of the offer.
    pub state: OfferState,
}

/// The state of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferState {
    /// Mail of at least one of these kinds is on.
    Open,
    /// Mail of all these kinds is off.
    Done,
    /// There is nothing to switch off: the recipient left, or has another address.
    Gone,
}

impl LinkOrder for UnsubscribeOrder {
    const PURPOSE: &'static str = "ledgerbell unsubscribe link 1";
    const PATH: &'static str = "/unsubscribe";
    // Mail programs post to https only.
    const NEEDS_HTTPS: bool = true;

    fn claims(&self) -> String {
        let names: Vec<&str> = self.kinds.iter().map(|kind| kind.as_str()).collect();
        let recipient = self.recipient.global(self.account_id);
        format!("{recipient}.{}.{}", names.join(","), self.address)
    }

    fn of_claims(claims: &str) -> Option<Self> {
        let mut parts = claims.split('.');
        let (id, kinds, address) = (parts.next()?, parts.next()?, parts.next()?);
        let id: GlobalId = id.parse().ok()?;
        Some(Self {
            account_id: id.account_id,
            recipient: RecipientId::of_global(id)?,
            kinds: kinds.split(',').filter_map(AlertKind::from_text).collect(),
            address: address.to_owned(),
        })
    }

    fn address(&self) -> &str {
        &self.address
    }
}

impl MailLinks<UnsubscribeOrder> {
    /// Makes a link that switches mail of these kinds to a recipient off, for a mail to `email`.
    pub(super) fn make(
        &self,
        (account_id, recipient): (AccountId, RecipientId),
        kinds: &BTreeSet<AlertKind>,
        email: &str,
    ) -> Option<String> {
        self.link(&UnsubscribeOrder {
            account_id,
            recipient,
            kinds: kinds.clone(),
            address: self.address(email),
        })
    }
}

/// Switches mail off for the holders of links. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Unsubscribing {
    database: Database,
    ledger: Ledger,
    links: MailLinks<UnsubscribeOrder>,
}

impl Unsubscribing {
    /// Switches off mail to the recipients of this database.
    pub fn new(database: Database, ledger: Ledger, links: MailLinks<UnsubscribeOrder>) -> Self {
        Self {
            database,
            ledger,
            links,
        }
    }

    /// Returns what the link with this token offers, and changes nothing. `None` when no such link was made here.
    pub async fn offer(&self, token: &str) -> Result<Option<Offer>, Fault> {
        match self.links.open(token) {
            Some(order) => self.look(&order).await.map(Some),
            None => Ok(None),
        }
    }

    /// Does what the link with this token offers. Repeating it changes nothing. `None` when no such link was made here.
    pub async fn carry_out(&self, token: &str) -> Result<Option<Offer>, Fault> {
        let Some(order) = self.links.open(token) else {
            return Ok(None);
        };
        let offer = self.look(&order).await?;
        if offer.state != OfferState::Open {
            return Ok(Some(offer));
        }
        let work = Arc::new((order.clone(), self.links.clone()));
        let done = self.ledger.change(order.account_id, move |tx, locked| {
            let work = Arc::clone(&work);
            Box::pin(async move { Ok::<_, QueryError>(switch_off(tx, locked, &work.0, &work.1).await?) })
        });
        let state = match done.await {
            Ok(state) => state,
            Err(QueryError::Access(_)) => OfferState::Gone,
            Err(error) => return Err(error.into_fault()),
        };
        Ok(Some(Offer { state, ..offer }))
    }

    async fn look(&self, order: &UnsubscribeOrder) -> Result<Offer, Fault> {
        let to = store::addressee(self.database.read(), order.account_id, order.recipient).await?;
        let to = to.filter(|to| to.party.is_some() && self.links.is_address(order, to.email.as_deref()));
        let state = match &to {
            None => OfferState::Gone,
            Some(to) if order.kinds.iter().all(|kind| to.wishes.is_mail_off(*kind)) => OfferState::Done,
            Some(_) => OfferState::Open,
        };
        Ok(Offer {
            kinds: order.kinds.clone(),
            is_member: order.recipient.member().is_some(),
            locale: to.map_or_else(|| "en".to_owned(), |to| to.locale),
            state,
        })
    }
}

async fn switch_off(
    tx: &Transaction,
    locked: &mut LockedAccount,
    order: &UnsubscribeOrder,
    links: &MailLinks<UnsubscribeOrder>,
) -> Result<OfferState, Fault> {
    let holder = member::locked_holder(tx, order.account_id, order.recipient).await?;
    let is_there = holder.is_some_and(|holder| links.is_address(order, holder.email()));
    if !is_there {
        return Ok(OfferState::Gone);
    }
    switch_kinds_off(tx, locked, order.recipient, &order.kinds).await?;
    Ok(OfferState::Done)
}

/// Returns the kinds of these alerts if each of them can be switched off. Otherwise a mail about them offers no link.
pub(super) fn optional_kinds(kinds: impl Iterator<Item = AlertKind>) -> Option<BTreeSet<AlertKind>> {
    let kinds: BTreeSet<AlertKind> = kinds.collect();
    let is_optional = |kind: &AlertKind| kind.is_optional(Channel::Email);
    (!kinds.is_empty() && kinds.iter().all(is_optional)).then_some(kinds)
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;
    use crate::primitives::ids::MemberId;

    fn token(link: &str) -> &str {
        link.split_once("token=").expect("a token").1
    }

    #[test]
    fn a_link_is_for_one_member_one_address_and_these_kinds_and_cannot_be_changed() {
        let links = MailLinks::<UnsubscribeOrder>::new(b"secret", Some("https://bell.example/"));
        let member_id = MemberId::from_uuid(uuid::Uuid::from_u128(9));
        let of = (AccountId::from_number(7), RecipientId::Member(member_id));
        let kinds = BTreeSet::from([AlertKind::LowBalance, AlertKind::CardExpiring]);
        let link = links.make(of, &kinds, "Ada@example.com").expect("a link");
        assert!(link.starts_with("https://bell.example/unsubscribe?token="), "{link}");
        let order = links.open(token(&link)).expect("is ours");
        assert_eq!((order.account_id, order.recipient, &order.kinds), (of.0, of.1, &kinds));
        assert!(links.is_address(&order, Some("ada@EXAMPLE.com")));
        assert!(!links.is_address(&order, Some("bob@example.com")) && !links.is_address(&order, None));
        let text =
            String::from_utf8(BASE64URL_NOPAD.decode(token(&link).as_bytes()).expect("is encoded")).expect("a text");
        let changed = text.replace("LOW_BALANCE", "CAP_REACHED");
        assert_ne!(changed, text);
        for forged in [
            BASE64URL_NOPAD.encode(changed.as_bytes()),
            token(&link)[1..].to_owned(),
            String::new(),
            "x".repeat(5_000),
        ] {
            assert_eq!(links.open(&forged), None, "{forged}");
        }
        assert_eq!(
            MailLinks::<UnsubscribeOrder>::new(b"other", None).open(token(&link)),
            None
        );
        for public_url in [None, Some("http://bell.example")] {
            assert_eq!(
                MailLinks::<UnsubscribeOrder>::new(b"secret", public_url).make(of, &kinds, "a@example.com"),
                None
            );
        }
    }
}
