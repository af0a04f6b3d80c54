//! The results of the core: all that is to be written, or the refusal.

use std::collections::BTreeMap;

use crate::event::Event;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, LotId, SessionId, TopUpId};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::Record;
use crate::primitives::timestamp::Timestamp;

use super::command::Origin;
use super::entry::Entry;
use super::key::{KeyRecord, KeyRefusal};
use super::state::{
    AccountHeader, AccountState, EntryKind, HoldMovement, Lot, LotMovement, Outcome, PastEntry, Session, SessionStatus,
    TopUpHold,
};

/// A new line of the credit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The entry; nothing of it is reversed.
    pub entry: Entry,
    /// The text that `search` scans: description, session title, external ids.
    pub search_text: String,
    /// The movements of lots and debt. Their sum is the amount.
    pub movements: Vec<LotMovement>,
}

/// All that one accepted command changes. Applying it to the state it was decided on gives the state for the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The account's figures after the command.
    pub header: AccountHeader,
    /// Lots that were made or changed, in their new state.
    pub lots: BTreeMap<LotId, Lot>,
    /// New values of [`AccountState::held_before`].
    pub held_before: BTreeMap<LotId, Credits>,
    /// Sessions that were made or changed, in their new state.
    pub sessions: BTreeMap<SessionId, Session>,
    /// Past entries that were reversed in part or whole, in their new state.
    pub past_entries: BTreeMap<EntryId, PastEntry>,
    /// Changed holds of top-ups; 0 credits where a hold is released.
    pub top_up_holds: BTreeMap<TopUpId, TopUpHold>,
    /// Changes of holds, in order.
    pub hold_movements: Vec<HoldMovement>,
    /// New entries, in order.
    pub entries: Vec<NewEntry>,
    /// New events, in order.
    pub events: Vec<Event>,
    /// The idempotency key to store.
    pub key: Option<((Origin, String), &'static str, KeyRecord)>,
    /// Moves the expiry of all lots with a remainder that had not expired, and of all holds, by the length of a freeze.
    /// Affects rows beyond the working set.
    pub shift_expiries_by: Option<ShiftExpiries>,
    /// What the command made or changed.
    pub outcome: Outcome,
    /// The key was known: nothing is changed, and `outcome` is that of the first command.
    pub replayed: bool,
}

/// The end of a freeze: see [`Decision::shift_expiries_by`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record))]
pub struct ShiftExpiries {
    /// Lots that had expired at this instant stay expired.
    pub not_expired_at: Timestamp,
    /// The length of the freeze in milliseconds.
    pub millis: i64,
}

