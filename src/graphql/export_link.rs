//! Signed links to files of the credit log.
//!
//! A link contains what is in the file, who requested it and when it expires, with a signature. Everyone who has the link can
//! fetch the file without signing in, because browsers cannot send a header with a download. The rights of the requester are
//! checked again at that time.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use super::ledger::{CreditLogFilter, ExportFormat, filter_from_json, filter_to_json};
use crate::domain::ledger::credit_log;
use crate::primitives::actor::Actor;
use crate::primitives::clock::{MINUTE, Timestamp};
use crate::primitives::derived_key;
use crate::primitives::ids::{AccountId, ApiKeyId, GlobalId, IdKind, MemberId};

/// The cost of one exported entry: it is read, formatted and sent.
pub const EXPORTED_ENTRY: u64 = 5;

/// The lifetime of a link in milliseconds.
const LIFETIME_MILLIS: i64 = 15 * MINUTE;

/// Creates and reads links to exports.
#[derive(Clone)]
pub struct ExportLinks {
    key: Hmac<Sha256>,
    base_url: String,
}

/// Who requested a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requester {
    /// A member of the account.
    Member(Uuid),
    /// An API key: the number of its account, and its id.
    ApiKey(i64, Uuid),
}

impl Requester {
    /// Returns the public id of the requester. Everyone who has the link can read it, so it contains no internal data.
    fn id_of(actor: &Actor) -> Option<GlobalId> {
        match actor {
            Actor::Member {
                account_id, member_id, ..
            } => Some(member_id.global(*account_id)),
            Actor::ApiKey {
                account_id, api_key_id, ..
            } => Some(api_key_id.global(*account_id)),
            Actor::System => None,
        }
    }

    fn from_id(id: GlobalId) -> Option<Self> {
        match id.kind {
            IdKind::Member => Some(Self::Member(id.uuid)),
            IdKind::ApiKey => Some(Self::ApiKey(id.account_id.number(), id.uuid)),
            _ => None,
        }
    }

    /// Returns the member, if it is one.
    pub fn member_id(self) -> Option<MemberId> {
        match self {
            Self::Member(uuid) => Some(MemberId::from_uuid(uuid)),
            Self::ApiKey(..) => None,
        }
    }

