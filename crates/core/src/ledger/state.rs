//! The input of the pure core: one account's figures and the rows that a batch of commands uses.

#[cfg(feature = "sea-orm")]
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::event::{Event, EventContent, StreamPosition};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, LotId, MemberId, SessionId, TopUpId};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{Fields, FromRow, Kind, Record, TryGetError, Value, unreadable};
use crate::primitives::timestamp::Timestamp;

pub use crate::primitives::status::{AccountStatus, ShownStatus};

use super::command::Origin;
use super::entry::Entry;
use super::key::KeyRecord;

crate::text_enum! {
    /// The event that a line of the credit log records.
    EntryKind {
        /// A top-up that a person requested.
        TopUp = "TOP_UP",
        /// A top-up that the account's rule started.
        AutoTopUp = "AUTO_TOP_UP",
        /// Credits given by the operator.
        Grant = "GRANT",
        /// A session's charge or a fee.
        Session = "SESSION",
        /// A session's charge that was returned.
        SessionRefund = "SESSION_REFUND",
        /// Credits that expired.
        Expiry = "EXPIRY",
        /// A top-up that was reversed.
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
        /// Credits that were used.
        SessionRevenue = "SESSION_REVENUE",
        /// Credits that expired.
        Expired = "EXPIRED",
        /// Money that banks took back.
        Chargebacks = "CHARGEBACKS",
        /// Corrections.
        Adjustments = "ADJUSTMENTS",
    }
}

crate::text_enum! {
    /// The origin of a lot's credits.
    LotKind {
        /// Credits that were bought.
        Paid = "PAID",
        /// Credits that were given away.
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
        /// Canceled, possibly for a fee.
        Canceled = "CANCELED",
        /// The member did not come.
        NoShow = "NO_SHOW",
        /// Never resolved; its hold was released.
        Expired = "EXPIRED",
    }
}

impl From<SessionStatus> for ShownStatus {
    /// Returns the status of a session that has not ended, or is resolved.
    fn from(status: SessionStatus) -> Self {
        match status {
            SessionStatus::Booked => Self::Booked,
            SessionStatus::Completed => Self::Completed,
            SessionStatus::Canceled => Self::Canceled,
            SessionStatus::NoShow => Self::NoShow,
            SessionStatus::Expired => Self::Expired,
        }
    }
}

impl ShownStatus {
    /// Returns the shown status of `session` at `now`.
    pub fn of(session: &Session, now: Timestamp) -> Self {
        match session.status {
            SessionStatus::Booked if session.ends_at <= now => Self::Processing,
            status => status.into(),
        }
    }

    /// Returns the status in which such a session is stored.
    pub const fn stored(self) -> SessionStatus {
        match self {
            Self::Booked | Self::Processing => SessionStatus::Booked,
            Self::Completed => SessionStatus::Completed,
            Self::Canceled => SessionStatus::Canceled,
            Self::NoShow => SessionStatus::NoShow,
            Self::Expired => SessionStatus::Expired,
        }
    }
}

/// The locked row of an account: every figure that commands read and change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct AccountHeader {
    /// The account that the figures belong to.
    pub account_id: AccountId,
    /// Decides which commands the account accepts.
    pub status: AccountStatus,
    /// The instant of the freeze or closing. While it is set, nothing expires after it.
    pub halted_at: Option<Timestamp>,
    /// Human-readable reason why the account is frozen or closed.
    pub halt_reason: Option<String>,
    /// Sum of all entries.
    pub posted: Credits,
    /// Sum of all entries that added credits. It wraps around; only differences are used.
    pub added: Credits,
    /// Reserved for open sessions, disputed top-ups and refunds of top-ups in progress.
    pub held: Credits,
    /// Credits in top-ups that are being charged.
    pub incoming: Credits,
    /// Credits that were used beyond what the account had. Never above zero while a live lot has a remainder.
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
    #[cfg_attr(feature = "sea-orm", record(bytes))]
    pub last_hash: [u8; 32],
    /// The latest time of a decision. Time never runs backwards in an account.
    pub last_at: Timestamp,
    /// Lots with a remainder.
    pub lot_count: i64,
    /// How long after its end an unresolved session keeps its hold, in milliseconds.
    pub session_grace_millis: i64,
    /// No live lot with a remainder expires before this. May be too early, never too late. Expired lots that keep credits for
    /// holds do not count: what they keep ends with the holds.
    pub next_lot_expiry_at: Option<Timestamp>,
    /// No hold expires before this. May be too early, never too late.
    pub next_hold_expiry_at: Option<Timestamp>,
    /// No session becomes PROCESSING, unannounced, before this. May be too early, never too late.
    pub next_processing_at: Option<Timestamp>,
    /// The level of available credits that a module above watches.
    pub low_mark: Option<Credits>,
    /// Since when available credits are at or below it and no worker has checked. Stored in the write that lowered them, so
    /// that no crash loses it.
    pub low_since: Option<Timestamp>,
    /// Since when the account has unread events. Stored with the event, so that no crash and no lost bell loses it.
    pub unread_since: Option<Timestamp>,
    /// Whether a client follows the account's findings, so that its events trigger a check of them.
    pub is_followed: bool,
    /// Since when such an account has events that were not checked. Stored with the event.
    pub unchecked_since: Option<Timestamp>,
    /// Number of the last event that was deleted because it was old; 0 before the first. All later ones are kept.
    pub events_deleted: i64,
}

