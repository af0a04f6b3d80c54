//! What a verification has found right, for a file by which the next one begins there.
//!
//! The file is signed, because the next verification trusts it: it does not read again what was verified. An account whose figures are the
//! same as then counts as unchanged: each change of them appends an event, and they contain the last event. Attempts of a top-up alone may
//! have changed. Of the other accounts, the chain of entries is followed from the last verified entry on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::primitives::clock::Timestamp;
use crate::primitives::derived_key;
use crate::primitives::ids::AccountId;

use super::store::HeaderRow;

/// The purpose of the key. It has the version of the format.
const PURPOSE: &str = "ledgerbell verify checkpoint 1";

/// Signs checkpoints, and checks their signatures.
#[derive(Clone)]
pub struct CheckpointKey(Hmac<Sha256>);

/// Why a checkpoint is not used. A message contains the problem, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCheckpoint {
    /// The signature does not match.
    #[error(
        "it was changed, or written with another secret or by another version: verify without --since, and write another one"
    )]
    Signature,
    /// It is about another database.
    #[error("it is of another database: verify without --since, and write another one")]
    OtherDatabase,
}

/// The accounts that were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The identity of the database; nil where no server has used it.
    pub database: Uuid,
    /// When everything was last verified from the beginning.
    pub whole_at: Timestamp,
    pub(super) accounts: BTreeMap<AccountId, Verified>,
}

/// What was verified of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verified {
    /// The last entry; 0 before the first.
    pub(super) sequence: i64,
    /// The balance after it.
    pub(super) balance: i64,
    /// What was added until then.
    pub(super) added: i64,
    /// When it was posted.
    pub(super) occurred_at: i64,
    /// Its hash, or the account's genesis.
    pub(super) hash: [u8; 32],
    /// The digest of the account's figures.
    pub(super) figures: [u8; 32],
}

impl CheckpointKey {
    /// Derives the key from the secret of the installation.
    pub fn derive(secret: &[u8]) -> Self {
        Self(derived_key::derive(secret, PURPOSE))
    }

    fn signing(&self, text: &str) -> Hmac<Sha256> {
        self.0.clone().chain_update(text)
    }
}

impl Checkpoint {
    /// A checkpoint without accounts.
    pub const fn new(database: Uuid, whole_at: Timestamp) -> Self {
        Self {
            database,
            whole_at,
            accounts: BTreeMap::new(),
        }
    }

    /// Formats it as the text of a file, with its signature in the last line.
    pub fn to_text(&self, key: &CheckpointKey) -> String {
        let mut text = format!("{} {}\n", self.database.simple(), self.whole_at.millis());
        for (account_id, verified) in &self.accounts {
            let Verified {
                sequence,
                balance,
                added,
                occurred_at,
                hash,
                figures,
            } = verified;
            let (number, hash, figures) = (account_id.number(), HEXLOWER.encode(hash), HEXLOWER.encode(figures));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{number} {sequence} {balance} {added} {occurred_at} {hash} {figures}"
            );
        }
        let signature = HEXLOWER.encode(&key.signing(&text).finalize().into_bytes());
        text + &signature + "\n"
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    /// See [`InvalidCheckpoint`].
    pub fn of_text(text: &str, key: &CheckpointKey, database: Uuid) -> Result<Self, InvalidCheckpoint> {
        let content = text.strip_suffix('\n').ok_or(InvalidCheckpoint::Signature)?;
        let end = content.rfind('\n').map_or(0, |at| at + 1);
        let (signed, signature) = content.split_at(end);
        let signature = HEXLOWER.decode(signature.as_bytes());
        let signature = signature.map_err(|_| InvalidCheckpoint::Signature)?;
        let is_signed = key.signing(signed).verify_slice(&signature).is_ok();
        let checkpoint = parse(signed)
            .filter(|_| is_signed)
            .ok_or(InvalidCheckpoint::Signature)?;
        if checkpoint.database == database {
            Ok(checkpoint)
        } else {
            Err(InvalidCheckpoint::OtherDatabase)
        }
    }
}

fn parse(signed: &str) -> Option<Checkpoint> {
    let mut lines = signed.lines();
    let (database, whole_at) = lines.next()?.split_once(' ')?;
    let mut checkpoint = Checkpoint::new(
        Uuid::try_parse(database).ok()?,
        Timestamp::from_millis(whole_at.parse().ok()?),
    );
    for line in lines {
        let mut parts = line.split(' ');
        let mut number = || -> Option<i64> { parts.next()?.parse().ok() };
        let account_id = AccountId::from_number(number()?);
        let (sequence, balance, added, occurred_at) = (number()?, number()?, number()?, number()?);
        let mut bytes = || -> Option<[u8; 32]> { HEXLOWER.decode(parts.next()?.as_bytes()).ok()?.try_into().ok() };
        let verified = Verified {
            sequence,
            balance,
            added,
            occurred_at,
            hash: bytes()?,
            figures: bytes()?,
        };
        checkpoint.accounts.insert(account_id, verified);
    }
    Some(checkpoint)
}

/// Returns the digest of the figures that change with every change of an account.
pub(super) fn digest(header: &HeaderRow) -> [u8; 32] {
    let numbers = [
        header.posted,
        header.added,
        header.held,
        header.incoming,
        header.debt,
        header.balance_version,
        header.entry_sequence,
        header.event_sequence,
        header.event_nonce,
        header.last_at,
        header.lot_count,
        header.events_deleted,
    ];
    let mut digest = Sha256::new();
    for number in numbers {
        digest.update(number.to_be_bytes());
    }
    digest.update(&header.last_hash);
    digest.update(header.status.as_bytes());
    digest.finalize().into()
}
