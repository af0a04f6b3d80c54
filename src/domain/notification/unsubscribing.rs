//! Unsubscribing by a link in a mail, without signing in (RFC 8058).
//!
//! A link names a recipient, kinds of alerts and the address that the mail went to, under a signature. Who holds it can switch mail of
//! those kinds to that recipient off, and nothing else: so it needs no end. Mail that goes to another address by now is not switched
//! off by a link that the address before has.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member;
use crate::primitives::derived_key;
use crate::primitives::ids::{AccountId, GlobalId, IdKind, MemberId};

use super::error::BounceError;
use super::model::{AlertKind, Channel};
use super::settings::{is_mail_off, switch_kinds_off};
use super::store;

/// The most of a token that is looked at: a link names at most all kinds.
const LONGEST_TOKEN: usize = 1_024;
/// Bytes of the keyed hash of an address: they tell two addresses of one member apart.
const ADDRESS_BYTES: usize = 9;

/// Makes and reads links to unsubscribe. Cloning is cheap.
#[derive(Clone)]
pub struct UnsubscribeLinks {
    key: Hmac<Sha256>,
    /// Without one no links are made: mail programs post to https only.
    base_url: Option<String>,
}

impl fmt::Debug for UnsubscribeLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsubscribeLinks")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// What a link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Order {
    account_id: AccountId,
    member_id: MemberId,
    kinds: BTreeSet<AlertKind>,
    address: Vec<u8>,
}

/// What a link offers to its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Of which kinds mail is switched off.
    pub kinds: BTreeSet<AlertKind>,
    /// The language of the one who got the mail, as a BCP 47 tag.
    pub locale: String,
    /// How far it is.
    pub state: OfferState,
}

/// How far an offer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferState {
    /// Mail of at least one of these kinds is on.
    Open,
    /// None is sent any more.
    Done,
    /// There is nothing to switch off: the recipient left, or has another address.
    Gone,
}

impl UnsubscribeLinks {
    /// Signs with a key derived from `secret`. Links begin with `public_url`, if that is https.
    pub fn new(secret: &[u8], public_url: Option<&str>) -> Self {
        let base_url = public_url.filter(|url| url.starts_with("https://"));
        Self {
            key: derived_key::derive(secret, "ledgerbell unsubscribe link 1"),
            base_url: base_url.map(|url| url.trim_end_matches('/').to_owned()),
        }
    }

    /// A link that switches mail of these kinds to a member off, in a mail to `email`.
    pub(super) fn make(
        &self,
        (account_id, member_id): (AccountId, MemberId),
        kinds: &BTreeSet<AlertKind>,
        email: &str,
    ) -> Option<String> {
        let base_url = self.base_url.as_ref()?;
        let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let claims = format!(
            "{}.{}.{}",
            member_id.global(account_id),
            names.join(","),
            BASE64URL_NOPAD.encode(&self.hash(account_id, email))
        );
        let signature = self.signature(&claims);
        let token = BASE64URL_NOPAD.encode(format!("{claims}.{}", BASE64URL_NOPAD.encode(&signature)).as_bytes());
        Some(format!("{base_url}/unsubscribe?token={token}"))
    }

    /// What a token stands for, if it was made here.
    fn open(&self, token: &str) -> Option<Order> {
        let token = (token.len() <= LONGEST_TOKEN).then_some(token)?;
        let text = String::from_utf8(BASE64URL_NOPAD.decode(token.as_bytes()).ok()?).ok()?;
        let (claims, signature) = text.rsplit_once('.')?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        self.claimed(claims).verify_slice(&signature).ok()?;
        let mut parts = claims.split('.');
        let (id, kinds, address) = (parts.next()?, parts.next()?, parts.next()?);
        let id: GlobalId = id.parse().ok()?;
        if id.kind != IdKind::Member {
            return None;
        }
        Some(Order {
            account_id: id.account_id,
            member_id: MemberId::from_uuid(id.uuid),
            kinds: kinds.split(',').filter_map(AlertKind::from_text).collect(),
            address: BASE64URL_NOPAD.decode(address.as_bytes()).ok()?,
        })
    }

    fn claimed(&self, claims: &str) -> Hmac<Sha256> {
        self.key.clone().chain_update(b"claims\0").chain_update(claims)
    }

    fn signature(&self, claims: &str) -> Vec<u8> {
        self.claimed(claims).finalize().into_bytes().to_vec()
    }

