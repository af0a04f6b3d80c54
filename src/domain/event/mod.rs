//! Events: one numbered stream of what happened in each account, the source of everything live.
//!
//! Whoever changes something of an account appends an event in the same transaction, under the account's row lock. Its number
//! comes from the locked row, so events become visible in order and without holes, which a number given by the database would
//! not do. An event row holds a kind, ids and a new status, never the object: objects are loaded as they are when somebody
//! looks. Called by the ledger and by the rooms above it; calls nobody.

mod model;
mod store;

pub use model::{EventKind, InvalidLiveCursor, LiveCursor, NewEvent};
pub(in crate::domain) use store::append;
