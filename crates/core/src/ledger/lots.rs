//! Lots: how credits come in, are drawn, are returned, and expire.
//!
//! Invariants, after every decision: the remainders of all lots − debt = posted. Debt above 0 and a live lot with a remainder
//! never coexist. An expired lot has left only what open holds booked before its expiry keep.

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, LotId};
use crate::primitives::timestamp::{DAY, Timestamp};

use super::MAX_LOTS;
use super::decision::Refusal;
use super::draft::Draft;
use super::state::{ContraAccount, EntryKind, HoldPart, Lot, LotKind, LotMovement, PastEntry};

/// How long credits live that are returned after the lot they came from expired.
const RETURNED_LIFETIME_MILLIS: i64 = 30 * DAY;

/// The terms of a new lot.
#[derive(Clone, Copy)]
pub(super) struct LotTerms {
    pub(super) kind: LotKind,
    pub(super) priority: i32,
    pub(super) expires_at: Option<Timestamp>,
}

impl LotTerms {
    /// Terms of paid credits, and of returned credits without a lot to return to: priority 0, no expiry.
    pub(super) const PAID: Self = Self {
        kind: LotKind::Paid,
        priority: 0,
        expires_at: None,
    };
    /// Terms of credits from a correction.
    pub(super) const CORRECTION: Self = Self {
        kind: LotKind::Promotional,
        priority: 0,
        expires_at: None,
    };
}

