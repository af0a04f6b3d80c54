//! What the core answers: everything that is to be written, or why not.

use std::collections::BTreeMap;

use crate::event::NewEvent;
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, LotId, MemberId, SessionId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::command::Origin;
use super::state::{
    AccountHeader, AccountState, ContraAccount, EntryKind, HoldMovement, KeyRecord, Lot, LotMovement, Outcome,
    PastEntry, Session, SessionStatus, TopUpHold,
};

/// A line of the credit log that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Its id.
    pub id: EntryId,
    /// Its number: one more than the last.
    pub sequence: i64,
    /// When.
    pub occurred_at: Timestamp,
    /// What it records.
    pub kind: EntryKind,
    /// The other side.
    pub contra: ContraAccount,
    /// How much, with its sign; never 0.
    pub amount: Credits,
    /// The balance after it.
    pub balance_after: Credits,
    /// For people.
    pub description: String,
    /// Who caused it.
    pub cause: Cause,
    /// Whose use it was.
    pub member_id: Option<MemberId>,
    /// Its session.
    pub session_id: Option<SessionId>,
    /// Its top-up.
    pub top_up_id: Option<TopUpId>,
    /// The entry it reverses.
    pub reverses: Option<EntryId>,
    /// What `search` looks through: description, session title, external ids.
    pub search_text: String,
    /// Where the amount went: sums up to it.
    pub movements: Vec<LotMovement>,
    /// Chains to the entry before.
    pub hash: [u8; 32],
}

/// All that one accepted command changes. Applying it to the state it was decided on gives the state for the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The figures after it.
    pub header: AccountHeader,
    /// Lots made or changed, as they are now.
    pub lots: BTreeMap<LotId, Lot>,
    /// See [`AccountState::held_before`], as it is now.
    pub held_before: BTreeMap<LotId, Credits>,
    /// Sessions made or changed, as they are now.
    pub sessions: BTreeMap<SessionId, Session>,
    /// Past entries of which something was given or taken back, as they are now.
    pub past_entries: BTreeMap<EntryId, PastEntry>,
    /// What is held for top-ups, where it changed; nothing where it is released.
    pub top_up_holds: BTreeMap<TopUpId, TopUpHold>,
    /// How holds have changed, in order.
    pub hold_movements: Vec<HoldMovement>,
    /// Entries posted, in order.
    pub entries: Vec<NewEntry>,
    /// Events, in order.
    pub events: Vec<NewEvent>,
    /// The key to store.
    pub key: Option<((Origin, String), &'static str, KeyRecord)>,
    /// Moves the expiry of all lots with a remainder that had not expired, and of all holds, by so many milliseconds: the
    /// length of a freeze. Reaches rows beyond the working set.
    pub shift_expiries_by: Option<ShiftExpiries>,
    /// What it made or changed.
    pub outcome: Outcome,
    /// The key was known: nothing is changed, `outcome` is the first one's.
    pub replayed: bool,
}

/// The end of a freeze: see [`Decision::shift_expiries_by`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShiftExpiries {
    /// Lots that had expired by then stay expired.
    pub not_expired_at: Timestamp,
    /// The length of the freeze in milliseconds.
    pub millis: i64,
}

