//! Credits held for top-ups: while one is disputed, and from the request of a refund until the gateway has answered.
//!
//! Invariants: what refunds in progress will take is held, so that nothing else can spend it. Without permission for debt, a
//! refund never takes more than what is unspent of the top-up's own lots and available. It never takes more than what is left
//! of the top-up.

use crate::event::EventContent;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, TopUpId};

use super::decision::Refusal;
use super::draft::Draft;
use super::state::{EntryKind, Holder, Outcome, PastEntry, TopUpHold};

impl Draft<'_> {
    fn top_up_hold(&self, id: TopUpId) -> TopUpHold {
        let changed = self.top_up_holds.get(&id).or_else(|| self.state.top_up_holds.get(&id));
        changed.copied().unwrap_or_default()
    }

    /// Sets what is held for a top-up. Such credits keep no lot from expiring, because no session will use
    /// them.
    fn set_top_up_hold(&mut self, id: TopUpId, wanted: TopUpHold) -> Result<(), Refusal> {
        let before = self.top_up_hold(id);
        if before == wanted {
            return Ok(());
        }
        self.hold(wanted.amount.checked_sub(before.amount).ok_or(Refusal::Overflow)?)?;
        self.top_up_holds.insert(id, wanted);
        self.announce(EventContent::TopUpUpdated {
            top_up_id: id,
            status: None,
        });
        self.note_hold(Holder::TopUp(id), before.amount, wanted.amount);
        Ok(())
    }

    /// Holds everything that is left of a disputed top-up; otherwise what its refunds in progress will take, at
    /// most what is left.
    pub(super) fn hold_top_up(
        &mut self,
        entry_id: EntryId,
        is_disputed: bool,
        refunding: Credits,
    ) -> Result<Outcome, Refusal> {
        let addition = self.past_entry(entry_id).ok_or(Refusal::EntryNotFound)?;
        let top_up_id = addition.entry.top_up_id.ok_or(Refusal::EntryNotFound)?;
        let left = left_of(&addition)?;
        let refunding = refunding.max(Credits::ZERO).min(left);
        let amount = if is_disputed { left } else { refunding };
        self.set_top_up_hold(top_up_id, TopUpHold { amount, refunding })?;
        Ok(Outcome {
            top_up_id: Some(top_up_id),
            ..Outcome::default()
        })
    }

    /// Holds credits for a requested refund.
    pub(super) fn hold_refund(
        &mut self,
        entry_id: EntryId,
        credits: Option<Credits>,
        allow_debt: bool,
        allow_inactive: bool,
    ) -> Result<Outcome, Refusal> {
        if !allow_inactive {
            self.require_active()?;
        }
        let addition = self.past_entry(entry_id).ok_or(Refusal::EntryNotFound)?;
        let top_up_id = addition.entry.top_up_id.ok_or(Refusal::EntryNotFound)?;
        let hold = self.top_up_hold(top_up_id);
        let left = left_of(&addition)?
            .checked_sub(hold.refunding)
            .ok_or(Refusal::Overflow)?
            .max(Credits::ZERO);
        let unspent = self.unspent_of(&addition)?;
        let unspent = unspent.checked_sub(hold.refunding).ok_or(Refusal::Overflow)?;
        let unspent = unspent.min(self.header.available()).min(left).max(Credits::ZERO);
        let most = if allow_debt { left } else { unspent };
        let credits = credits.unwrap_or(most);
        if left.is_zero() || credits > left {
            return Err(Refusal::RefundExceedsCharge { left });
        }
        if most.is_zero() || credits > most {
            return Err(Refusal::RefundExceedsUnspent { unspent });
        }
        if !credits.is_positive() {
            return Err(Refusal::Invalid {
                field: "credits",
                message: format!("must be greater than 0; got {credits}"),
            });
        }
        // An open dispute holds all that is left, which includes the refund's share.
        let is_disputed = hold.amount > hold.refunding;
        let refunding = hold.refunding.checked_add(credits).ok_or(Refusal::Overflow)?;
        let amount = if is_disputed { hold.amount } else { refunding };
        self.set_top_up_hold(top_up_id, TopUpHold { amount, refunding })?;
        Ok(Outcome {
            top_up_id: Some(top_up_id),
            ..Outcome::default()
        })
    }

    /// Returns the remainders of the lots that an addition went into. The part that repaid debt was spent
    /// before.
    fn unspent_of(&self, addition: &PastEntry) -> Result<Credits, Refusal> {
        let mut unspent = Credits::ZERO;
        for movement in addition
            .movements
            .iter()
            .filter(|movement| movement.amount.is_positive())
        {
            let lot = movement.lot_id.and_then(|id| self.lot(id));
            let remaining = lot.map_or(Credits::ZERO, |lot| lot.remaining.min(movement.amount));
            unspent = unspent.checked_add(remaining).ok_or(Refusal::Overflow)?;
        }
        Ok(unspent)
    }

    /// Refuses to take by hand what refunds in progress will take: their money is being returned to the customer.
    pub(super) fn require_beyond_refunds(&self, entry: &PastEntry, credits: Credits) -> Result<(), Refusal> {
        let refunding = credited_top_up(entry).map_or(Credits::ZERO, |id| self.top_up_hold(id).refunding);
        let left = left_of(entry)?.checked_sub(refunding).ok_or(Refusal::Overflow)?;
        if refunding.is_positive() && credits > left {
            return Err(Refusal::RefundExceedsCharge { left });
        }
        Ok(())
    }

    /// Lowers the hold of the top-up that an entry credited to what is left of it.
    pub(super) fn hold_at_most(&mut self, entry_id: EntryId, left: Credits) -> Result<(), Refusal> {
        let entry = self.past_entry(entry_id);
        let Some(top_up_id) = entry.as_ref().and_then(credited_top_up) else {
            return Ok(());
        };
        let hold = self.top_up_hold(top_up_id);
        let capped = TopUpHold {
            amount: hold.amount.min(left),
            refunding: hold.refunding.min(left),
        };
        self.set_top_up_hold(top_up_id, capped)
    }
}

/// Returns what is not reversed of an addition.
fn left_of(addition: &PastEntry) -> Result<Credits, Refusal> {
    let entry = &addition.entry;
    entry.amount.checked_sub(entry.taken_back).ok_or(Refusal::Overflow)
}

/// The top-up that an entry credited, if it credited one.
fn credited_top_up(PastEntry { entry, .. }: &PastEntry) -> Option<TopUpId> {
    let is_credit = matches!(entry.kind, EntryKind::TopUp | EntryKind::AutoTopUp);
    entry.top_up_id.filter(|_| is_credit)
}