impl Draft<'_> {
    pub(super) fn lot(&self, id: LotId) -> Option<&Lot> {
        self.lots.get(&id).or_else(|| self.state.lots.get(&id))
    }

    /// All lots of the working set in their current state.
    fn all_lots(&self) -> impl Iterator<Item = &Lot> {
        let untouched = self.state.lots.iter().filter(|(id, _)| !self.lots.contains_key(id));
        untouched.chain(self.lots.iter()).map(|(_, lot)| lot)
    }

    /// Changes the remainder of a lot, and updates the count of lots with a remainder.
    fn change_remaining(&mut self, id: LotId, by: Credits) -> Result<(), Refusal> {
        let mut lot = self
            .lot(id)
            .expect("only loaded lots are drawn from or returned to")
            .clone();
        let had_some = lot.remaining.is_positive();
        lot.remaining = lot.remaining.checked_add(by).ok_or(Refusal::Overflow)?;
        assert!(!lot.remaining.is_negative(), "a lot never gives more than it has");
        self.header.lot_count += i64::from(lot.remaining.is_positive()) - i64::from(had_some);
        if let (true, Some(expires_at)) = (lot.remaining.is_positive(), lot.expires_at) {
            self.note_lot_expiry(expires_at);
        }
        self.lots.insert(id, lot);
        Ok(())
    }

    fn note_lot_expiry(&mut self, at: Timestamp) {
        if at > self.expiry_now() {
            let next = self.header.next_lot_expiry_at;
            self.header.next_lot_expiry_at = Some(next.map_or(at, |next| next.min(at)));
        }
    }

    fn change_debt(&mut self, by: Credits) -> Result<(), Refusal> {
        self.header.debt = self.header.debt.checked_add(by).ok_or(Refusal::Overflow)?;
        Ok(())
    }

    /// Repays debt from incoming credits, and returns what is left of them.
    fn repay_debt(&mut self, credits: Credits, movements: &mut Vec<LotMovement>) -> Result<Credits, Refusal> {
        let repaid = credits.min(self.header.debt);
        if repaid.is_positive() {
            self.change_debt(-repaid)?;
            movements.push(LotMovement {
                lot_id: None,
                amount: repaid,
                returned: Credits::ZERO,
            });
        }
        credits.checked_sub(repaid).ok_or(Refusal::Overflow)
    }

    /// Refuses another lot of these terms where the account has the maximum.
    pub(super) fn require_room_for_lot(&self, terms: LotTerms) -> Result<(), Refusal> {
        if self.header.lot_count < MAX_LOTS || self.equal_lot(terms).is_some() {
            return Ok(());
        }
        Err(Refusal::LotLimit)
    }

    fn equal_lot(&self, terms: LotTerms) -> Option<LotId> {
        self.all_lots()
            .find(|lot| {
                lot.remaining.is_positive()
                    && (lot.kind, lot.priority, lot.expires_at) == (terms.kind, terms.priority, terms.expires_at)
            })
            .map(|lot| lot.id)
    }

    /// Adds incoming credits. They repay debt first, and the rest is a new lot. Where the account has the maximum number of lots,
    /// the rest joins a lot of equal terms.
    pub(super) fn add_credits(
        &mut self,
        entry_id: EntryId,
        credits: Credits,
        terms: LotTerms,
        movements: &mut Vec<LotMovement>,
    ) -> Result<(), Refusal> {
        let remaining = self.repay_debt(credits, movements)?;
        let full = self.header.lot_count >= MAX_LOTS;
        if let Some(equal) = full.then(|| self.equal_lot(terms)).flatten() {
            self.change_remaining(equal, remaining)?;
            if let Some(lot) = self.lots.get_mut(&equal) {
                lot.granted = lot.granted.checked_add(credits).ok_or(Refusal::Overflow)?;
            }
            push_movement(movements, equal, remaining);
            return Ok(());
        }
        let id = self.next_lot_id();
        let LotTerms {
            kind,
            priority,
            expires_at,
        } = terms;
        let lot = Lot {
            id,
            kind,
            granted: credits,
            remaining: Credits::ZERO,
            priority,
            expires_at,
            created_at: self.now,
            entry_id,
        };
        self.lots.insert(id, lot);
        self.change_remaining(id, remaining)?;
        push_movement(movements, id, remaining);
        Ok(())
    }

    /// Returns the id of the next lot. It is greater than the ids of all lots before. So lots of one millisecond are spent
    /// in the order of their creation. The number of the entry that makes it replaces the random part.
    fn next_lot_id(&mut self) -> LotId {
        let number = u64::try_from(self.header.entry_sequence).unwrap_or_default() + 1;
        let mut bytes = *self.ids.next_uuid().as_bytes();
        let byte = |shift: u32, mask: u64| u8::try_from((number >> shift) & mask).unwrap_or_default();
        (bytes[6], bytes[7]) = (0x70 | byte(36, 0x0f), byte(28, 0xff));
        (bytes[8], bytes[9]) = (0x80 | byte(22, 0x3f), byte(14, 0xff));
        (bytes[10], bytes[11]) = (byte(6, 0xff), byte(0, 0x3f) << 2);
        bytes[12] = u8::try_from(self.lots.len()).unwrap_or(u8::MAX);
        LotId::from_uuid(uuid::Uuid::from_bytes(bytes))
    }

    /// Draws a session's charge: first what its own hold kept from expiring, earliest expiry first, then as
    /// [`Draft::draw_live`].
    pub(super) fn draw_charge(&mut self, charge: Credits, holds: &[HoldPart]) -> Result<Vec<LotMovement>, Refusal> {
        let mut movements = Vec::new();
        let mut left = charge;
        let mut drawn_from_kept = Credits::ZERO;
        for (expires_at, id) in self.expired_lots() {
            // A part that was booked after the expiry keeps nothing of this lot.
            let kept_by_hold: Credits = holds
                .iter()
                .filter(|part| part.booked_at < expires_at)
                .map(|part| part.amount)
                .sum();
            let remaining = self.lot(id).map_or(Credits::ZERO, |lot| lot.remaining);
            let at_most = kept_by_hold
                .checked_sub(drawn_from_kept)
                .unwrap_or_default()
                .max(Credits::ZERO);
            let drawn = remaining.min(at_most).min(left);
            if drawn.is_positive() {
                self.change_remaining(id, -drawn)?;
                push_movement(&mut movements, id, -drawn);
                drawn_from_kept = drawn_from_kept.checked_add(drawn).ok_or(Refusal::Overflow)?;
                left = left.checked_sub(drawn).ok_or(Refusal::Overflow)?;
            }
        }
        self.draw_live(left, &mut movements)?;
        Ok(movements)
    }

    /// Draws from live lots in spending order. The rest is debt.
    pub(super) fn draw_live(&mut self, credits: Credits, movements: &mut Vec<LotMovement>) -> Result<(), Refusal> {
        let expiry_now = self.expiry_now();
        let mut live: Vec<_> = self
            .all_lots()
            .filter(|lot| lot.remaining.is_positive() && !lot.is_expired(expiry_now))
            .map(|lot| (lot.spending_key(), lot.id, lot.remaining))
            .collect();
        live.sort_unstable();
        let live_in_all = self.live_in_all()?;
        let mut left = credits;
        for (_, id, remaining) in live {
            let drawn = remaining.min(left);
            if drawn.is_zero() {
                break;
            }
            self.change_remaining(id, -drawn)?;
            push_movement(movements, id, -drawn);
            left = left.checked_sub(drawn).ok_or(Refusal::Overflow)?;
        }
        // If a lot were missing from the working set, its credits would become debt while the lot still had
        // them.
        let owed = credits.checked_sub(live_in_all).unwrap_or(credits).max(Credits::ZERO);
        assert_eq!(left, owed, "the working set has every lot that spending reaches");
        if left.is_positive() {
            self.change_debt(left)?;
            movements.push(LotMovement {
                lot_id: None,
                amount: -left,
                returned: Credits::ZERO,
            });
        }
        Ok(())
    }

    /// Returns what all live lots of the account have left, computed from its figures and what expired lots
    /// keep.
    fn live_in_all(&self) -> Result<Credits, Refusal> {
        // Movements of this entry are in the lots already, but not yet in the posted figure.
        let unposted: Credits = self.unposted_movements();
        let kept: Credits = self
            .expired_lots()
            .into_iter()
            .filter_map(|(_, id)| self.lot(id))
            .map(|lot| lot.remaining)
            .sum();
        self.header
            .posted
            .checked_add(unposted)
            .and_then(|posted| posted.checked_add(self.header.debt))
            .and_then(|remainders| remainders.checked_sub(kept))
            .ok_or(Refusal::Overflow)
    }

    /// How far the lots and the debt are ahead of the posted figure within this decision.
    fn unposted_movements(&self) -> Credits {
        let lots: Credits = self
            .lots
            .iter()
            .map(|(id, lot)| {
                let before = self.state.lots.get(id).map_or(Credits::ZERO, |lot| lot.remaining);
                Credits::from_units(lot.remaining.units() - before.units())
            })
            .sum();
        let debt = self.header.debt.units() - self.state.header.debt.units();
        let posted = self.header.posted.units() - self.state.header.posted.units();
        Credits::from_units(lots.units() - debt - posted)
    }

    /// Reverses an addition: from its own lots, kept or live, then as [`Draft::draw_live`].
    pub(super) fn draw_addition(
        &mut self,
        addition: &PastEntry,
        credits: Credits,
    ) -> Result<Vec<LotMovement>, Refusal> {
        let mut movements = Vec::new();
        let mut left = credits;
        for own in addition
            .movements
            .iter()
            .filter(|movement| movement.amount.is_positive())
            .filter_map(|m| m.lot_id)
        {
            let drawn = self.lot(own).map_or(Credits::ZERO, |lot| lot.remaining).min(left);
            if drawn.is_positive() {
                self.change_remaining(own, -drawn)?;
                push_movement(&mut movements, own, -drawn);
                left = left.checked_sub(drawn).ok_or(Refusal::Overflow)?;
            }
        }
        self.draw_live(left, &mut movements)?;
        Ok(movements)
    }

    /// Returns `credits` of a reversed addition: into its own lots, as far as they were taken from them, else into a new lot. Debt
    /// is repaid first. `entry_id` is the entry that returns them.
    pub(super) fn return_addition(
        &mut self,
        addition: &PastEntry,
        credits: Credits,
        entry_id: EntryId,
    ) -> Result<Vec<LotMovement>, Refusal> {
        let mut movements = Vec::new();
        let mut left = self.repay_debt(credits, &mut movements)?;
        for own in addition
            .movements
            .iter()
            .filter(|movement| movement.amount.is_positive())
        {
            let expiry_now = self.expiry_now();
            let Some(lot) = own
                .lot_id
                .and_then(|id| self.lot(id))
                .filter(|lot| !lot.is_expired(expiry_now))
            else {
                continue;
            };
            let (id, room) = (lot.id, own.amount.checked_sub(lot.remaining).ok_or(Refusal::Overflow)?);
            let returned = left.min(room.max(Credits::ZERO));
            if returned.is_positive() {
                self.change_remaining(id, returned)?;
                push_movement(&mut movements, id, returned);
                left = left.checked_sub(returned).ok_or(Refusal::Overflow)?;
            }
        }
        if left.is_positive() {
            self.add_credits(entry_id, left, LotTerms::PAID, &mut movements)?;
        }
        Ok(movements)
    }

    /// Returns `credits` of a deduction by walking its draws in reverse, each up to what is not yet returned. Credits go into
    /// the same lot if it is live, else into a new one of its kind and priority that expires in 30 days. What does not fit into
    /// a live lot goes into a new one of its terms. What had been drawn as debt goes into a new PAID lot. Debt is repaid first. `entry_id` is the entry that returns them.
    pub(super) fn return_draws(
        &mut self,
        deduction: &mut PastEntry,
        credits: Credits,
        entry_id: EntryId,
    ) -> Result<Vec<LotMovement>, Refusal> {
        let mut movements = Vec::new();
        let mut left = credits;
        for draw in deduction
            .movements
            .iter_mut()
            .rev()
            .filter(|movement| movement.amount.is_negative())
        {
            let open = draw.amount.abs().checked_sub(draw.returned).ok_or(Refusal::Overflow)?;
            let returned = open.min(left);
            if returned.is_zero() {
                continue;
            }
            draw.returned = draw.returned.checked_add(returned).ok_or(Refusal::Overflow)?;
            left = left.checked_sub(returned).ok_or(Refusal::Overflow)?;
            self.return_draw(draw.lot_id, returned, entry_id, &mut movements)?;
        }
        assert!(left.is_zero(), "no more is given back than was drawn");
        Ok(movements)
    }

    fn return_draw(
        &mut self,
        lot_id: Option<LotId>,
        credits: Credits,
        entry_id: EntryId,
        movements: &mut Vec<LotMovement>,
    ) -> Result<(), Refusal> {
        let Some(lot_id) = lot_id else {
            return self.add_credits(entry_id, credits, LotTerms::PAID, movements);
        };
        let lot = self
            .lot(lot_id)
            .expect("the working set has the lots that a refund returns to")
            .clone();
        if lot.is_expired(self.expiry_now()) {
            let expires_at = Some(self.now.plus_millis(RETURNED_LIFETIME_MILLIS));
            let terms = LotTerms {
                kind: lot.kind,
                priority: lot.priority,
                expires_at,
            };
            return self.add_credits(entry_id, credits, terms, movements);
        }
        let credits = self.repay_debt(credits, movements)?;
        // Credits of a top-up that were taken back and came back may fill the lot, so a lot never contains more than it was granted.
        let room = lot.granted.checked_sub(lot.remaining).ok_or(Refusal::Overflow)?;
        let fits = credits.min(room);
        self.change_remaining(lot_id, fits)?;
        push_movement(movements, lot_id, fits);
        let beyond = credits.checked_sub(fits).ok_or(Refusal::Overflow)?;
        if beyond.is_positive() {
            let terms = LotTerms {
                kind: lot.kind,
                priority: lot.priority,
                expires_at: lot.expires_at,
            };
            self.add_credits(entry_id, beyond, terms, movements)?;
        }
        Ok(())
    }

    /// Expired lots with a remainder, in the order in which they keep credits for holds.
    fn expired_lots(&self) -> Vec<(Timestamp, LotId)> {
        let mut expired: Vec<_> = self
            .held_before
            .keys()
            .filter_map(|id| self.lot(*id))
            .filter(|lot| lot.remaining.is_positive())
            .filter_map(|lot| lot.expires_at.map(|expires_at| (expires_at, lot.id)))
            .collect();
        expired.sort_unstable();
        expired
    }

    /// Debits what expired lots have beyond what they keep. Each keeps what open holds booked before its expiry still need
    /// beyond what earlier lots keep. While the account is halted this affects only lots that had expired before the halt.
    /// What they keep ends with the holds.
    pub(super) fn expire_lots(&mut self) -> Result<(), Refusal> {
        let mut kept_so_far = Credits::ZERO;
        for (_, id) in self.expired_lots() {
            let remaining = self.lot(id).map_or(Credits::ZERO, |lot| lot.remaining);
            let held = self.held_before.get(&id).copied().unwrap_or_default();
            let needed = held.checked_sub(kept_so_far).unwrap_or_default().max(Credits::ZERO);
            let kept = remaining.min(needed);
            kept_so_far = kept_so_far.checked_add(kept).ok_or(Refusal::Overflow)?;
            let expired = remaining.checked_sub(kept).ok_or(Refusal::Overflow)?;
            if expired.is_positive() {
                self.change_remaining(id, -expired)?;
                let mut movements = Vec::new();
                push_movement(&mut movements, id, -expired);
                let new = self.entry(
                    EntryKind::Expiry,
                    ContraAccount::Expired,
                    -expired,
                    "Credits expired",
                    Cause::System,
                );
                self.post(new, movements)?;
            }
        }
        Ok(())
    }
}

fn push_movement(movements: &mut Vec<LotMovement>, lot_id: LotId, amount: Credits) {
    if !amount.is_zero() {
        movements.push(LotMovement {
            lot_id: Some(lot_id),
            amount,
            returned: Credits::ZERO,
        });
    }
}
