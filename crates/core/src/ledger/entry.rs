//! The hash chain over an account's entries.

use sha2::{Digest, Sha256};

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::command::Canonical;
use super::state::{ContraAccount, EntryKind};

/// The encoding that new entries are hashed with. Old versions are kept for ever, so that old entries still verify.
pub const HASH_VERSION: i32 = 1;

/// What an account's chain of hashes starts from: SHA-256 of the account's number.
pub fn genesis_hash(account_id: AccountId) -> [u8; 32] {
    Sha256::digest(account_id.number().to_be_bytes()).into()
}

/// The facts of an entry that its hash covers. Names and titles stay out, so that they can be erased.
#[derive(Clone, Copy, Debug)]
pub struct HashedFacts<'a> {
    /// Whose entry it is.
    pub account_id: AccountId,
    /// Its number.
    pub sequence: i64,
    /// Its id.
    pub id: EntryId,
    /// What it records.
    pub kind: EntryKind,
    /// The other side.
    pub contra: ContraAccount,
    /// Its amount, with its sign.
    pub amount: Credits,
    /// The balance after it.
    pub balance_after: Credits,
    /// When.
    pub occurred_at: Timestamp,
    /// Its session.
    pub session_id: Option<SessionId>,
    /// Its top-up.
    pub top_up_id: Option<TopUpId>,
    /// The entry it reverses.
    pub reverses: Option<EntryId>,
    /// Who caused it.
    pub cause: Cause,
    /// Whose use it was.
    pub member_id: Option<MemberId>,
    /// Hashed by its own hash, so that it can be erased and the chain still be checked where the digest is kept.
    pub description: &'a str,
}

impl HashedFacts<'_> {
    /// The hash of the entry after `previous`, in the encoding `version`; `None` for a version that never was.
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