/// Why a command is refused. Then nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key was used before, and the request is no replay.
    #[error(transparent)]
    IdempotencyKey(#[from] KeyRefusal),
    /// The available credits do not suffice to hold, or to charge after a release.
    #[error("the account has too few available credits: missing {missing}, available {available}, held {held}")]
    InsufficientCredits {
        /// Credits that are missing.
        missing: Credits,
        /// Credits that can be used now.
        available: Credits,
        /// Credits that are reserved for bookings, disputes and refunds in progress.
        held: Credits,
    },
    /// Refused while the account is frozen.
    #[error("the account is frozen{}", .reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    AccountFrozen {
        /// Human-readable reason of the freeze.
        reason: Option<String>,
    },
    /// The account is closed, so this is final.
    #[error("the account is closed")]
    AccountClosed,
    /// No such member in the account.
    #[error("this member does not exist")]
    MemberNotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// The member to act for does not exist in the account.
    #[error("the acting member does not exist")]
    ActingMemberNotFound,
    /// The member to act for has left the team.
    #[error("the acting member was removed from the team")]
    ActingMemberRemoved,
    /// No such session in the account.
    #[error("this session does not exist")]
    SessionNotFound,
    /// The session was completed or canceled before, under another key.
    #[error("this session was already resolved as {}", .status.as_str())]
    SessionAlreadyResolved {
        /// The session that was named.
        session_id: SessionId,
        /// The status in which it ended.
        status: SessionStatus,
    },
    /// The session's hold was released, and the credits are no longer available.
    #[error(
        "the hold of this session was released because it was not resolved in time; too few credits are available to charge it now (missing: {missing}). Send allowOverage: true to charge it anyway"
    )]
    SessionExpired {
        /// The session that was named.
        session_id: SessionId,
        /// Credits that are missing.
        missing: Credits,
    },
    /// An open session has this external id.
    #[error("another open session has this externalId")]
    SessionExternalIdTaken {
        /// The open session with that id.
        session_id: SessionId,
    },
    /// More than was held, without permission or beyond the operator's limit.
    #[error("the charge exceeds what the session holds: the most that can be charged{} is {at_most}", if *.with_overage { "" } else { " without allowOverage" })]
    ChargeExceedsHold {
        /// The highest charge that would be accepted.
        at_most: Credits,
        /// Whether `allowOverage` was given.
        with_overage: bool,
    },
    /// The fee is above the booked credits.
    #[error("the fee must not exceed what was booked: {booked}")]
    FeeExceedsBooked {
        /// Credits that were booked.
        booked: Credits,
    },
    /// The refund is above what is left of the charge.
    #[error("at most {left} credits of this charge can still be refunded")]
    RefundExceedsCharge {
        /// Credits that are left.
        left: Credits,
    },
    /// The refund is above what is unspent of the top-up and available.
    #[error(
        "at most {unspent} credits of this top-up are unspent and available; refund no more, or send allowDebt: true to take spent credits too"
    )]
    RefundExceedsUnspent {
        /// Credits that may be refunded without debt.
        unspent: Credits,
    },
    /// No such entry in the account.
    #[error("this entry does not exist")]
    EntryNotFound,
    /// Session entries are refunded, not adjusted. A reversal has the opposite sign of what it reverses.
    #[error("{0}")]
    NotReversible(&'static str),
    /// The account has the maximum number of lots with a remainder.
    #[error(
        "the account has {} lots with credits left, which is the maximum: retry when some of these credits are used or expired",
        super::MAX_LOTS
    )]
    LotLimit,
    /// An input that is invalid in every state.
    #[error("{message}")]
    Invalid {
        /// The path of the field in the input.
        field: &'static str,
        /// Human-readable explanation.
        message: String,
    },
    /// A figure would exceed its range.
    #[error("the amount is too large for this account")]
    Overflow,
    /// The top-up was credited before.
    #[error("this top-up was already credited")]
    AlreadyCredited {
        /// The entry that credited it.
        entry_id: EntryId,
    },
}

impl Refusal {
    /// Turns a refusal about a member into the refusal about the member on whose behalf a key asks.
    pub(super) fn of_acting_member(self) -> Self {
        match self {
            Self::MemberNotFound => Self::ActingMemberNotFound,
            Self::MemberRemoved => Self::ActingMemberRemoved,
            other => other,
        }
    }
}

impl Decision {
    /// Answers a known key: the outcome of the first command, and no change.
    pub(super) fn replay(state: &AccountState, outcome: Outcome) -> Self {
        Self {
            header: state.header.clone(),
            lots: BTreeMap::new(),
            held_before: state.held_before.clone(),
            sessions: BTreeMap::new(),
            past_entries: BTreeMap::new(),
            top_up_holds: BTreeMap::new(),
            hold_movements: Vec::new(),
            entries: Vec::new(),
            events: Vec::new(),
            key: None,
            shift_expiries_by: None,
            outcome,
            replayed: true,
        }
    }
}

impl AccountState {
    /// Moves the state to the one after `decision`, which was made on this state.
    pub fn apply(&mut self, decision: &Decision) {
        self.header = decision.header.clone();
        self.lots
            .extend(decision.lots.iter().map(|(id, lot)| (*id, lot.clone())));
        self.held_before.clone_from(&decision.held_before);
        for (id, session) in &decision.sessions {
            if let Some(external_id) = session.external_id.as_ref().filter(|_| session.is_open()) {
                self.sessions_by_external_id.insert(external_id.clone(), *id);
            }
            self.sessions.insert(*id, session.clone());
        }
        self.entries
            .extend(decision.past_entries.iter().map(|(id, entry)| (*id, entry.clone())));
        self.top_up_holds.extend(&decision.top_up_holds);
        for new in &decision.entries {
            let entry = &new.entry;
            self.entries.insert(entry.id, PastEntry::from(new));
            if let (Some(top_up_id), EntryKind::TopUp | EntryKind::AutoTopUp) = (entry.top_up_id, entry.kind) {
                self.credited_top_ups.insert(top_up_id, entry.id);
            }
        }
        if let Some((key, _, record)) = &decision.key {
            self.keys.insert(key.clone(), record.clone());
        }
    }
}

impl From<&NewEntry> for PastEntry {
    fn from(NewEntry { entry, movements, .. }: &NewEntry) -> Self {
        Self {
            entry: entry.clone(),
            movements: movements.clone(),
        }
    }
}
