//! What the pure core decides upon: one account's figures and the rows that a batch of commands touches.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::event::{EventKind, NewEvent, Place};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, LotId, MemberId, SessionId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::command::Origin;

crate::text_enum! {
    /// What an account may do.
    AccountStatus {
        /// Everything.
        Active = "ACTIVE",
        /// Nothing new is started, facts are still recorded, nothing expires.
        Frozen = "FROZEN",
        /// As frozen, for ever.
        Closed = "CLOSED",
    }
}

crate::text_enum! {
    /// What a line of the credit log records.
    EntryKind {
        /// A top-up that a person asked for.
        TopUp = "TOP_UP",
        /// A top-up that the account's rule started.
        AutoTopUp = "AUTO_TOP_UP",
        /// Credits given by the operator.
        Grant = "GRANT",
        /// A session's charge or a fee.
        Session = "SESSION",
        /// A session's charge given back.
        SessionRefund = "SESSION_REFUND",
        /// Credits that ran out of time.
        Expiry = "EXPIRY",
        /// A top-up taken back.
        Reversal = "REVERSAL",
        /// A top-up lost in a dispute.
        Chargeback = "CHARGEBACK",
        /// A correction by the operator.
        Adjustment = "ADJUSTMENT",
    }
}

crate::text_enum! {
    /// The other side of an entry: each entry moves its amount between the account's balance and one of these.
    ContraAccount {
        /// Money taken by card.
        CardPayments = "CARD_PAYMENTS",
        /// Credits given away.
        Promotions = "PROMOTIONS",
        /// Credits used.
        SessionRevenue = "SESSION_REVENUE",
        /// Credits that ran out of time.
        Expired = "EXPIRED",
        /// Money taken back by banks.
        Chargebacks = "CHARGEBACKS",
        /// Corrections.
        Adjustments = "ADJUSTMENTS",
    }
}

crate::text_enum! {
    /// Where the credits of a lot came from.
    LotKind {
        /// Bought.
        Paid = "PAID",
        /// Given.
        Promotional = "PROMOTIONAL",
    }
}

crate::text_enum! {
    /// A session's status as stored. PROCESSING is not stored: it is BOOKED after the end.
    SessionStatus {
        /// Unresolved: its credits are held.
        Booked = "BOOKED",
        /// Took place and was charged.
        Completed = "COMPLETED",
        /// Called off, perhaps for a fee.
        Canceled = "CANCELED",
        /// The member did not come.
        NoShow = "NO_SHOW",
        /// Never resolved; its hold was released.
        Expired = "EXPIRED",
    }
}

/// The locked row of an account: every figure that commands read and change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountHeader {
    /// Whose figures these are.
    pub account_id: AccountId,
    /// What the account may do.
    pub status: AccountStatus,
    /// Since when it is frozen or closed; nothing expires after this instant while it is set.
    pub halted_at: Option<Timestamp>,
    /// Why it is frozen or closed, in words for people.
    pub halt_reason: Option<String>,
    /// Sum of all entries.
    pub posted: Credits,
    /// Reserved for open sessions, disputed top-ups and refunds of top-ups under way.
    pub held: Credits,
    /// In top-ups being charged.
    pub incoming: Credits,
    /// Used beyond what there was. Never above zero while a live lot has a remainder.
    pub debt: Credits,
    /// Grows by one with every command that changes posted, held or incoming.
    pub balance_version: i64,
    /// When the balance last changed.
    pub balance_at: Timestamp,
    /// Number of the last entry.
    pub entry_sequence: i64,
    /// Number of the last event.
    pub event_sequence: i64,
    /// Nonce of the last event; 0 before the first.
    pub event_nonce: i64,
    /// Hash of the last entry, or the account's genesis.
    pub last_hash: [u8; 32],
    /// The latest time decided at. Time never runs backwards in an account.
    pub last_at: Timestamp,
    /// Lots with a remainder.
    pub lot_count: i64,
    /// How long after its end an unresolved session keeps its hold, in milliseconds.
    pub session_grace_millis: i64,
    /// No live lot with a remainder expires before this. May be too early, never too late. Lots that expired and keep credits
    /// for holds do not count: what they keep goes with the holds.
    pub next_lot_expiry_at: Option<Timestamp>,
    /// No hold expires before this. May be too early, never too late.
    pub next_hold_expiry_at: Option<Timestamp>,
    /// No session becomes PROCESSING, unannounced, before this. May be too early, never too late.
    pub next_processing_at: Option<Timestamp>,
    /// The level of available credits that somebody above watches.
    pub low_mark: Option<Credits>,
    /// Since when available is at or below it and nobody has looked. Stored with what lowered it, so that no crash loses it.
    pub low_since: Option<Timestamp>,
    /// Since when it has events that nobody has read. Stored with the event, so that no crash and no lost bell loses it.
    pub unread_since: Option<Timestamp>,
}

