//! The hash chain over an account's entries.

use sha2::{Digest, Sha256};

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::command::Canonical;
use super::state::{ContraAccount, EntryKind};

/// The encoding with which new entries are hashed. Old versions stay supported forever, so that old entries still
/// verify.
pub const HASH_VERSION: i32 = 1;

/// The start of an account's chain of hashes: SHA-256 of the account's number.
pub fn genesis_hash(account_id: AccountId) -> [u8; 32] {
    Sha256::digest(account_id.number().to_be_bytes()).into()
}

/// The facts of an entry that its hash covers. Names and titles stay out, so that they can be erased.
#[derive(Clone, Copy, Debug)]
pub struct HashedFacts<'a> {
    /// The account whose log contains the entry.
    pub account_id: AccountId,
    /// The entry's number in the log.
    pub sequence: i64,
    /// The entry's public id.
    pub id: EntryId,
    /// The event that the entry records.
    pub kind: EntryKind,
    /// The contra account: the other side of the entry.
    pub contra: ContraAccount,
    /// Credits with their sign.
    pub amount: Credits,
    /// The posted balance after the entry.
    pub balance_after: Credits,
    /// The time of posting.
    pub occurred_at: Timestamp,
    /// The session that the entry belongs to.
    pub session_id: Option<SessionId>,
    /// The top-up that the entry belongs to.
    pub top_up_id: Option<TopUpId>,
    /// The entry that this one reverses.
    pub reverses: Option<EntryId>,
    /// Who caused the entry.
    pub cause: Cause,
    /// The member who used the credits.
    pub member_id: Option<MemberId>,
    /// Covered by a separate hash. So it can be erased, and the chain can still be checked where that digest is
    /// kept.
    pub description: &'a str,
}

impl HashedFacts<'_> {
    /// Returns the hash of the entry after `previous`, in the encoding `version`; `None` for an unknown
    /// version.
    pub fn hash(&self, previous: &[u8; 32], version: i32) -> Option<[u8; 32]> {
        if version != HASH_VERSION {
            return None;
        }
        let mut out = Canonical::after(previous, i64::from(version));
        out.number(self.account_id.number());
        out.number(self.sequence);
        out.bytes(self.id.uuid().as_bytes());
        out.text(self.kind.as_str());
        out.text(self.contra.as_str());
        out.number(self.amount.units());
        out.number(self.balance_after.units());
        out.number(self.occurred_at.millis());
        for id in [
            self.session_id.map(SessionId::uuid),
            self.top_up_id.map(TopUpId::uuid),
            self.reverses.map(EntryId::uuid),
        ] {
            out.optional_bytes(id.as_ref().map(|id| &id.as_bytes()[..]));
        }
        let (kind, key, member) = self.cause.columns();
        out.text(kind);
        for id in [
            key.map(ApiKeyId::uuid),
            member.map(MemberId::uuid),
            self.member_id.map(MemberId::uuid),
        ] {
            out.optional_bytes(id.as_ref().map(|id| &id.as_bytes()[..]));
        }
        out.bytes(&Sha256::digest(self.description.as_bytes()));
        Some(out.finish())
    }
}
