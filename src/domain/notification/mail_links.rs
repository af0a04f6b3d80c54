//! Signed links in mails, for holders who do not sign in.

use std::fmt;
use std::marker::PhantomData;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::primitives::derived_key;
use crate::primitives::mailbox;

/// Maximum length of a token that is read. A link names at most all kinds.
const LONGEST_TOKEN: usize = 1_024;
/// Bytes of the keyed hash of an address. They distinguish two addresses of one recipient.
const ADDRESS_BYTES: usize = 9;

/// What the holder of a link may do: the claims of its token.
pub trait LinkOrder: Sized {
    /// The purpose that the key is derived for.
    const PURPOSE: &'static str;
    /// The path of the links.
    const PATH: &'static str;
    /// Whether links are made only if they begin with https.
    const NEEDS_HTTPS: bool;

    /// Returns the text of the claims.
    fn claims(&self) -> String;

    /// Reads the claims.
    fn of_claims(claims: &str) -> Option<Self>;

    /// The keyed hash of the address that the mail went to.
    fn address(&self) -> &str;
}

/// Makes and reads links of one purpose. Cloning is cheap.
#[derive(Clone)]
pub struct MailLinks<O> {
    key: Hmac<Sha256>,
    /// Without a base URL no links are made.
    base_url: Option<String>,
    order: PhantomData<O>,
}

impl<O> fmt::Debug for MailLinks<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailLinks")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl<O: LinkOrder> MailLinks<O> {
    /// Signs with a key derived from `secret`. Links begin with `public_url`.
    pub fn new(secret: &[u8], public_url: Option<&str>) -> Self {
        let base_url = public_url.filter(|url| !O::NEEDS_HTTPS || url.starts_with("https://"));
        Self {
            key: derived_key::derive(secret, O::PURPOSE),
            base_url: base_url.map(|url| url.trim_end_matches('/').to_owned()),
            order: PhantomData,
        }
    }

    /// Returns the link of an order.
    pub(super) fn link(&self, order: &O) -> Option<String> {
        let base_url = self.base_url.as_ref()?;
        let claims = order.claims();
        let signature = self.claimed(&claims).finalize().into_bytes();
        let token = BASE64URL_NOPAD.encode(format!("{claims}.{}", BASE64URL_NOPAD.encode(&signature)).as_bytes());
        Some(format!("{base_url}{}?token={token}", O::PATH))
    }

    /// Reads a token. `None` if it was not made here.
    pub(super) fn open(&self, token: &str) -> Option<O> {
        let token = (token.len() <= LONGEST_TOKEN).then_some(token)?;
        let text = String::from_utf8(BASE64URL_NOPAD.decode(token.as_bytes()).ok()?).ok()?;
        let (claims, signature) = text.rsplit_once('.')?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        self.claimed(claims).verify_slice(&signature).ok()?;
        O::of_claims(claims)
    }

    /// Returns the keyed hash of an address' mailbox, as a part of claims.
    pub(super) fn address(&self, email: &str) -> String {
        let bytes: Vec<u8> = mailbox::hash(&self.key, email)
            .into_iter()
            .take(ADDRESS_BYTES)
            .collect();
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Returns whether the mail of this order went to this address.
    pub(super) fn is_address(&self, order: &O, email: Option<&str>) -> bool {
        email.is_some_and(|email| self.address(email) == order.address())
    }

    fn claimed(&self, claims: &str) -> Hmac<Sha256> {
        self.key.clone().chain_update(b"claims\0").chain_update(claims)
    }
}
