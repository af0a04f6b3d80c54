//! The hash chain over an account's entries.

use sha2::{Digest, Sha256};

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
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

/// One immutable line of the credit log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Entry {
    /// The entry's public id.
    pub id: EntryId,
    /// The account whose log contains the entry.
    pub account_id: AccountId,
    /// Position in the account's log: 1, 2, 3… without gaps.
    pub sequence: i64,
    /// The time of posting.
    pub occurred_at: Timestamp,
    /// The event that the entry records.
    pub kind: EntryKind,
    /// The contra account: the other side of the entry.
    pub contra: ContraAccount,
    /// Credits, positive when they come in and negative when they go out; never 0.
    pub amount: Credits,
    /// The posted balance after the entry.
    pub balance_after: Credits,
    /// What entries have added, up to this one. It wraps around; only differences are used.
    pub added_after: Credits,
    /// Human-readable text.
    pub description: String,
    /// Who caused the entry.
    #[cfg_attr(feature = "sea-orm", record(flatten, prefix = "actor_"))]
    pub cause: Cause,
    /// The member whose use it was; `None` for entries that concern no member.
    pub member_id: Option<MemberId>,
    /// The session that the entry belongs to.
    pub session_id: Option<SessionId>,
    /// The top-up that the entry belongs to.
    pub top_up_id: Option<TopUpId>,
    /// The entry that this one reverses.
    #[cfg_attr(feature = "sea-orm", record(name = "reverses_entry_id"))]
    pub reverses: Option<EntryId>,
    /// How much of the entry was reversed since.
    pub taken_back: Credits,
    /// Hash over the entry and the hash of the previous one.
    #[cfg_attr(feature = "sea-orm", record(bytes))]
    pub hash: [u8; 32],
}

impl Entry {
    /// The posted balance before the entry.
    pub fn balance_before(&self) -> Credits {
        Credits::from_units(self.balance_after.units().saturating_sub(self.amount.units()))
    }

    /// Computes the hash of the entry after `previous`, in the encoding `version`; `None` for an unknown version.
    ///
    /// Names and titles stay out, so that they can be erased. The description is covered by a separate hash. So it can be erased,
    /// and the chain can still be checked where that digest is kept. What was reversed since stays out, because it changes.
    pub fn hash_after(&self, previous: &[u8; 32], version: i32) -> Option<[u8; 32]> {
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
