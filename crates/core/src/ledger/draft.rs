//! A decision in progress: the state it started from, and the changes of the command so far.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::event::{Event, EventContent};
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, IdMint, LotId, SessionId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::Policy;
use super::command::{Command, Request};
use super::decision::{Decision, NewEntry, Refusal, ShiftExpiries};
use super::entry::{Entry, HASH_VERSION};
use super::key::{Binding, KeyRecord};
use super::state::{
    AccountHeader, AccountState, AccountStatus, ContraAccount, EntryKind, HoldMovement, HoldPart, Holder, Lot,
    LotMovement, Outcome, PastEntry, Session, ShownStatus, TopUpHold,
};

/// Reads fall through to the state; writes stay here until [`Draft::finish`].
pub(super) struct Draft<'a> {
    pub(super) state: &'a AccountState,
    pub(super) request: &'a Request,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
    pub(super) ids: IdMint,
    pub(super) header: AccountHeader,
    pub(super) lots: BTreeMap<LotId, Lot>,
    pub(super) held_before: BTreeMap<LotId, Credits>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) past_entries: BTreeMap<EntryId, PastEntry>,
    pub(super) top_up_holds: BTreeMap<TopUpId, TopUpHold>,
    pub(super) hold_movements: Vec<HoldMovement>,
    pub(super) entries: Vec<NewEntry>,
    pub(super) events: Vec<Event>,
    pub(super) shift_expiries_by: Option<ShiftExpiries>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a AccountState, request: &'a Request, now: Timestamp, policy: &'a Policy) -> Self {
        let now = now.max(state.header.last_at);
        let mut header = state.header.clone();
        header.last_at = now;
        Self {
            state,
            request,
            policy,
            now,
            ids: IdMint::new(request.seed, now),
            header,
            lots: BTreeMap::new(),
            held_before: state.held_before.clone(),
            sessions: BTreeMap::new(),
            past_entries: BTreeMap::new(),
            top_up_holds: BTreeMap::new(),
            hold_movements: Vec::new(),
            entries: Vec::new(),
            events: Vec::new(),
            shift_expiries_by: None,
        }
    }

    pub(super) fn run(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        match command {
            Command::Grant {
                credits,
                description,
                kind,
                expires_at,
                priority,
            } => self.grant(*credits, description, *kind, *expires_at, *priority),
            Command::CreditTopUp {
                top_up_id,
                credits,
                automatic,
            } => self.credit_top_up(*top_up_id, *credits, *automatic),
            Command::TakeBack {
                entry_id,
                target,
                kind,
                contra,
                description,
            } => self.take_back(*entry_id, *target, *kind, *contra, description),
            Command::HoldTopUp {
                entry_id,
                is_disputed,
                refunding,
            } => self.hold_top_up(*entry_id, *is_disputed, *refunding),
            Command::HoldRefund {
                entry_id,
                credits,
                allow_debt,
                allow_inactive,
            } => self.hold_refund(*entry_id, *credits, *allow_debt, *allow_inactive),
            Command::Book { .. } => self.book(command),
            Command::Reschedule {
                session,
                starts_at,
                ends_at,
                credits,
            } => self.reschedule(session, *starts_at, *ends_at, *credits),
            Command::Complete {
                session,
                credits,
                allow_overage,
            } => self.complete(session, *credits, *allow_overage),
            Command::Cancel {
                session,
                reason,
                fee,
                no_show,
            } => self.cancel(session, reason.as_deref(), *fee, *no_show),
            Command::Refund {
                session,
                credits,
                reason,
            } => self.refund(session, *credits, reason),
            Command::Adjust {
                amount,
                description,
                reverses,
            } => self.adjust(*amount, description, *reverses),
            Command::Freeze { reason } => self.freeze(reason),
            Command::Unfreeze => self.unfreeze(),
            Command::Close { reason } => self.close(reason),
            Command::Sweep => self.sweep(),
        }
    }

    /// Refuses unless the account is active.
    pub(super) fn require_active(&self) -> Result<(), Refusal> {
        match self.header.status {
            AccountStatus::Active => Ok(()),
            AccountStatus::Frozen => Err(Refusal::AccountFrozen {
                reason: self.header.halt_reason.clone(),
            }),
            AccountStatus::Closed => Err(Refusal::AccountClosed),
        }
    }

    pub(super) fn expiry_now(&self) -> Timestamp {
        self.header.expiry_now(self.now)
    }

    /// Adds credits to the held figure. Negative credits are subtracted.
    pub(super) fn hold(&mut self, credits: Credits) -> Result<(), Refusal> {
        self.header.held = self.header.held.checked_add(credits).ok_or(Refusal::Overflow)?;
        Ok(())
    }

    /// Removes parts of a hold: from the held figure and from what keeps expired lots.
    pub(super) fn release(&mut self, parts: &[HoldPart]) -> Result<(), Refusal> {
        for part in parts {
            self.hold(-part.amount)?;
            for (lot_id, held) in &mut self.held_before {
                let expires_at = self
                    .lots
                    .get(lot_id)
                    .or_else(|| self.state.lots.get(lot_id))
                    .and_then(|lot| lot.expires_at);
                if expires_at.is_some_and(|expires_at| part.booked_at < expires_at) {
                    *held = held.checked_sub(part.amount).ok_or(Refusal::Overflow)?;
                }
            }
        }
        Ok(())
    }

    /// Begins an entry. [`Draft::post`] gives it its id, its number, its balance, its hash and its movements.
    pub(super) fn entry(
        &self,
        kind: EntryKind,
        contra: ContraAccount,
        amount: Credits,
        description: &str,
        cause: Cause,
    ) -> NewEntry {
        let entry = Entry {
            id: EntryId::from_uuid(Uuid::nil()),
            account_id: self.header.account_id,
            sequence: 0,
            occurred_at: self.now,
            kind,
            contra,
            amount,
            balance_after: Credits::ZERO,
            added_after: Credits::ZERO,
            description: description.to_owned(),
            cause,
            member_id: None,
            session_id: None,
            top_up_id: None,
            reverses: None,
            taken_back: Credits::ZERO,
            hash: [0; 32],
        };
        NewEntry {
            entry,
            search_text: description.to_owned(),
            movements: Vec::new(),
        }
    }

    /// Posts an entry whose movements are known: numbers it, chains it and announces it. An amount of 0 posts
    /// nothing.
    pub(super) fn post(&mut self, new: NewEntry, movements: Vec<LotMovement>) -> Result<Option<EntryId>, Refusal> {
        if new.entry.amount.is_zero() {
            return Ok(None);
        }
        assert_eq!(
            movements.iter().map(|movement| movement.amount).sum::<Credits>(),
            new.entry.amount
        );
        let id = EntryId::from_uuid(self.ids.next_uuid());
        self.post_as(id, new, movements)?;
        Ok(Some(id))
    }

    /// As [`Draft::post`], for an entry whose id was needed before its movements were known; its amount is not 0.
    pub(super) fn post_as(
        &mut self,
        id: EntryId,
        mut new: NewEntry,
        movements: Vec<LotMovement>,
    ) -> Result<(), Refusal> {
        let entry = &mut new.entry;
        entry.id = id;
        entry.sequence = self.header.entry_sequence + 1;
        entry.balance_after = self.header.posted.checked_add(entry.amount).ok_or(Refusal::Overflow)?;
        entry.added_after = self.header.added.wrapping_add(entry.amount.max(Credits::ZERO));
        entry.hash = entry
            .hash_after(&self.header.last_hash, HASH_VERSION)
            .expect("the current version is known");
        self.header.entry_sequence = entry.sequence;
        self.header.posted = entry.balance_after;
        self.header.added = entry.added_after;
        self.header.last_hash = entry.hash;
        let event = EventContent::EntryPosted {
            entry_id: id,
            session_id: entry.session_id,
            top_up_id: entry.top_up_id,
            member_id: entry.member_id,
            is_deduction: entry.amount.is_negative(),
        };
        self.announce(event);
        self.entries.push(NewEntry { movements, ..new });
        Ok(())
    }

    /// Numbers and keeps an event.
    pub(super) fn announce(&mut self, content: EventContent) {
        let random = self.ids.next_uuid();
        let nonce = u32::from_be_bytes([
            random.as_bytes()[12],
            random.as_bytes()[13],
            random.as_bytes()[14],
            random.as_bytes()[15],
        ]);
        let event = self.header.next_event(content, nonce, self.now);
        self.events.push(event);
    }

    /// Keeps the new state of a session and announces it. The held figure includes its hold already.
    pub(super) fn put_session(&mut self, session: Session, status: ShownStatus) {
        self.announce(EventContent::SessionUpdated {
            session_id: session.id,
            member_id: Some(session.member_id),
            status,
        });
        let known = self.sessions.get(&session.id);
        let before = known.or_else(|| self.state.sessions.get(&session.id));
        let before = before.map_or(Credits::ZERO, Session::held);
        self.note_hold(Holder::Session(session.id), before, session.held());
        self.sessions.insert(session.id, session);
    }

    /// Records a change of a hold, under the number of the event that was just announced.
    pub(super) fn note_hold(&mut self, holder: Holder, before: Credits, held: Credits) {
        let amount = Credits::from_units(held.units().saturating_sub(before.units()));
        if !amount.is_zero() {
            self.hold_movements.push(HoldMovement {
                holder,
                sequence: self.header.event_sequence,
                occurred_at: self.now,
                amount,
                held,
                held_after: self.header.held,
            });
        }
    }

    pub(super) fn finish(mut self, outcome: Outcome, digest: [u8; 32]) -> Decision {
        let before = &self.state.header;
        let after = &self.header;
        if (before.posted, before.held, before.incoming) != (after.posted, after.held, after.incoming) {
            self.header.balance_version += 1;
            self.header.balance_at = self.now;
            if let Some(last) = self.events.last_mut() {
                last.balance_version = Some(self.header.balance_version);
            }
        }
        if self.header.available() < before.available() && self.header.is_low() {
            self.header.low_since.get_or_insert(self.now);
        }
        let key = self.request.key.clone();
        let record = KeyRecord {
            binding: Binding::Input(digest),
            outcome,
            used_at: self.now,
        };
        Decision {
            header: self.header,
            lots: self.lots,
            held_before: self.held_before,
            sessions: self.sessions,
            past_entries: self.past_entries,
            top_up_holds: self.top_up_holds,
            hold_movements: self.hold_movements,
            entries: self.entries,
            events: self.events,
            key: key.map(|key| (key, self.request.command.operation(), record)),
            shift_expiries_by: self.shift_expiries_by,
            outcome,
            replayed: false,
        }
    }
}