impl AccountHeader {
    /// Numbers an event that happens at `now`, as the account's last one. `nonce` is random.
    pub fn next_event(&mut self, content: EventContent, nonce: u32, now: Timestamp) -> Event {
        self.event_sequence += 1;
        self.event_nonce = i64::from(nonce);
        self.last_at = now;
        self.unread_since.get_or_insert(now);
        if self.is_followed {
            self.unchecked_since.get_or_insert(now);
        }
        Event {
            position: self.event_position(),
            occurred_at: now,
            content,
            balance_version: None,
        }
    }

    /// The end of the account's event stream.
    pub const fn event_position(&self) -> StreamPosition {
        StreamPosition {
            sequence: self.event_sequence,
            nonce: self.event_nonce,
        }
    }

    /// The figures of a new account.
    pub fn new(account_id: AccountId, session_grace_millis: i64, now: Timestamp) -> Self {
        Self {
            account_id,
            status: AccountStatus::Active,
            halted_at: None,
            halt_reason: None,
            posted: Credits::ZERO,
            added: Credits::ZERO,
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
            is_followed: false,
            unchecked_since: None,
            events_deleted: 0,
        }
    }

    /// The instant before which all workers have read the events; `None` if they have read all.
    pub fn events_are_read_before(&self) -> Option<Timestamp> {
        [self.unread_since, self.unchecked_since].into_iter().flatten().min()
    }

    /// Returns whether available credits are at or below the watched level.
    pub fn is_low(&self) -> bool {
        self.low_mark.is_some_and(|mark| self.available() <= mark)
    }

    /// Returns the credits that can be spent: posted − held.
    pub fn available(&self) -> Credits {
        Credits::from_units(self.posted.units().saturating_sub(self.held.units()))
    }

    /// The instant by which expiry is judged. It does not advance while the account is frozen or closed.
    pub fn expiry_now(&self, now: Timestamp) -> Timestamp {
        self.halted_at.map_or(now, |halted_at| halted_at.min(now))
    }

    /// When the sweeper is needed for this account.
    pub fn due_at(&self) -> Option<Timestamp> {
        // A halted account expires nothing. But its sessions still end, and closing cancels them in several
        // sweeps.
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
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Lot {
    /// The lot's id; ids grow in the order of creation.
    pub id: LotId,
    /// Whether the credits were bought or given away.
    pub kind: LotKind,
    /// Credits that came in, before debt was repaid from them.
    pub granted: Credits,
    /// Credits that are left.
    pub remaining: Credits,
    /// Lots with a lower number are spent first.
    pub priority: i32,
    /// When the remainder expires; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The entry that made it.
    pub entry_id: EntryId,
}

impl Lot {
    /// Returns whether the lot has expired. Then what it keeps is for holds alone.
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
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct HoldPart {
    /// The time of booking. The part keeps credits that had not expired then.
    pub booked_at: Timestamp,
    /// Credits of the part.
    pub amount: Credits,
}

/// The holder of reserved credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An open session.
    Session(SessionId),
    /// A top-up that is disputed, or whose money is to be refunded.
    TopUp(TopUpId),
}

impl Holder {
    /// Returns the name of the kind in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session(_) => "SESSION",
            Self::TopUp(_) => "TOP_UP",
        }
    }

    /// Returns the id of the session or top-up.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Session(id) => id.uuid(),
            Self::TopUp(id) => id.uuid(),
        }
    }

    /// Reads the holder from its two columns.
    pub fn from_columns(kind: &str, id: Uuid) -> Option<Self> {
        match kind {
            "SESSION" => Some(Self::Session(SessionId::from_uuid(id))),
            "TOP_UP" => Some(Self::TopUp(TopUpId::from_uuid(id))),
            _ => None,
        }
    }
}

#[cfg(feature = "sea-orm")]
impl Record for Holder {
    fn columns(add: &mut dyn FnMut(Cow<'static, str>, Kind)) {
        add("holder".into(), Kind::Text);
        add("holder_id".into(), Kind::Uuid);
    }

    fn write(&self, add: &mut dyn FnMut(Value)) {
        add(self.as_str().into());
        add(self.uuid().into());
    }
}

#[cfg(feature = "sea-orm")]
impl FromRow for Holder {
    fn read(fields: &mut Fields<'_>) -> Result<Self, TryGetError> {
        let kind: String = fields.next()?;
        Self::from_columns(&kind, fields.next()?).ok_or_else(|| unreadable(&kind))
    }
}

/// Credits held for a top-up: while it is disputed, and while money of it is to be refunded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct TopUpHold {
    /// All credits that are held.
    pub amount: Credits,
    /// What its refunds in progress will take.
    pub refunding: Credits,
}

