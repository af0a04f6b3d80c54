//! Events: one numbered stream of what happened in each account, the source of everything live.
//!
//! Whoever changes something of an account appends an event in the same transaction, under the account's row lock. Its number
//! comes from the locked row, so events become visible in order and without holes, which a number given by the database would
//! not do. An event row holds a kind, ids and a new status, never the object: objects are loaded as they are when somebody
//! looks. Called by the ledger and by the rooms above it, which append, and by the shells, which follow; calls nobody.
//!
//! Whoever follows a stream pulls: it holds a place, waits until the [`Hub`] knows of more, and reads on from there. So one that
//! is slow costs an integer and holds nobody up, and none misses or repeats an event. What is new is read once for all that
//! follow the account.
//!
//! Invariants:
//! - A place is only ever moved past an event that was read from the table.
//! - A bell that is lost costs time, never an event.
//! - A cursor that does not belong to the rows as they are is never gone on from: see [`Start::is_reset`].

mod bus;
mod events;
mod hub;
mod recent;
mod rung;
mod store;

pub use bus::{Bell, SilentBell};
pub use events::{Begin, EventPage, Events, Start};
pub use hub::{Hub, Listener};
pub use ledgerbell_core::event::{DEDUCTED, DETAILS, Event, EventKind, InvalidLiveCursor, LiveCursor, NewEvent, Place};
pub use rung::Rung;
pub(in crate::domain) use store::{after, append, between};
