//! The bell: notifies those who wait for an account's events that there are new ones.
//!
//! A ring contains only the number of the account's last event. It may come twice, late or not at all. Listeners read the rows,
//! and the hub queries the heads of streams with listeners twice a second.

use crate::primitives::ids::AccountId;

/// The name by which the connection to other processes reports whether it works, in [`crate::domain::pulse::Pulse`].
pub const BELL: &str = "bell";

/// Called after a commit that appended events to an account's stream. May be called often and must return at once. A ring
/// may be lost.
pub trait Bell: Send + Sync + 'static {
    /// The account's events now go up to `event_sequence`. The platform has no events: its ring only wakes the workers of all processes.
    fn ring(&self, account_id: AccountId, event_sequence: i64);
}

/// A bell without listeners.
#[derive(Clone, Copy, Debug, Default)]
pub struct SilentBell;

impl Bell for SilentBell {
    fn ring(&self, _: AccountId, _: i64) {}
}