/// Why a command is refused. Nothing is written then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key is bound to another input.
    #[error("this idempotencyKey was used before with other input; use a new key for a new operation")]
    IdempotencyKeyReused,
    /// Not enough available to hold or to charge after release.
    #[error("the account has too few available credits: missing {missing}, available {available}, held {held}")]
    InsufficientCredits {
        /// How many more are needed.
        missing: Credits,
        /// How many can be used now.
        available: Credits,
        /// How many are reserved for what was booked, disputed, or is being refunded.
        held: Credits,
    },
    /// Refused while frozen.
    #[error("the account is frozen{}", .reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    AccountFrozen {
        /// Why, in words for people.
        reason: Option<String>,
    },
    /// Refused for ever.
    #[error("the account is closed")]
    AccountClosed,
    /// No such member in the account.
    #[error("this member does not exist")]
    MemberNotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// No such member in the account to act for.
    #[error("the member on whose behalf this is asked does not exist")]
    ActingMemberNotFound,
    /// The member to act for left the team.
    #[error("the member on whose behalf this is asked was removed from the team")]
    ActingMemberRemoved,
    /// No such session in the account.
    #[error("this session does not exist")]
    SessionNotFound,
    /// Completed or canceled before, under another key.
    #[error("this session was already resolved as {}", .status.as_str())]
    SessionAlreadyResolved {
        /// Which.
        session_id: SessionId,
        /// As what.
        status: SessionStatus,
    },
    /// Its hold was released, and the credits are no longer there.
    #[error(
        "the hold of this session was released because it was not resolved in time, and too few credits are available to charge it now (missing: {missing}); allowOverage charges it all the same"
    )]
    SessionExpired {
        /// Which.
        session_id: SessionId,
        /// How many more are needed.
        missing: Credits,
    },
    /// An open session has this external id.
    #[error("another open session has this externalId")]
    SessionExternalIdTaken {
        /// Which.
        session_id: SessionId,
    },
    /// More than was held, without leave or beyond the operator's limit.
    #[error("the charge exceeds what the session holds: the most that can be charged{} is {at_most}", if *.with_overage { "" } else { " without allowOverage" })]
    ChargeExceedsHold {
        /// The most that would be accepted.
        at_most: Credits,
        /// Whether `allowOverage` was given.
        with_overage: bool,
    },
    /// A fee above what was booked.
    #[error("the fee must not exceed what was booked: {booked}")]
    FeeExceedsBooked {
        /// What was booked.
        booked: Credits,
    },
    /// More than is left of what was charged.
    #[error("credits of this charge that are left to give back: {left}")]
    RefundExceedsCharge {
        /// What is left.
        left: Credits,
    },
    /// More of a top-up than is unspent and available.
    #[error(
        "credits of this top-up that are unspent and available: {unspent}; refund at most these, or send allowDebt: true to take credits that were spent"
    )]
    RefundExceedsUnspent {
        /// What may be refunded without debt.
        unspent: Credits,
    },
    /// No such entry in the account.
    #[error("this entry does not exist")]
    EntryNotFound,
    /// Session entries are refunded, not adjusted; and a reversal has the opposite sign of what it reverses.
    #[error("{0}")]
    NotReversible(&'static str),
    /// The account has as many lots with a remainder as it may.
    #[error(
        "the account has {} lots with credits left, the most there may be; grant with the same terms later or let some be used",
        super::MAX_LOTS
    )]
    LotLimit,
    /// An input that no state makes valid.
    #[error("{message}")]
    Invalid {
        /// The path in the input.
        field: &'static str,
        /// For people.
        message: String,
    },
    /// A figure would no longer fit.
    #[error("the amount is too large for this account")]
    Overflow,
    /// The top-up was credited before.
    #[error("this top-up was already credited")]
    AlreadyCredited {
        /// By which entry.
        entry_id: EntryId,
    },
}

impl Refusal {
    /// The same about the member on whose behalf a key asks.
    pub(super) fn of_acting_member(self) -> Self {
        match self {
            Self::MemberNotFound => Self::ActingMemberNotFound,
            Self::MemberRemoved => Self::ActingMemberRemoved,
            other => other,
        }
    }
}

impl Decision {
    /// The answer to a key that was answered before: what it made then, and no change.
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
    /// The state after `decision`, which was made on this one.
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
        for entry in &decision.entries {
            self.entries.insert(entry.id, PastEntry::from(entry));
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
    fn from(entry: &NewEntry) -> Self {
        Self {
            id: entry.id,
            sequence: entry.sequence,
            kind: entry.kind,
            contra: entry.contra,
            amount: entry.amount,
            taken_back: Credits::ZERO,
            member_id: entry.member_id,
            session_id: entry.session_id,
            top_up_id: entry.top_up_id,
            movements: entry.movements.clone(),
        }
    }
}