    /// Returns the API key with its account, if it is one.
    pub fn api_key(self) -> Option<(AccountId, ApiKeyId)> {
        match self {
            Self::Member(_) => None,
            Self::ApiKey(account, uuid) => Some((AccountId::from_number(account), ApiKeyId::from_uuid(uuid))),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    account: String,
    filter: serde_json::Value,
    json_lines: bool,
    /// Older links lack this field and have no byte-order mark.
    #[serde(default)]
    bom: bool,
    requester: String,
    expires_at: i64,
    /// Makes each link unique, so that its uses are counted separately.
    #[serde(default)]
    nonce: String,
}

/// The content of a link.
#[derive(Clone, Debug)]
pub struct ExportOrder {
    /// The account of the log.
    pub account_id: AccountId,
    /// The filter for its entries.
    pub filter: credit_log::CreditLogFilter,
    /// Whether the file has JSON lines instead of CSV.
    pub json_lines: bool,
    /// Whether CSV begins with a byte-order mark.
    pub has_byte_order_mark: bool,
    /// Who requested the link.
    pub requester: Requester,
    /// Identifies the link for the count of its uses.
    pub link_id: Uuid,
    /// When the link expires.
    pub expires_at: Timestamp,
}

/// The link was not issued by this server, was changed, or has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this link is invalid or has expired: request a new one")]
pub struct InvalidLink;

impl ExportLinks {
    /// Creates the signer. The key is derived from `secret`; links begin with `base_url`, which has no trailing slash.
    pub fn new(secret: &[u8], base_url: &str) -> Self {
        Self {
            key: derived_key::derive(secret, "ledgerbell export link 1"),
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }

    /// Returns a link for `actor`, and when it expires.
    pub(super) fn make(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: Option<&CreditLogFilter>,
        (format, bom): (ExportFormat, bool),
        now: Timestamp,
    ) -> Option<(String, Timestamp)> {
        let expires_at = now.plus_millis(LIFETIME_MILLIS);
        let claims = Claims {
            account: account_id.to_string(),
            filter: filter_to_json(filter),
            json_lines: format == ExportFormat::JsonLines,
            bom,
            requester: Requester::id_of(actor)?.to_string(),
            expires_at: expires_at.millis(),
            nonce: Uuid::new_v4().to_string(),
        };
        let claims = serde_json::to_vec(&claims).ok()?;
        let signature = self.key.clone().chain_update(&claims).finalize().into_bytes();
        let token = format!(
            "{}.{}",
            BASE64URL_NOPAD.encode(&claims),
            BASE64URL_NOPAD.encode(&signature)
        );
        Some((
            format!("{}/exports/credit-log?token={token}", self.base_url),
            expires_at,
        ))
    }

    /// Returns the content of a link's token, if it was issued by this server and has not expired.
    pub fn open(&self, token: &str, now: Timestamp) -> Result<ExportOrder, InvalidLink> {
        let (claims, signature) = token.split_once('.').ok_or(InvalidLink)?;
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| InvalidLink);
        let (claims, signature) = (decode(claims)?, decode(signature)?);
        let check = self.key.clone().chain_update(&claims);
        check.verify_slice(&signature).map_err(|_| InvalidLink)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| InvalidLink)?;
        if now.millis() >= claims.expires_at {
            return Err(InvalidLink);
        }
        let id = |text: &str| text.parse::<GlobalId>().map_err(|_| InvalidLink);
        let account_id = id(&claims.account)?.account_id;
        let filter = filter_from_json(claims.filter).ok_or(InvalidLink)?;
        Ok(ExportOrder {
            account_id,
            filter: filter.for_account(account_id).map_err(|_| InvalidLink)?,
            json_lines: claims.json_lines,
            has_byte_order_mark: claims.bom,
            requester: Requester::from_id(id(&claims.requester)?).ok_or(InvalidLink)?,
            link_id: signature
                .get(..16)
                .and_then(|bytes| Uuid::from_slice(bytes).ok())
                .ok_or(InvalidLink)?,
            expires_at: Timestamp::from_millis(claims.expires_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(link: &str) -> &str {
        link.split_once("token=").expect("a token").1
    }

    #[test]
    fn a_link_holds_for_a_while_and_cannot_be_changed() {
        let links = ExportLinks::new(b"secret", "http://localhost/");
        let actor = Actor::Member {
            account_id: AccountId::from_number(7),
            member_id: MemberId::from_uuid(Uuid::from_u128(9)),
            role: crate::primitives::actor::MemberRole::Admin,
        };
        let filter = CreditLogFilter {
            search: Some("yoga".to_owned()),
            member_ids: Some(Vec::new()),
            ..CreditLogFilter::default()
        };
        let now = Timestamp::from_millis(1_000);
        let (link, expires_at) = links
            .make(
                &actor,
                AccountId::from_number(7),
                Some(&filter),
                (ExportFormat::JsonLines, true),
                now,
            )
            .expect("a link");
        assert!(link.starts_with("http://localhost/exports/credit-log?token="));
        let order = links.open(token(&link), now).expect("valid");
        assert_eq!(order.account_id, AccountId::from_number(7));
        assert_eq!(order.filter.search.words(), [" yoga"]);
        assert_eq!(order.filter.member_ids, [].into());
        assert_eq!(order.requester.member_id(), actor.member_id());
        assert!(order.json_lines);
        assert_eq!(links.open(token(&link), expires_at).err(), Some(InvalidLink));
        let changed = token(&link).replacen('e', "f", 1);
        assert_eq!(links.open(&changed, now).err(), Some(InvalidLink));
        let others = ExportLinks::new(b"other", "http://localhost");
        assert_eq!(others.open(token(&link), now).err(), Some(InvalidLink));
    }
}
