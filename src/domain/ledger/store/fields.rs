//! Reads the columns of a row one after the other.

use sea_orm::{QueryResult, TryGetable};
use uuid::Uuid;

use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;

/// The columns of a row, in the order of the SELECT.
pub(super) struct Fields<'r> {
    row: &'r QueryResult,
    at: usize,
}

impl<'r> Fields<'r> {
    pub(super) fn of(row: &'r QueryResult) -> Self {
        Self { row, at: 0 }
    }

    pub(super) fn next<T: TryGetable>(&mut self) -> Result<T, Fault> {
        let value = self.row.try_get_by_index(self.at)?;
        self.at += 1;
        Ok(value)
    }

    pub(super) fn credits(&mut self) -> Result<Credits, Fault> {
        self.next().map(Credits::from_units)
    }

    pub(super) fn timestamp(&mut self) -> Result<Timestamp, Fault> {
        self.next().map(Timestamp::from_millis)
    }

    pub(super) fn optional_timestamp(&mut self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.next::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    pub(super) fn id<I>(&mut self, make: impl FnOnce(Uuid) -> I) -> Result<I, Fault> {
        self.next().map(make)
    }

    pub(super) fn optional_id<I>(&mut self, make: impl FnOnce(Uuid) -> I) -> Result<Option<I>, Fault> {
        Ok(self.next::<Option<Uuid>>()?.map(make))
    }

    /// Reads a word of a closed vocabulary.
    pub(super) fn word<T>(&mut self, from_text: impl FnOnce(&str) -> Option<T>) -> Result<T, Fault> {
        let text: String = self.next()?;
        from_text(&text).ok_or_else(|| Fault::Internal(format!("the unknown word {text:?} in the database")))
    }

    pub(super) fn hash(&mut self) -> Result<[u8; 32], Fault> {
        let bytes: Vec<u8> = self.next()?;
        bytes
            .try_into()
            .map_err(|_| Fault::Internal("a hash in the database is not of 32 bytes".to_owned()))
    }
}
