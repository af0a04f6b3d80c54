//! Credits from sources other than sessions (grants, top-ups), and corrections (reversals, adjustments).

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::MAX_LOTS;
use super::decision::{NewEntry, Refusal};
use super::draft::Draft;
use super::entry::Entry;
use super::lots::LotTerms;
use super::sessions::{require_amount, take_from_left};
use super::state::{ContraAccount, EntryKind, LotKind, Outcome, PastEntry};

impl Draft<'_> {
    pub(super) fn past_entry(&self, id: EntryId) -> Option<PastEntry> {
        let made_now = || self.entries.iter().find(|new| new.entry.id == id).map(PastEntry::from);
        self.past_entries
            .get(&id)
            .or_else(|| self.state.entries.get(&id))
            .cloned()
            .or_else(made_now)
    }

    pub(super) fn grant(
        &mut self,
        credits: Credits,
        description: &str,
        kind: LotKind,
        expires_at: Option<Timestamp>,
        priority: i32,
    ) -> Result<Outcome, Refusal> {
        self.require_active()?;
        require_amount("credits", credits)?;
        if expires_at.is_some_and(|expires_at| expires_at <= self.now) {
            return Err(Refusal::Invalid {
                field: "expiresAt",
                message: "expiresAt must be in the future".to_owned(),
            });
        }
        if self.header.lot_count >= MAX_LOTS {
            return Err(Refusal::LotLimit);
        }
        let new = self.entry(
            EntryKind::Grant,
            ContraAccount::Promotions,
            credits,
            description,
            self.request.cause,
        );
        self.add(
            new,
            LotTerms {
                kind,
                priority,
                expires_at,
            },
        )
    }

    pub(super) fn credit_top_up(
        &mut self,
        top_up_id: TopUpId,
        credits: Credits,
        automatic: bool,
    ) -> Result<Outcome, Refusal> {
        if let Some(entry_id) = self.state.credited_top_ups.get(&top_up_id) {
            return Err(Refusal::AlreadyCredited { entry_id: *entry_id });
        }
        let (kind, description) = if automatic {
            (EntryKind::AutoTopUp, "Automatic top-up")
        } else {
            (EntryKind::TopUp, "Top-up")
        };
        let mut new = self.entry(
            kind,
            ContraAccount::CardPayments,
            credits,
            description,
            self.request.cause,
        );
        new.entry.top_up_id = Some(top_up_id);
        self.add(new, LotTerms::PAID)
    }

    fn add(&mut self, new: NewEntry, terms: LotTerms) -> Result<Outcome, Refusal> {
        let entry_id = EntryId::from_uuid(self.ids.next_uuid());
        let mut movements = Vec::new();
        self.add_credits(entry_id, new.entry.amount, terms, &mut movements)?;
        self.post_as(entry_id, new, movements)?;
        Ok(Outcome {
            entry_id: Some(entry_id),
            ..Outcome::default()
        })
    }

    /// Sets the reversed total of a top-up to `target`. Refunds, late failures and disputes share this running total, so that
    /// each of them removes only what the others have not.
    pub(super) fn take_back(
        &mut self,
        entry_id: EntryId,
        target: Credits,
        kind: EntryKind,
        contra: ContraAccount,
        description: &str,
    ) -> Result<Outcome, Refusal> {
        let mut addition = self.past_entry(entry_id).ok_or(Refusal::EntryNotFound)?;
        let target = target.min(addition.entry.amount).max(Credits::ZERO);
        let change = target.checked_sub(addition.entry.taken_back).ok_or(Refusal::Overflow)?;
        if change.is_zero() {
            return Ok(Outcome::default());
        }
        let mut new = self.entry(kind, contra, -change, description, Cause::PaymentGateway);
        new.entry.top_up_id = addition.entry.top_up_id;
        new.entry.reverses = Some(addition.entry.id);
        let posted_id = EntryId::from_uuid(self.ids.next_uuid());
        let movements = if change.is_positive() {
            self.draw_addition(&addition, change)?
        } else {
            self.return_addition(&addition, -change, posted_id)?
        };
        addition.entry.taken_back = target;
        self.past_entries.insert(addition.entry.id, addition);
        self.post_as(posted_id, new, movements)?;
        Ok(Outcome {
            entry_id: Some(posted_id),
            ..Outcome::default()
        })
    }

    pub(super) fn adjust(
        &mut self,
        amount: Credits,
        description: &str,
        reverses: Option<EntryId>,
    ) -> Result<Outcome, Refusal> {
        if amount.is_zero() {
            return Err(Refusal::Invalid {
                field: "amount",
                message: "amount must not be 0".to_owned(),
            });
        }
        require_amount("amount", amount.abs())?;
        let mut new = self.entry(
            EntryKind::Adjustment,
            ContraAccount::Adjustments,
            amount,
            description,
            self.request.cause,
        );
        let Some(reversed_id) = reverses else {
            if amount.is_positive() {
                self.require_room_for_lot(LotTerms::CORRECTION)?;
                return self.add(new, LotTerms::CORRECTION);
            }
            let mut movements = Vec::new();
            self.draw_live(amount.abs(), &mut movements)?;
            let entry_id = self.post(new, movements)?;
            return Ok(Outcome {
                entry_id,
                ..Outcome::default()
            });
        };
        let mut target = self.past_entry(reversed_id).ok_or(Refusal::EntryNotFound)?;
        require_reversible(&target.entry, amount)?;
        new.entry.member_id = target.entry.member_id;
        new.entry.session_id = target.entry.session_id;
        new.entry.top_up_id = target.entry.top_up_id;
        new.entry.reverses = Some(target.entry.id);
        let entry_id = EntryId::from_uuid(self.ids.next_uuid());
        let movements = if amount.is_positive() {
            self.give_back(&mut target, amount, entry_id)?
        } else {
            self.require_beyond_refunds(&target, amount.abs())?;
            take_from_left(&mut target, amount.abs())?;
            self.draw_addition(&target, amount.abs())?
        };
        let left = Credits::from_units(target.entry.amount.units() - target.entry.taken_back.units());
        self.past_entries.insert(target.entry.id, target);
        self.post_as(entry_id, new, movements)?;
        if amount.is_negative() {
            // Credits that were reversed need not be held as well.
            self.hold_at_most(reversed_id, left)?;
        }
        Ok(Outcome {
            entry_id: Some(entry_id),
            ..Outcome::default()
        })
    }
}

fn require_reversible(entry: &Entry, amount: Credits) -> Result<(), Refusal> {
    if entry.kind == EntryKind::Session {
        return Err(Refusal::NotReversible(
            "a session's charge cannot be reversed; refund it with refundSession",
        ));
    }
    if matches!(entry.kind, EntryKind::Reversal | EntryKind::Chargeback) {
        // Credits that a dispute took return with its money. Returned by hand as well, they would return
        // twice.
        return Err(Refusal::NotReversible(
            "an entry of a returned payment cannot be reversed; correct it by an adjustment without reversesEntryId",
        ));
    }
    if entry.amount.is_positive() == amount.is_positive() {
        return Err(Refusal::NotReversible(
            "amount must have the opposite sign of the entry it reverses",
        ));
    }
    Ok(())
}
