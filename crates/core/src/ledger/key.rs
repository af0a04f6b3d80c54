//! Stored idempotency keys: what a key is bound to, and the answer to a request that is repeated.

use super::state::Outcome;
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record, unreadable};
use crate::primitives::timestamp::Timestamp;

/// A stored idempotency key: what it is bound to, and the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct KeyRecord {
    /// What the key is bound to.
    #[cfg_attr(feature = "sea-orm", record(name = "digest"))]
    pub binding: Binding,
    /// What the command made or changed; empty when the key has expired.
    #[cfg_attr(feature = "sea-orm", record(flatten))]
    pub outcome: Outcome,
    /// The time of the first use.
    #[cfg_attr(feature = "sea-orm", record(name = "created_at"))]
    pub used_at: Timestamp,
}

/// What a stored key is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The digest of the input.
    Input([u8; 32]),
    /// The key has expired. Its input and its outcome are no longer stored. It stays used.
    Expired,
}

/// Why a request with a used key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The key is bound to another input.
    #[error("this idempotencyKey was used before with other input; use a new key for a new operation")]
    Reused,
    /// The outcome of the first request is no longer stored.
    #[error(
        "this idempotencyKey was used on {}, and its result is no longer stored. Nothing was done now: look for the result in the credit log or among the top-ups, and use a new key only for a new operation", .used_at.to_datetime().date_naive()
    )]
    Expired {
        /// The time of the first use.
        used_at: Timestamp,
    },
}

impl KeyRecord {
    /// Returns the outcome of the first request, if the repeated one has the same input: one of these digests.
    ///
    /// # Errors
    /// The input is another one, or the outcome is no longer stored.
    pub fn replay(&self, digests: &[[u8; 32]]) -> Result<Outcome, KeyRefusal> {
        match self.binding {
            Binding::Expired => Err(KeyRefusal::Expired { used_at: self.used_at }),
            Binding::Input(digest) if digests.contains(&digest) => Ok(self.outcome),
            Binding::Input(_) => Err(KeyRefusal::Reused),
        }
    }
}

// An expired key has no bytes, so that its row is small.
#[cfg(feature = "sea-orm")]
crate::stored!(
    Binding,
    Vec<u8>,
    |binding: Binding| match binding {
        Binding::Input(digest) => digest.to_vec(),
        Binding::Expired => Vec::new(),
    },
    |bytes: Vec<u8>| match bytes.as_slice() {
        [] => Ok(Binding::Expired),
        bytes => {
            let digest = bytes.try_into().map(Binding::Input);
            digest.map_err(|_| unreadable(&format!("{} bytes in place of a digest", bytes.len())))
        }
    }
);
