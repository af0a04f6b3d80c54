//! The bell: how those who wait for an account's events are told that there are new ones.
//!
//! A ring says no more than how far an account's stream goes. It may come twice, late or not at all: who listens reads the rows,
//! and the hub asks for the heads of streams that are listened to once a second.

use crate::primitives::ids::AccountId;

/// Told after a commit that an account's stream has grown. May be called often and must return at once; a ring may be lost.
pub trait Bell: Send + Sync + 'static {
    /// The account's events go up to `event_sequence` now.
    fn ring(&self, account_id: AccountId, event_sequence: i64);
}

/// A bell that nobody hears.
#[derive(Clone, Copy, Debug, Default)]
pub struct SilentBell;

impl Bell for SilentBell {
    fn ring(&self, _: AccountId, _: i64) {}
}
