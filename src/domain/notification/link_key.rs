//! Tokens of links in mails: claims with a signature.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::primitives::derived_key;
use crate::primitives::mailbox;

/// Maximum length of a token that is read. A link names at most all kinds.
const LONGEST_TOKEN: usize = 1_024;
/// Bytes of the keyed hash of an address. They distinguish two addresses of one recipient.
const ADDRESS_BYTES: usize = 9;

/// Signs the tokens of links of one purpose. Cloning is cheap.
#[derive(Clone)]
pub(super) struct LinkKey(Hmac<Sha256>);

impl LinkKey {
    /// Derives the key from `secret`.
    pub(super) fn derive(secret: &[u8], purpose: &str) -> Self {
        Self(derived_key::derive(secret, purpose))
    }

    /// Returns the token of a link with these claims.
    pub(super) fn token(&self, claims: &str) -> String {
        let signature = self.claimed(claims).finalize().into_bytes();
        BASE64URL_NOPAD.encode(format!("{claims}.{}", BASE64URL_NOPAD.encode(&signature)).as_bytes())
    }

    /// Returns the claims of a token, or `None` if it was not made here.
    pub(super) fn claims(&self, token: &str) -> Option<String> {
        let token = (token.len() <= LONGEST_TOKEN).then_some(token)?;
        let text = String::from_utf8(BASE64URL_NOPAD.decode(token.as_bytes()).ok()?).ok()?;
        let (claims, signature) = text.rsplit_once('.')?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        self.claimed(claims).verify_slice(&signature).ok()?;
        Some(claims.to_owned())
    }

    fn claimed(&self, claims: &str) -> Hmac<Sha256> {
        self.0.clone().chain_update(b"claims\0").chain_update(claims)
    }

    /// Returns the keyed hash of an address' mailbox, as a part of claims.
    pub(super) fn address(&self, email: &str) -> String {
        let bytes: Vec<u8> = mailbox::hash(&self.0, email).into_iter().take(ADDRESS_BYTES).collect();
        BASE64URL_NOPAD.encode(&bytes)
    }
}