impl AccountHeader {
    /// Numbers an event that happens at `now`: it is the account's last from here on. `nonce` is random.
    pub fn next_event(&mut self, kind: EventKind, nonce: u32, now: Timestamp) -> NewEvent {
        self.event_sequence += 1;
        self.event_nonce = i64::from(nonce);
        self.last_at = now;
        self.unread_since.get_or_insert(now);
        NewEvent::new(self.event_place(), kind, now)
    }

    /// Where the account's stream of events ends.
    pub const fn event_place(&self) -> Place {
        Place {
            sequence: self.event_sequence,
            nonce: self.event_nonce,
        }
    }

    /// An account that has just been made.
    pub fn new(account_id: AccountId, session_grace_millis: i64, now: Timestamp) -> Self {
        Self {
            account_id,
            status: AccountStatus::Active,
            halted_at: None,
            halt_reason: None,
            posted: Credits::ZERO,
            held: Credits::ZERO,
            incoming: Credits::ZERO,
            debt: Credits::ZERO,
            balance_version: 0,
            balance_at: now,
            entry_sequence: 0,
            event_sequence: 0,
            event_nonce: 0,
            last_hash: super::entry::genesis_hash(account_id),
            last_at: now,
            lot_count: 0,
            session_grace_millis,
            next_lot_expiry_at: None,
            next_hold_expiry_at: None,
            next_processing_at: None,
            low_mark: None,
            low_since: None,
            unread_since: None,
        }
    }

    /// Whether what can be spent is at or below the level that is watched.
    pub fn is_low(&self) -> bool {
        self.low_mark.is_some_and(|mark| self.available() <= mark)
    }

    /// What can be spent: posted − held.
    pub fn available(&self) -> Credits {
        Credits::from_units(self.posted.units().saturating_sub(self.held.units()))
    }

    /// The instant by which expiry is judged: it stands still while the account is frozen or closed.
    pub fn expiry_now(&self, now: Timestamp) -> Timestamp {
        self.halted_at.map_or(now, |halted_at| halted_at.min(now))
    }

    /// When a sweeper has something to do for this account.
    pub fn due_at(&self) -> Option<Timestamp> {
        // A halted account expires nothing, but its sessions still end, and closing cancels them in turns.
        let expiries = if self.halted_at.is_some() {
            [None, None]
        } else {
            [self.next_lot_expiry_at, self.next_hold_expiry_at]
        };
        expiries.into_iter().chain([self.next_processing_at]).flatten().min()
    }
}

/// Credits that came in together and share an expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Its id.
    pub id: LotId,
    /// Bought or given.
    pub kind: LotKind,
    /// What came in, before debt was repaid from it.
    pub granted: Credits,
    /// What is left.
    pub remaining: Credits,
    /// Spent first when lower.
    pub priority: i32,
    /// When the remainder runs out of time; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The entry that made it.
    pub entry_id: EntryId,
}

impl Lot {
    /// Whether its time is up; what it keeps then is for holds alone.
    pub fn is_expired(&self, expiry_now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expiry_now >= expires_at)
    }

    /// Lots are spent in the order of this key.
    pub fn spending_key(&self) -> (i32, Timestamp, bool, Timestamp, LotId) {
        let never = Timestamp::from_millis(i64::MAX);
        (
            self.priority,
            self.expires_at.unwrap_or(never),
            self.kind == LotKind::Paid,
            self.created_at,
            self.id,
        )
    }
}

/// Part of a session's hold: what was booked, or added by a reschedule, at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldPart {
    /// When it was booked: it keeps credits that had not expired then.
    pub booked_at: Timestamp,
    /// How much.
    pub amount: Credits,
}

/// Who holds credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An open session.
    Session(SessionId),
    /// A top-up that is disputed, or of which money is to go back.
    TopUp(TopUpId),
}

impl Holder {
    /// What kind of holder, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session(_) => "SESSION",
            Self::TopUp(_) => "TOP_UP",
        }
    }

    /// Which one.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Session(id) => id.uuid(),
            Self::TopUp(id) => id.uuid(),
        }
    }

    /// From its two columns.
    pub fn from_columns(kind: &str, id: Uuid) -> Option<Self> {
        match kind {
            "SESSION" => Some(Self::Session(SessionId::from_uuid(id))),
            "TOP_UP" => Some(Self::TopUp(TopUpId::from_uuid(id))),
            _ => None,
        }
    }
}

/// Credits held for a top-up: while it is disputed, and while money of it is to go back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopUpHold {
    /// How many in all.
    pub amount: Credits,
    /// What its refunds that are under way will take.
    pub refunding: Credits,
}

/// A change of what is held: with the entries these tell every balance that there ever was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldMovement {
    /// Who holds.
    pub holder: Holder,
    /// The number of the event that tells of it.
    pub sequence: i64,
    /// When.
    pub occurred_at: Timestamp,
    /// How much more is held, or less; never 0.
    pub amount: Credits,
    /// What the holder holds after it.
    pub held: Credits,
    /// What the account holds after it.
    pub held_after: Credits,
}