/// A change of what is held. Together with the entries it gives every past balance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record))]
pub struct HoldMovement {
    /// The holder of the credits.
    #[cfg_attr(feature = "sea-orm", record(flatten))]
    pub holder: Holder,
    /// The number of the event that reports the change.
    pub sequence: i64,
    /// The time of the change.
    pub occurred_at: Timestamp,
    /// The change of the hold, with its sign; never 0.
    pub amount: Credits,
    /// What the holder holds after the change.
    pub held: Credits,
    /// What the account holds after the change.
    pub held_after: Credits,
}

/// A booked use of credits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Session {
    /// The session's public id.
    pub id: SessionId,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// The member who uses it.
    pub member_id: MemberId,
    /// Human-readable title.
    pub title: String,
    /// The stored status, which is never PROCESSING.
    pub status: SessionStatus,
    /// The planned beginning.
    pub starts_at: Timestamp,
    /// The planned end.
    pub ends_at: Timestamp,
    /// All credits that were booked.
    pub booked: Credits,
    /// The parts of the hold in booking order; empty once resolved.
    #[cfg_attr(feature = "sea-orm", record(skip))]
    pub holds: Vec<HoldPart>,
    /// Credits that were deducted at the end; `None` until completed, missed, or canceled for a fee.
    pub charged: Option<Credits>,
    /// The entry that deducted it.
    pub charge_entry_id: Option<EntryId>,
    /// Credits that were returned of the charge.
    pub refunded: Credits,
    /// The time of booking.
    pub booked_at: Timestamp,
    /// The time when it was completed, canceled or expired.
    pub resolved_at: Option<Timestamp>,
    /// When the hold is released if the session is not resolved before.
    pub hold_expires_at: Timestamp,
    /// Human-readable reason of the cancellation.
    pub cancel_reason: Option<String>,
    /// The caller's own JSON, as text.
    pub metadata: Option<String>,
    /// Whether the event of the status PROCESSING has been written.
    pub processing_announced: bool,
}

impl Session {
    /// Not yet completed, canceled or expired.
    pub fn is_open(&self) -> bool {
        self.status == SessionStatus::Booked
    }

    /// Returns the sum of all parts of the hold.
    pub fn held(&self) -> Credits {
        self.holds.iter().map(|part| part.amount).sum()
    }
}

/// Part of an entry: what it moved into (positive) or out of (negative) one lot, or the debt where `lot_id` is `None`.
///
/// The movements of an entry sum up to its amount, those of a lot to its remainder, those without a lot to −debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct LotMovement {
    /// The lot; `None` is the account's debt.
    pub lot_id: Option<LotId>,
    /// Credits with their sign.
    pub amount: Credits,
    /// Of a negative movement: credits that were returned since.
    pub returned: Credits,
}

/// A past entry that a command may refund or reverse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct PastEntry {
    /// The entry in its current state.
    #[cfg_attr(feature = "sea-orm", record(flatten))]
    pub entry: Entry,
    /// The movements of lots and debt, in order.
    #[cfg_attr(feature = "sea-orm", record(skip))]
    pub movements: Vec<LotMovement>,
}

/// What a command made or changed, by id. A replay shows these objects in their later state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Outcome {
    /// The session that was booked, resolved or refunded.
    pub session_id: Option<SessionId>,
    /// The entry that was posted.
    pub entry_id: Option<EntryId>,
    /// The top-up that was requested or retried.
    pub top_up_id: Option<TopUpId>,
}

/// The rights of a member that booking depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStanding {
    /// The member.
    pub id: MemberId,
    /// True when the member has left the team.
    pub is_removed: bool,
}

/// One account's figures and the working set: the rows that the batch's commands need ([`super::Needs`]).
///
/// The loader guarantees: every session, member, entry and key that a command of the batch names is here if it exists. So
/// are all lots that spending may use and all lots that are due or kept. So are the sessions whose hold is due (at most
/// [`super::MAX_DUE`] of them).
#[derive(Clone, Debug)]
pub struct AccountState {
    /// The locked row.
    pub header: AccountHeader,
    /// Lots by id.
    pub lots: BTreeMap<LotId, Lot>,
    /// For each expired lot with a remainder: the sum of the open holds that were booked before its expiry.
    pub held_before: BTreeMap<LotId, Credits>,
    /// Sessions by id.
    pub sessions: BTreeMap<SessionId, Session>,
    /// External id → the open session with it, otherwise the newest.
    pub sessions_by_external_id: HashMap<String, SessionId>,
    /// Members by id.
    pub members: HashMap<MemberId, MemberStanding>,
    /// External id → member.
    pub members_by_external_id: HashMap<String, MemberId>,
    /// Past entries that commands refund or reverse.
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
