//! Page cursors: opaque positions that belong to one list.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// The list that a cursor belongs to, with its account, filter and order, hashed to eight bytes.
///
/// A cursor that is used with another list is refused. Otherwise it would return a wrong page without an
/// error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorScope([u8; 8]);

impl CursorScope {
    /// Returns the scope of a list described by `parts`, which must be the same for the same list and differ for
    /// another.
    pub fn of(parts: &[&str]) -> Self {
        let digest = parts.iter().fold(Sha256::new(), |hash, part| {
            hash.chain_update((part.len() as u64).to_be_bytes())
                .chain_update(part.as_bytes())
        });
        let digest: [u8; 32] = digest.finalize().into();
        let mut scope = [0; 8];
        scope.copy_from_slice(&digest[..8]);
        Self(scope)
    }

    /// Encodes a position of this list as a cursor.
    pub fn encode(self, position: &[u8]) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend_from_slice(position);
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Decodes the position of `cursor`, if it is one of this list.
    pub fn decode(self, cursor: &str) -> Result<Vec<u8>, InvalidCursor> {
        if cursor.len() > 1_024 {
            return Err(InvalidCursor);
        }
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| InvalidCursor)?;
        match bytes.split_at_checked(8) {
            Some((scope, position)) if scope == self.0 => Ok(position.to_vec()),
            _ => Err(InvalidCursor),
        }
    }
}

/// The text is not a cursor of this list with this filter and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of this list with this filter and order; start without a cursor")]
pub struct InvalidCursor;
