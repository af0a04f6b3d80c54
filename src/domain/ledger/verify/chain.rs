//! The chain of an account's entries: numbers, balances, times and hashes, each derived from the entry
//! before.

use data_encoding::HEXLOWER;

use crate::domain::ledger::model::{ContraAccount, Entry, EntryKind, genesis_hash};
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};

use super::Violation;
use super::checkpoint::{Verified, digest};
use super::store::{EntryRow, HeaderRow};

/// The state after the last entry that was followed. After a break it continues from the stored values, so that each
/// break is reported once.
pub(super) struct Chain {
    account_id: AccountId,
    sequence: i64,
    balance: i64,
    added: i64,
    /// The sum of amounts, independent of the stored balances.
    sum: i128,
    occurred_at: i64,
    hash: Vec<u8>,
}

impl Chain {
    pub(super) fn new(account_id: AccountId) -> Self {
        Self {
            account_id,
            sequence: 0,
            balance: 0,
            added: 0,
            sum: 0,
            occurred_at: i64::MIN,
            hash: genesis_hash(account_id).to_vec(),
        }
    }

    /// Continues after the last entry that was verified before.
    pub(super) fn resume(account_id: AccountId, verified: &Verified) -> Self {
        Self {
            account_id,
            sequence: verified.sequence,
            balance: verified.balance,
            added: verified.added,
            sum: verified.balance.into(),
            occurred_at: verified.occurred_at,
            hash: verified.hash.to_vec(),
        }
    }

    /// Returns what was followed, for the next verification; `None` if the last hash is no hash.
    pub(super) fn verified(&self, header: &HeaderRow) -> Option<Verified> {
        Some(Verified {
            sequence: self.sequence,
            balance: self.balance,
            added: self.added,
            occurred_at: self.occurred_at,
            hash: self.hash.as_slice().try_into().ok()?,
            figures: digest(header),
        })
    }

    /// The account whose chain it is.
    pub(super) fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// The number of the last entry that was followed.
    pub(super) fn sequence(&self) -> i64 {
        self.sequence
    }

    /// Follows the chain to the next entry.
    pub(super) fn follow(&mut self, entry: &EntryRow, mut report: impl FnMut(Violation)) {
        let id = EntryId::from_uuid(entry.id).global(self.account_id).to_string();
        let mut wrong = |what, expected: String, found: String| {
            report(Violation {
                account_id: self.account_id,
                what,
                row: Some(id.clone()),
                expected,
                found,
            });
        };
        let sequence = self.sequence.saturating_add(1);
        if entry.sequence != sequence {
            wrong(
                "entries are numbered without holes",
                sequence.to_string(),
                entry.sequence.to_string(),
            );
        }
        let balance = self.balance.saturating_add(entry.amount);
        if entry.balance_after != balance {
            wrong(
                "the balance after an entry is the one before it and its amount",
                show(balance),
                show(entry.balance_after),
            );
        }
        let added = self.added.wrapping_add(entry.amount.max(0));
        if entry.added_after != added {
            wrong(
                "what was added until an entry is what was added before and its amount, if that is above 0",
                show(added),
                show(entry.added_after),
            );
        }
        if entry.occurred_at < self.occurred_at {
            wrong(
                "time never runs backwards in an account",
                Timestamp::from_millis(self.occurred_at).to_string(),
                Timestamp::from_millis(entry.occurred_at).to_string(),
            );
        }
        match hash(self.account_id, entry, &self.hash) {
            Ok(hash) if hash[..] == entry.hash[..] => {}
            Ok(hash) => wrong(
                "an entry's hash follows from its facts and the hash before",
                HEXLOWER.encode(&hash),
                HEXLOWER.encode(&entry.hash),
            ),
            Err(unknown) => wrong(
                "an entry's facts are known words",
                unknown.to_owned(),
                entry_words(entry),
            ),
        }
        self.sequence = entry.sequence;
        self.balance = entry.balance_after;
        self.added = entry.added_after;
        self.sum += i128::from(entry.amount);
        self.occurred_at = entry.occurred_at;
        self.hash.clone_from(&entry.hash);
    }

    /// Compares the end of the chain with the account's figures.
    pub(super) fn finish(&self, header: &HeaderRow, mut report: impl FnMut(Violation)) {
        let mut compare = |what, expected: String, found: String| {
            if expected != found {
                report(Violation {
                    account_id: self.account_id,
                    what,
                    row: None,
                    expected,
                    found,
                });
            }
        };
        compare(
            "the account's entry sequence is the last entry's number",
            self.sequence.to_string(),
            header.entry_sequence.to_string(),
        );
        compare(
            "posted is the balance after the last entry",
            show(self.balance),
            show(header.posted),
        );
        compare(
            "posted is the sum of all entries",
            show(i64::try_from(self.sum).unwrap_or(i64::MAX)),
            show(header.posted),
        );
        compare(
            "what was added in all is what was added until the last entry",
            show(self.added),
            show(header.added),
        );
        compare(
            "the account's last hash is the last entry's",
            HEXLOWER.encode(&self.hash),
            HEXLOWER.encode(&header.last_hash),
        );
        if self.occurred_at > header.last_at {
            compare(
                "no entry is later than the account's last time",
                Timestamp::from_millis(self.occurred_at).to_string(),
                Timestamp::from_millis(header.last_at).to_string(),
            );
        }
    }
}

fn show(units: i64) -> String {
    format!("{} credits", Credits::from_units(units))
}

fn entry_words(entry: &EntryRow) -> String {
    format!(
        "kind {}, contra {}, actor {}, hash version {}",
        entry.kind, entry.contra, entry.actor_kind, entry.hash_version
    )
}

/// Returns the hash that the entry must have after `previous`, or the unknown word in the entry.
fn hash(account_id: AccountId, entry: &EntryRow, previous: &[u8]) -> Result<[u8; 32], &'static str> {
    let cause = Cause::from_columns(
        &entry.actor_kind,
        entry.actor_key_id.map(ApiKeyId::from_uuid),
        entry.actor_member_id.map(MemberId::from_uuid),
    );
    let facts = Entry {
        account_id,
        sequence: entry.sequence,
        id: EntryId::from_uuid(entry.id),
        kind: EntryKind::from_text(&entry.kind).ok_or("a known kind")?,
        contra: ContraAccount::from_text(&entry.contra).ok_or("a known contra account")?,
        amount: Credits::from_units(entry.amount),
        balance_after: Credits::from_units(entry.balance_after),
        added_after: Credits::from_units(entry.added_after),
        occurred_at: Timestamp::from_millis(entry.occurred_at),
        session_id: entry.session_id.map(SessionId::from_uuid),
        top_up_id: entry.top_up_id.map(TopUpId::from_uuid),
        reverses: entry.reverses_entry_id.map(EntryId::from_uuid),
        cause: cause.ok_or("an actor whose columns agree")?,
        member_id: entry.member_id.map(MemberId::from_uuid),
        description: entry.description.clone(),
        taken_back: Credits::ZERO,
        hash: [0; 32],
    };
    let previous = previous.try_into().unwrap_or(&[0; 32]);
    facts
        .hash_after(previous, entry.hash_version)
        .ok_or("a known hash version")
}
