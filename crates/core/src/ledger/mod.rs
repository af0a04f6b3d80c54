//! The pure core: the only module that decides about credits.
//!
//! No I/O, no clock, no async. [`decide`] is a function of an account's state, a request and the time. So the property tests and
//! the simulation run the production code. The posting engine calls it: it loads the state, folds a batch of requests over it,
//! and writes the decisions.

mod account_status;
mod command;
mod corrections;
mod decision;
mod draft;
mod entry;
mod key;
mod lots;
mod needs;
mod sessions;
mod state;
#[cfg(test)]
mod tests;
mod top_up_holds;

pub use crate::event::{Event, EventContent};
pub use command::{Canonical, Command, MemberRef, Origin, Request, SessionRef};
pub use decision::{Decision, NewEntry, Refusal, ShiftExpiries};
pub use entry::{Entry, HASH_VERSION, genesis_hash};
pub use key::{Binding, KeyRecord, KeyRefusal};
pub use needs::Needs;
pub use sessions::ACCOUNT_CLOSED;
pub use state::{
    AccountHeader, AccountState, AccountStatus, ContraAccount, EntryKind, HoldMovement, HoldPart, Holder, Lot, LotKind,
    LotMovement, MemberStanding, Outcome, PastEntry, Session, SessionStatus, ShownStatus, TopUpHold,
};

use draft::Draft;

use crate::primitives::credits::Credits;
use crate::primitives::timestamp::Timestamp;

/// Lots with a remainder that an account may have.
pub const MAX_LOTS: i64 = 1_000;
/// Sessions whose hold or end one command processes. The next command or the sweeper continues.
pub const MAX_DUE: usize = 500;

/// The operator's limits on commands.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub struct Policy {
    /// How far a completion with `allowOverage` may go beyond what was booked.
    pub overage_limit: Credits,
}

/// Decides `request` on `state` at `now`, which is not before the state's last time.
///
/// In this order: a known key returns its first outcome, or is refused; a member on whose behalf a key acts must be on the team; lots and
/// holds whose time has come expire; the command is decided. A refusal changes nothing, not even expired lots and holds. A
/// decision contains everything that must be written.
pub fn decide(state: &AccountState, request: &Request, now: Timestamp, policy: &Policy) -> Result<Decision, Refusal> {
    let digests = request.digests();
    if let Some(record) = request.key.as_ref().and_then(|key| state.keys.get(key)) {
        return Ok(Decision::replay(state, record.replay(&digests)?));
    }
    if let Some(acting) = request.acting() {
        state.present_member(acting).map_err(Refusal::of_acting_member)?;
    }
    let mut draft = Draft::new(state, request, now, policy);
    draft.expire_due()?;
    let outcome = draft.run(&request.command)?;
    Ok(draft.finish(outcome, digests[0]))
}