/// A booked use of credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// Who uses it.
    pub member_id: MemberId,
    /// For people.
    pub title: String,
    /// As stored.
    pub status: SessionStatus,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// What was booked in all.
    pub booked: Credits,
    /// What is held, part by part in booking order; empty once resolved.
    pub holds: Vec<HoldPart>,
    /// What was deducted in the end; `None` until completed, missed, or canceled for a fee.
    pub charged: Option<Credits>,
    /// The entry that deducted it.
    pub charge_entry_id: Option<EntryId>,
    /// What was given back of it.
    pub refunded: Credits,
    /// When it was booked.
    pub booked_at: Timestamp,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// When its hold is released if nobody resolves it.
    pub hold_expires_at: Timestamp,
    /// Why it was called off.
    pub cancel_reason: Option<String>,
    /// The caller's own JSON, as text.
    pub metadata: Option<String>,
    /// Whether the event that says it is PROCESSING has been written.
    pub processing_announced: bool,
}

impl Session {
    /// Not yet completed, canceled or expired.
    pub fn is_open(&self) -> bool {
        self.status == SessionStatus::Booked
    }

    /// What is held in all.
    pub fn held(&self) -> Credits {
        self.holds.iter().map(|part| part.amount).sum()
    }
}

/// Part of an entry: what it moved into (positive) or out of (negative) one lot, or the debt where `lot_id` is `None`.
///
/// The movements of an entry sum up to its amount, those of a lot to its remainder, those of no lot to −debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotMovement {
    /// Which lot; `None` is the account's debt.
    pub lot_id: Option<LotId>,
    /// How much, with its sign.
    pub amount: Credits,
    /// Of a negative movement: how much was given back since.
    pub returned: Credits,
}

/// A past entry that a command may give back or reverse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastEntry {
    /// Its id.
    pub id: EntryId,
    /// Its number.
    pub sequence: i64,
    /// What it records.
    pub kind: EntryKind,
    /// Its other side.
    pub contra: ContraAccount,
    /// Its amount, with its sign.
    pub amount: Credits,
    /// How much of it was given back or taken back: 0 to |amount|.
    pub taken_back: Credits,
    /// Whose use it was.
    pub member_id: Option<MemberId>,
    /// The session it belongs to.
    pub session_id: Option<SessionId>,
    /// The top-up it belongs to.
    pub top_up_id: Option<TopUpId>,
    /// Where its amount went, in order.
    pub movements: Vec<LotMovement>,
}

/// A stored idempotency key: the input it is bound to and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Digest of the input.
    pub digest: [u8; 32],
    /// What the command made or changed.
    pub outcome: Outcome,
}

/// What a command made or changed, by id: enough to show it again as it is later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The session booked, resolved or refunded.
    pub session_id: Option<SessionId>,
    /// The entry posted.
    pub entry_id: Option<EntryId>,
    /// The top-up asked for, or asked for again.
    pub top_up_id: Option<TopUpId>,
}

/// A member as far as booking cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStanding {
    /// The member.
    pub id: MemberId,
    /// No longer of the team.
    pub is_removed: bool,
}

/// One account's figures and the working set: the rows that the batch's commands need ([`super::Needs`]).
///
/// The loader's promise: what the needs name is here if it exists, and so are all lots that spending may reach, all lots that are
/// due or kept, and the sessions whose hold is due (at most [`super::MAX_DUE`] of them).
#[derive(Clone, Debug)]
pub struct AccountState {
    /// The locked row.
    pub header: AccountHeader,
    /// Lots by id.
    pub lots: BTreeMap<LotId, Lot>,
    /// For each lot that is expired with a remainder: what open holds booked before its expiry hold in all.
    pub held_before: BTreeMap<LotId, Credits>,
    /// Sessions by id.
    pub sessions: BTreeMap<SessionId, Session>,
    /// External id → the open session with it, else the newest.
    pub sessions_by_external_id: HashMap<String, SessionId>,
    /// Members by id.
    pub members: HashMap<MemberId, MemberStanding>,
    /// External id → member.
    pub members_by_external_id: HashMap<String, MemberId>,
    /// Past entries that commands give back or reverse.
    pub entries: BTreeMap<EntryId, PastEntry>,
    /// Top-up → the entry that credited it.
    pub credited_top_ups: HashMap<TopUpId, EntryId>,
    /// Credits held for top-ups whose entries commands name.
    pub top_up_holds: BTreeMap<TopUpId, TopUpHold>,
    /// Stored keys.
    pub keys: HashMap<(Origin, String), KeyRecord>,
}

impl AccountState {
    /// The figures alone, with an empty working set.
    pub fn new(header: AccountHeader) -> Self {
        Self {
            header,
            lots: BTreeMap::new(),
            held_before: BTreeMap::new(),
            sessions: BTreeMap::new(),
            sessions_by_external_id: HashMap::new(),
            members: HashMap::new(),
            members_by_external_id: HashMap::new(),
            entries: BTreeMap::new(),
            credited_top_ups: HashMap::new(),
            top_up_holds: BTreeMap::new(),
            keys: HashMap::new(),
        }
    }
}
