//! High-water marks: the last entry of each account at some time, for a file that the operator keeps elsewhere.
//!
//! A database that was restored to an earlier state is consistent in itself: a backup that is too old, or a copy of a SQLite
//! file without its write-ahead log. It lacks entries that such a mark names, or has other entries in their place.

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::ids::AccountId;
use crate::primitives::record::FromRow;

use super::store;

/// Accounts that are read at once.
const ACCOUNTS_AT_ONCE: u32 = 500;

/// The last entry of an account.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Mark {
    /// The account that the mark belongs to.
    pub account_id: AccountId,
    /// The number of its last entry.
    pub sequence: i64,
    /// That entry's hash, which covers all entries before it.
    pub hash: Vec<u8>,
}

/// Returns the marks of all accounts that have entries.
pub async fn marks(database: &Database) -> Result<Vec<Mark>, Fault> {
    let mut marks = Vec::new();
    let mut after = AccountId::PLATFORM;
    loop {
        let some = store::marks(database.read(), after, ACCOUNTS_AT_ONCE).await?;
        let Some(last) = some.last() else { return Ok(marks) };
        after = last.account_id;
        marks.extend(some);
    }
}

/// Returns which of these marks the database does not contain, a line each.
pub async fn missing(database: &Database, marks: &[Mark]) -> Result<Vec<String>, Fault> {
    let mut missing = Vec::new();
    for mark in marks {
        let (account, sequence) = (mark.account_id, mark.sequence);
        match store::hash_of(database.read(), account, sequence).await? {
            Some(hash) if hash == mark.hash => {}
            Some(_) => missing.push(format!(
                "{account}: entry {sequence} is not the one that the anchor names"
            )),
            None => missing.push(format!("{account}: entry {sequence} of the anchor is missing")),
        }
    }
    Ok(missing)
}

impl Mark {
    /// Formats the mark as a line of a file.
    pub fn to_line(&self) -> String {
        let hash = data_encoding::HEXLOWER.encode(&self.hash);
        format!("{} {} {hash}", self.account_id.number(), self.sequence)
    }

    /// Parses a line of a file; `None` where it is not a mark.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.split_whitespace();
        let mark = Self {
            account_id: AccountId::from_number(parts.next()?.parse().ok()?),
            sequence: parts.next()?.parse().ok()?,
            hash: data_encoding::HEXLOWER.decode(parts.next()?.as_bytes()).ok()?,
        };
        parts.next().is_none().then_some(mark)
    }
}