    /// The keyed hash of an address, the same however it is capitalized.
    fn hash(&self, account_id: AccountId, email: &str) -> Vec<u8> {
        let hash = self.key.clone().chain_update(b"address\0");
        let hash = hash.chain_update(account_id.number().to_be_bytes());
        let hash = hash.chain_update(email.to_lowercase()).finalize().into_bytes();
        hash.iter().copied().take(ADDRESS_BYTES).collect()
    }

    fn is_address(&self, order: &Order, email: Option<&str>) -> bool {
        email.is_some_and(|email| self.hash(order.account_id, email) == order.address)
    }
}

/// Switches mail off for the holders of links. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Unsubscribing {
    database: Database,
    ledger: Ledger,
    links: UnsubscribeLinks,
}

impl Unsubscribing {
    /// For the members of this database.
    pub fn new(database: Database, ledger: Ledger, links: UnsubscribeLinks) -> Self {
        Self {
            database,
            ledger,
            links,
        }
    }

    /// What the link with this token offers; nothing is changed. `None` when no such link was made here.
    pub async fn offer(&self, token: &str) -> Result<Option<Offer>, Fault> {
        match self.links.open(token) {
            Some(order) => self.look(&order).await.map(Some),
            None => Ok(None),
        }
    }

    /// Does what the link with this token offers. Doing it again changes nothing. `None` when no such link was made here.
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
            Box::pin(async move { Ok::<_, BounceError>(switch_off(tx, locked, &work.0, &work.1).await?) })
        });
        let state = match done.await {
            Ok(state) => state,
            Err(BounceError::Access(_)) => OfferState::Gone,
            Err(BounceError::Fault(fault)) => return Err(fault),
        };
        Ok(Some(Offer { state, ..offer }))
    }

    async fn look(&self, order: &Order) -> Result<Offer, Fault> {
        let to = store::addressee(self.database.read(), order.account_id, order.member_id).await?;
        let to = to.filter(|to| to.role.is_some() && self.links.is_address(order, to.email.as_deref()));
        let state = match &to {
            None => OfferState::Gone,
            Some(to) if order.kinds.iter().all(|kind| is_mail_off(&to.settings, *kind)) => OfferState::Done,
            Some(_) => OfferState::Open,
        };
        Ok(Offer {
            kinds: order.kinds.clone(),
            locale: to.map_or_else(|| "en".to_owned(), |to| to.locale),
            state,
        })
    }
}

async fn switch_off(
    tx: &Transaction,
    locked: &mut LockedAccount,
    order: &Order,
    links: &UnsubscribeLinks,
) -> Result<OfferState, Fault> {
    let person = member::locked_person(tx, order.account_id, order.member_id).await?;
    let is_there = person.is_some_and(|(member, contact)| {
        member.removed_at.is_none() && links.is_address(order, contact.email.as_deref())
    });
    if !is_there {
        return Ok(OfferState::Gone);
    }
    switch_kinds_off(tx, locked, order.member_id, &order.kinds).await?;
    Ok(OfferState::Done)
}

/// The kinds of these alerts, if each of them can be switched off: else a mail about them offers nothing.
pub(super) fn optional_kinds(kinds: impl Iterator<Item = AlertKind>) -> Option<BTreeSet<AlertKind>> {
    let kinds: BTreeSet<AlertKind> = kinds.collect();
    let is_optional = |kind: &AlertKind| kind.is_optional(Channel::Email);
    (!kinds.is_empty() && kinds.iter().all(is_optional)).then_some(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(link: &str) -> &str {
        link.split_once("token=").expect("a token").1
    }

    #[test]
    fn a_link_is_for_one_member_one_address_and_these_kinds_and_cannot_be_changed() {
        let links = UnsubscribeLinks::new(b"secret", Some("https://bell.example/"));
        let of = (AccountId::from_number(7), MemberId::from_uuid(uuid::Uuid::from_u128(9)));
        let kinds = BTreeSet::from([AlertKind::LowBalance, AlertKind::CardExpiring]);
        let link = links.make(of, &kinds, "Ada@example.com").expect("a link");
        assert!(link.starts_with("https://bell.example/unsubscribe?token="), "{link}");
        let order = links.open(token(&link)).expect("is ours");
        assert_eq!((order.account_id, order.member_id, &order.kinds), (of.0, of.1, &kinds));
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
        assert_eq!(UnsubscribeLinks::new(b"other", None).open(token(&link)), None);
        for public_url in [None, Some("http://bell.example")] {
            assert_eq!(
                UnsubscribeLinks::new(b"secret", public_url).make(of, &kinds, "a@example.com"),
                None
            );
        }
    }
}
