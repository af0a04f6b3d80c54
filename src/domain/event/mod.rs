//! Events: one numbered stream of what happened in each account, the source of everything live.
//!
//! Code that changes something of an account appends an event in the same transaction, under the account's row lock. The number
//! comes from the locked row. So events become visible in order and without gaps, which a number from a database sequence would
//! not guarantee. An event row contains a kind, ids and a new status, never the object: objects are loaded in their current
//! state when they are read. Called by the ledger and by the modules above it, which append, and by the shells, which follow. It
//! calls no other module.
//!
//! A follower of a stream pulls. It keeps a position, waits until the [`Hub`] knows of more events, and reads on from there. So
//! a slow follower costs an integer and delays no other, and none misses or repeats an event. New events are read once for all
//! followers of the account.
//!
//! Invariants:
//! - A position only moves past an event that was read from the table.
//! - A lost bell costs time, never an event.
//! - A stream never continues from a cursor that does not match the rows: see [`Start::is_reset`].

mod bus;
mod echo;
mod events;
mod hub;
mod known;
mod recent;
mod rung;
mod store;

pub use bus::{BELL, Bell, SilentBell};
pub use events::{Begin, EventPage, Events, Start};
pub use hub::{Hub, Listener};
pub(in crate::domain) use ledgerbell_core::event::DETAILS;
pub use ledgerbell_core::event::{
    ContentColumns, Event, EventContent, EventKind, InvalidLiveCursor, LiveCursor, StreamPosition,
};
pub use ledgerbell_core::primitives::status::{AlertMark, ApiKeyChange, PurchaseLimit};
pub use rung::Rung;
pub(in crate::domain) use store::{after, append, append_with, between, delete_until, last_before, two_oldest};
